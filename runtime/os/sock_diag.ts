/** The TCP connections of this network namespace by their local address, listed piece by piece. */
import type { Address } from "../bytes/address.ts";
import { Errno, OsError } from "./errno.ts";
import { ControlType, decodeAcknowledgement, type Message, MessageFlag, viewOf } from "./netlink.ts";
import { NetlinkSocket, Protocol } from "./netlink_socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_JMP = 1;
const INET_DIAG_BC_S_COND = 7;

/**
 * Connections that still have something to say: established, SYN received, close wait, FIN wait 1, last ACK, closing,
 * new SYN received. Not FIN wait 2 and time wait: this side has said all and knows that it arrived.
 */
const wantedStates = [1, 3, 4, 8, 9, 11, 12].reduce((mask, state) => mask | 1 << state, 0);

/** An IPv4 connection; addresses are views that end with the next read. */
export interface Connection {
  readonly local: Address;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
}

/** Lists connections: `start`, then `read` whenever `fd` is readable until it says that the list is complete. */
export class ConnectionListing implements Disposable {
  readonly #socket = new NetlinkSocket(Protocol.sockDiag);
  #filter: Uint8Array = new Uint8Array(0);
  #family: 0 | typeof AF_INET | typeof AF_INET6 = 0;

  get fd(): number {
    return this.#socket.fd;
  }

  /** Is a listing under way? */
  get busy(): boolean {
    return this.#family !== 0;
  }

  /** Begins to list the connections whose local address is one of `addresses` (IPv4). @throws {OsError} */
  start(addresses: readonly Address[]): void {
    this.#filter = encodeLocalAddressFilter(addresses);
    // Sockets of the other family carry IPv4 connections too, where a listener is bound to [::].
    this.#request(AF_INET);
  }

  /** Takes in one piece, at most 32 KiB. "more": the list goes on; "complete": that was all; "nothing" waits. @throws {OsError} */
  read(each: (connection: Connection) => void): "more" | "complete" | "nothing" {
    const received = this.#socket.receive();
    if (received === null) return "nothing";
    if (received === "lost") throw this.#failure(Errno.ENOBUFS);
    for (const message of received) {
      if (message.type === ControlType.error) {
        const { errno } = decodeAcknowledgement(message);
        // A machine without IPv6 has no such sockets.
        if (this.#family === AF_INET6 && errno === Errno.ENOENT) return this.#complete();
        throw this.#failure(errno);
      }
      if (message.type === ControlType.done) {
        return this.#family === AF_INET ? this.#request(AF_INET6) : this.#complete();
      }
      const connection = decodeConnection(message);
      if (connection !== undefined) each(connection);
    }
    return "more";
  }

  /** The whole list at once: where it is expected to be short, or nothing else waits. @throws {OsError} */
  list(addresses: readonly Address[]): Connection[] {
    const connections: Connection[] = [];
    const keep = (one: Connection) => {
      connections.push({ ...one, local: one.local.slice(), remote: one.remote.slice() });
    };
    this.start(addresses);
    for (;;) {
      const got = this.read(keep);
      if (got === "complete") return connections;
      if (got === "nothing") throw this.#failure(Errno.EIO);
    }
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #request(family: typeof AF_INET | typeof AF_INET6): "more" {
    this.#family = family;
    const writer = this.#socket.begin(SOCK_DIAG_BY_FAMILY, MessageFlag.dump);
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states, then the identity of a socket: any
    writer.u8(family).u8(IPPROTO_TCP).u8(0).u8(0).u32(wantedStates).bytes(new Uint8Array(48));
    writer.attribute(INET_DIAG_REQ_BYTECODE, this.#filter).end();
    this.#socket.send("Cannot list connections");
    return "more";
  }

  #complete(): "complete" {
    this.#family = 0;
    return "complete";
  }

  #failure(errno: number): OsError {
    this.#family = 0;
    return new OsError("sock_diag", errno, "Cannot list connections");
  }
}

/**
 * A program for the kernel's filter that accepts what matches any of the addresses: conditions with jumps forward, in
 * bytes from the instruction; exactly at the end is accepted, 4 behind it is refused.
 *
 * ```
 * condition 1: yes 16, no 20 | jump to the end | condition 2: yes 16, no 20 | jump to the end | condition n: yes 16, no 20
 * ```
 */
export function encodeLocalAddressFilter(addresses: readonly Address[]): Uint8Array {
  const conditionLength = 16;
  const step = conditionLength + 4;
  const length = addresses.length * step - 4;
  const program = new Uint8Array(Math.max(length, 0));
  const view = viewOf(program);
  for (const [i, address] of addresses.entries()) {
    const at = i * step;
    program.set([INET_DIAG_BC_S_COND, conditionLength], at);
    view.setUint16(at + 2, step, true);
    // struct inet_diag_hostcond: family, prefix length, port (-1 = any), address
    program.set([AF_INET, 32], at + 4);
    view.setInt32(at + 8, -1, true);
    program.set(address, at + 12);
    if (i === addresses.length - 1) break;
    program.set([INET_DIAG_BC_JMP, 4], at + conditionLength);
    view.setUint16(at + conditionLength + 2, length - at - conditionLength, true);
  }
  return program;
}

/** `struct inet_diag_msg`: family, state, timer, retransmits, source and destination port, addresses of 16 bytes. */
function decodeConnection({ type, body }: Message): Connection | undefined {
  if (type !== SOCK_DIAG_BY_FAMILY || body.length < 72) return undefined;
  const view = viewOf(body);
  const mapped = body[0] === AF_INET6 ? 12 : 0;
  return {
    localPort: view.getUint16(4),
    remotePort: view.getUint16(6),
    local: body.subarray(8 + mapped, 12 + mapped),
    remote: body.subarray(24 + mapped, 28 + mapped),
  };
}

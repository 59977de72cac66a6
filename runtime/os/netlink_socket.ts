/** A netlink socket: requests with acknowledgement, dumps, announcements. Never blocks. */
import { check, Errno, errno, OsError } from "./errno.ts";
import { libc } from "./libc.ts";
import {
  ControlType,
  decodeAcknowledgement,
  decodeMessages,
  type Message,
  MessageFlag,
  MessageWriter,
  viewOf,
} from "./netlink.ts";

export const Protocol = { route: 0, sockDiag: 4, netfilter: 12 } as const;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;

/** Larger than any datagram of the kernel: a dump fills at most 32 KiB a datagram. */
const bufferLength = 65536;
const bufferSize = BigInt(bufferLength);

export interface NetlinkSocketOptions {
  /** Multicast groups as a bit mask (RTMGRP_*). @default 0 */
  readonly groups?: number;
  /** Bytes of announcements that may wait unread. @default the system's */
  readonly receiveBuffer?: number;
}

/** What `receive` found: messages, nothing (`null`), or that announcements were lost (`"lost"`). */
export type Received = readonly Message[] | "lost" | null;

export class NetlinkSocket implements Disposable {
  readonly fd: number;
  /** Shared by all requests on this socket: write, then `request`. */
  readonly writer = new MessageWriter();
  readonly #buffer = new Uint8Array(bufferLength);
  #sequence = 0;
  #closed = false;

  /** @throws {OsError} when the kernel has no such netlink family or refuses. */
  constructor(protocol: number, options: NetlinkSocketOptions = {}) {
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.fd = check(
      libc().socket(AF_NETLINK, type, protocol),
      "socket",
      `Cannot open netlink socket of family ${protocol}`,
    );
    // Without it errors are bare numbers; that is no reason to fail.
    libc().setsockopt(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, Uint32Array.of(1), 4);
    if (options.receiveBuffer !== undefined) {
      libc().setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, Uint32Array.of(options.receiveBuffer), 4);
    }
    const address = new Uint8Array(12);
    viewOf(address).setUint16(0, AF_NETLINK, true);
    viewOf(address).setUint32(8, options.groups ?? 0, true);
    const bound = libc().bind(this.fd, address, address.length);
    if (bound < 0) {
      const number = errno();
      this.close();
      throw new OsError("bind", number, `Cannot bind netlink socket of family ${protocol}`);
    }
  }

  /**
   * Sends what `writer` holds and reads the acknowledgements: the kernel has worked it off when send returns.
   *
   * @throws {OsError} with `action` when the kernel refused any of the messages.
   */
  request(action: string): void {
    this.send(action);
    let answered = false;
    let refusal: OsError | undefined;
    for (;;) {
      const received = this.receive();
      if (received === null) break;
      if (received === "lost") continue;
      for (const message of received) {
        if (message.type !== ControlType.error) continue;
        answered = true;
        const { errno, words } = decodeAcknowledgement(message);
        if (errno !== 0) refusal ??= new OsError("netlink", errno, words === null ? action : `${action} (${words})`);
      }
    }
    if (refusal !== undefined) throw refusal;
    if (!answered) throw new OsError("netlink", Errno.EIO, `${action}: no acknowledgement`);
  }

  /**
   * Sends the dump request that `writer` holds and passes every message of the answer to `each`. What changes
   * meanwhile is announced to those who listen.
   *
   * @throws {OsError} with `action` when the kernel refused.
   */
  dump(action: string, each: (message: Message) => void): void {
    this.send(action);
    for (;;) {
      const received = this.receive();
      if (received === null) throw new OsError("recv", Errno.EIO, `${action}: the answer has no end`);
      if (received === "lost") throw new OsError("recv", Errno.ENOBUFS, action);
      for (const message of received) {
        if (message.type === ControlType.done) return;
        if (message.type === ControlType.error) {
          throw new OsError("netlink", decodeAcknowledgement(message).errno, action);
        }
        each(message);
      }
    }
  }

  /** Sends what `writer` holds as one datagram and empties it. @throws {OsError} */
  send(action: string): void {
    const datagram = this.writer.written;
    const sent = libc().send(this.fd, datagram, BigInt(datagram.length), 0);
    const number = sent < 0 ? errno() : 0;
    this.writer.reset();
    if (sent < 0) throw new OsError("send", number, action);
  }

  /** One datagram, null when none waits. Its messages are views, valid until the next call. @throws {OsError} */
  receive(): Received {
    const received = libc().recv(this.fd, this.#buffer, bufferSize, MSG_TRUNC);
    if (received >= 0) return received > bufferLength ? "lost" : decodeMessages(this.#buffer.subarray(0, received));
    switch (errno()) {
      case Errno.EAGAIN:
      case Errno.EINTR:
        return null;
      case Errno.ENOBUFS:
        return "lost";
      default:
        throw new OsError("recv", errno(), "Cannot read netlink socket");
    }
  }

  /** Opens a message in `writer` with a sequence number of its own; returns that number. */
  begin(type: number, flags: number): MessageWriter {
    this.#sequence = this.#sequence + 1 >>> 0;
    return this.writer.begin(type, flags | MessageFlag.request, this.#sequence);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

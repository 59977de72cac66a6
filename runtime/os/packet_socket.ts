/** AF_PACKET: whole Ethernet frames, out and in. */
import { check, errno, OsError } from "./errno.ts";
import { libc } from "./libc.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const MSG_DONTWAIT = 0x40;

/** `struct sockaddr_ll`: family, protocol (network order), interface index, hardware type, packet type, address. */
const addressLength = 20;

/** Sends frames on any interface of its network namespace; it receives nothing. */
export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #address = new Uint8Array(addressLength);
  readonly #view = new DataView(this.#address.buffer);
  #closed = false;

  /** @throws {OsError} EPERM without CAP_NET_RAW. */
  constructor() {
    // Protocol 0: nothing is ever queued for reading.
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.#fd = check(libc().socket(AF_PACKET, type, 0), "socket", "Cannot open packet socket, which needs CAP_NET_RAW");
    this.#view.setUint16(0, AF_PACKET, true);
  }

  /** Sends a whole frame. False: it could not leave, because the interface is down or gone or its queue is full. */
  send(index: number, frame: Uint8Array<ArrayBuffer>): boolean {
    this.#view.setInt32(4, index, true);
    const sent = libc().sendto(this.#fd, frame, BigInt(frame.length), MSG_DONTWAIT, this.#address, addressLength);
    return sent === frame.length;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws {OsError} EPERM without CAP_NET_RAW. */
export function openPacketSocket(): PacketSocket {
  return new PacketSocket();
}

/** Receives the frames of one EtherType on one interface: for tests and diagnosis. */
export class PacketListener implements Disposable {
  readonly fd: number;
  readonly #buffer = new Uint8Array(2048);
  #closed = false;

  /** @throws {OsError} EPERM without CAP_NET_RAW. */
  constructor(index: number, etherType: number) {
    const protocol = etherType >> 8 | (etherType & 0xff) << 8;
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.fd = check(libc().socket(AF_PACKET, type, protocol), "socket", "Cannot open packet socket");
    const address = new Uint8Array(addressLength);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, etherType);
    view.setInt32(4, index, true);
    if (libc().bind(this.fd, address, addressLength) < 0) {
      const number = errno();
      this.close();
      throw new OsError("bind", number, `Cannot bind packet socket to interface ${index}`);
    }
  }

  /** The next waiting frame, a view until the next call; null when none waits. */
  receive(): Uint8Array<ArrayBuffer> | null {
    const length = libc().recv(this.fd, this.#buffer, BigInt(this.#buffer.length), MSG_DONTWAIT);
    return length < 0 ? null : this.#buffer.subarray(0, length);
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

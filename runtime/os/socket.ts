/** Sockets of the vrrp process: raw IP for advertisements, UDP for the hand-over channel. Never blocking. */
import { type Address, formatAddress } from "../bytes/address.ts";
import { check, Errno, errno, OsError } from "./errno.ts";
import { cString, libc } from "./libc.ts";
import { AF_INET, decodeSockaddr, encodeSockaddr, sockaddrLength } from "./sockaddr.ts";

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;

const IPPROTO_IP = 0;
const IPPROTO_RAW = 255;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_HDRINCL = 3;
const IP_RECVTTL = 12;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IP_MULTICAST_ALL = 49;

/** Priority of packets that keep a network running, for queues that know one (`pfifo_fast` band 0). */
const TC_PRIO_CONTROL = 7;
/** Internetwork control, RFC 791. */
export const controlTos = 0xc0;

/** A network interface as sockets know it. */
export interface Device {
  readonly name: string;
  readonly index: number;
}

/** One socket, closed once. */
class Socket implements Disposable {
  #open = true;
  constructor(readonly fd: number) {}

  option(level: number, name: number, value: number | Uint8Array<ArrayBuffer>, subject: string): void {
    const bytes = typeof value === "number" ? Int32Array.of(value) : value;
    check(libc().setsockopt(this.fd, level, name, bytes, bytes.byteLength), "setsockopt", `Cannot ${subject}`);
  }

  bindToDevice(device: string): void {
    this.option(SOL_SOCKET, SO_BINDTODEVICE, cString(device), `bind socket to interface "${device}"`);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc().close(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Closes the socket again where setting it up fails. */
function opened(domain: number, type: number, protocol: number, subject: string, prepare: (socket: Socket) => void) {
  const flags = type | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const socket = new Socket(check(libc().socket(domain, flags, protocol), "socket", `Cannot open ${subject}`));
  try {
    prepare(socket);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** `struct ip_mreqn`: group, own address (by index instead), interface index. */
function membership(group: Address, index: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12);
  bytes.set(group);
  new DataView(bytes.buffer).setInt32(8, index, true);
  return bytes;
}

/** Received IPv4 packets of one protocol on one interface, IP header included. */
export interface PacketReceiver extends Disposable {
  /** Poll it for POLLIN. */
  readonly fd: number;
  /** The next waiting packet, a view until the next call; null when none waits. */
  receive(): Uint8Array<ArrayBuffer> | null;
}

/**
 * Receives `protocol` on `device`, sent to this host or to `group`.
 *
 * @throws {OsError} EPERM without CAP_NET_RAW, ENODEV when the interface is gone.
 */
export function openPacketReceiver(device: Device, protocol: number, group: Address | null): PacketReceiver {
  const name = `raw socket on "${device.name}", which needs CAP_NET_RAW`;
  const socket = opened(AF_INET, SOCK_RAW, protocol, name, (socket) => {
    socket.bindToDevice(device.name);
    // Without it the socket also gets groups that other processes joined.
    socket.option(IPPROTO_IP, IP_MULTICAST_ALL, 0, "leave foreign multicast groups out");
    socket.option(SOL_SOCKET, SO_RCVBUF, 1 << 20, "set receive buffer");
    if (group === null) return;
    const subject = `join ${formatAddress(group)} on "${device.name}"`;
    socket.option(IPPROTO_IP, IP_ADD_MEMBERSHIP, membership(group, device.index), subject);
  });
  const buffer = new Uint8Array(4096);
  const size = BigInt(buffer.length);
  return {
    fd: socket.fd,
    receive() {
      const length = libc().recv(socket.fd, buffer, size, MSG_DONTWAIT);
      return length < 0 ? null : buffer.subarray(0, length);
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

/** Sends IPv4 packets that come with their header. */
export interface PacketSender extends Disposable {
  /** The errno that kept the packet from leaving; 0 = it left. */
  send(packet: Uint8Array<ArrayBuffer>, destination: Address): number;
}

/**
 * Sends on `device` only, never back to this host.
 *
 * @throws {OsError} EPERM without CAP_NET_RAW, ENODEV when the interface is gone.
 */
export function openPacketSender(device: Device): PacketSender {
  const name = `raw socket on "${device.name}", which needs CAP_NET_RAW`;
  // IPPROTO_RAW never receives: there is no queue that nobody empties.
  const socket = opened(AF_INET, SOCK_RAW, IPPROTO_RAW, name, (socket) => {
    socket.bindToDevice(device.name);
    socket.option(IPPROTO_IP, IP_HDRINCL, 1, "send own IP headers");
    socket.option(IPPROTO_IP, IP_MULTICAST_LOOP, 0, "switch multicast loop off");
    const none = new Uint8Array(4);
    socket.option(IPPROTO_IP, IP_MULTICAST_IF, membership(none, device.index), `multicast on "${device.name}"`);
    socket.option(SOL_SOCKET, SO_PRIORITY, TC_PRIO_CONTROL, "set socket priority");
  });
  return {
    send(packet, destination) {
      const to = encodeSockaddr(destination, 0);
      const sent = libc().sendto(socket.fd, packet, BigInt(packet.length), MSG_DONTWAIT, to, to.length);
      return sent < 0 ? errno() : 0;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

/** A UDP message as received. `bytes` is a view until the next call. */
export interface Received {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly source: Address;
  readonly port: number;
  readonly hopLimit: number;
}

export interface UdpSocket extends Disposable {
  /** Poll it for POLLIN. */
  readonly fd: number;
  receive(): Received | null;
  /** The errno that kept the message from leaving; 0 = it left. */
  send(bytes: Uint8Array<ArrayBuffer>, destination: Address, port: number): number;
}

/** Two sockets of one address and port: what came in by its interface, and what came in by any other. */
export interface UdpSockets extends Disposable {
  readonly here: UdpSocket;
  readonly elsewhere: UdpSocket;
}

/**
 * UDP sockets on one address, sending by one interface with TTL 255 and telling the TTL of what they receive.
 *
 * @throws {OsError} EADDRINUSE, EADDRNOTAVAIL, ENODEV.
 */
export function openUdpSockets(device: Device, address: Address, port: number): UdpSockets {
  const first = openUdp(device, address, port, () => {});
  const reuse = (socket: Socket, value: 0 | 1) =>
    socket.option(SOL_SOCKET, SO_REUSEADDR, value, "let a second socket have the address");
  try {
    // Between these two only: to anyone else the address stays taken, as to an earlier run that has not ended yet.
    reuse(first, 1);
    const second = openUdp(null, address, port, (socket) => reuse(socket, 1));
    for (const socket of [first, second]) reuse(socket, 0);
    const [here, elsewhere] = [udpSocket(first), udpSocket(second)];
    const close = () => [first, second].forEach((socket) => socket.close());
    return { here, elsewhere, [Symbol.dispose]: close };
  } catch (error) {
    first.close();
    throw error;
  }
}

/** `device: null` = of every interface that no other socket of the address is bound to. */
function openUdp(device: Device | null, address: Address, port: number, prepare: (socket: Socket) => void): Socket {
  const subject = `UDP socket on ${formatAddress(address)}:${port}`;
  return opened(AF_INET, SOCK_DGRAM, 0, subject, (socket) => {
    prepare(socket);
    if (device !== null) socket.bindToDevice(device.name);
    socket.option(IPPROTO_IP, IP_TTL, 255, "set TTL");
    socket.option(IPPROTO_IP, IP_TOS, controlTos, "set TOS");
    socket.option(IPPROTO_IP, IP_RECVTTL, 1, "ask for the TTL of received packets");
    const name = encodeSockaddr(address, port);
    check(libc().bind(socket.fd, name, name.length), "bind", `Cannot bind ${subject}`);
  });
}

function udpSocket(socket: Socket): UdpSocket {
  const mailbox = new Mailbox();
  return {
    fd: socket.fd,
    receive: () => mailbox.receive(socket.fd),
    send(bytes, destination, port) {
      const to = encodeSockaddr(destination, port);
      const sent = libc().sendto(socket.fd, bytes, BigInt(bytes.length), MSG_DONTWAIT, to, to.length);
      return sent < 0 ? errno() : 0;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

/** A `struct msghdr` and what it points to. */
class Mailbox {
  readonly #name = new Uint8Array(sockaddrLength);
  readonly #data = new Uint8Array(4096);
  readonly #control = new Uint8Array(64);
  readonly #vector = new BigUint64Array(2);
  readonly #header = new BigUint64Array(7);

  receive(fd: number): Received | null {
    const at = (bytes: ArrayBufferView<ArrayBuffer>) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
    this.#vector.set([at(this.#data), BigInt(this.#data.length)]);
    // name, its length, iovec, its count, control, its length, flags; the kernel shortens the lengths.
    this.#header.set([
      at(this.#name),
      BigInt(this.#name.length),
      at(this.#vector),
      1n,
      at(this.#control),
      BigInt(this.#control.length),
      0n,
    ]);
    const length = libc().recvmsg(fd, this.#header, MSG_DONTWAIT);
    if (length < 0) {
      const number = errno();
      // An ICMP error of an earlier message: news about a peer that went away, nothing to act on.
      if (number === Errno.ECONNREFUSED || number === Errno.EHOSTUNREACH) return null;
      if (number === Errno.EAGAIN || number === Errno.EINTR || number === Errno.ENETDOWN) return null;
      throw new OsError("recvmsg", number, "Cannot receive from UDP socket");
    }
    const from = decodeSockaddr(this.#name);
    if (from === undefined) return null;
    return {
      bytes: this.#data.subarray(0, length),
      source: from.address,
      port: from.port,
      hopLimit: this.#hopLimit(),
    };
  }

  /** The one control message we asked for: `struct cmsghdr` (length 8, level 4, type 4) and an int; 0 = not there. */
  #hopLimit(): number {
    const view = new DataView(this.#control.buffer);
    if (this.#header[5] < 20n || view.getInt32(8, true) !== IPPROTO_IP || view.getInt32(12, true) !== IP_TTL) return 0;
    return view.getInt32(16, true);
  }
}

/** TCP sockets by address and port: socket addresses as bytes, listeners that may wait for their address to come. */
import { type Address, formatAddress, parseAddress } from "../bytes/address.ts";
import { check, Errno, errno, errnoName } from "./errno.ts";
import { libc } from "./libc.ts";
import { setBlocking, setNoDelay } from "./socket_options.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IP = 0;
const IP_FREEBIND = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_FREEBIND = 78;
const BACKLOG = 4096;
const SHUT_RDWR = 2;

/** A `struct sockaddr_in`, `sockaddr_in6` or `sockaddr_un`, and the domain it is of. */
export interface SocketAddress {
  readonly domain: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The socket address of an IP address and port, or of a Unix socket ("unix:/path", port ignored).
 *
 * @throws {SyntaxError} when `address` is neither.
 */
export function socketAddress(address: string, port: number): SocketAddress {
  if (address.startsWith("unix:")) {
    const path = new TextEncoder().encode(address.slice(5));
    const bytes = new Uint8Array(2 + path.length + 1);
    new Uint16Array(bytes.buffer, 0, 1)[0] = AF_UNIX;
    bytes.set(path, 2);
    return { domain: AF_UNIX, bytes };
  }
  const ip = parseAddress(address);
  const bytes = new Uint8Array(ip.length === 4 ? 16 : 28);
  const domain = ip.length === 4 ? AF_INET : AF_INET6;
  new Uint16Array(bytes.buffer, 0, 1)[0] = domain;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return { domain, bytes };
}

export type Listener = { readonly fd: number } | { readonly error: string };

/**
 * Listens on an address that this machine may not have yet (IP_FREEBIND), beside other sockets of this process on the
 * same one (SO_REUSEPORT). "::" takes IPv6 only, so that "0.0.0.0" can be listened on beside it.
 */
export function listenOn(address: string, port: number): Listener {
  return bindAndListen(address, port, [SO_REUSEADDR, SO_REUSEPORT]);
}

/** Why nobody can listen alone on this address now, as a sentence; null if somebody can. */
export function isPortTaken(address: string, port: number): string | null {
  const listener = bindAndListen(address, port, [SO_REUSEADDR]);
  if ("error" in listener) return listener.error;
  libc().close(listener.fd);
  return null;
}

function bindAndListen(address: string, port: number, reuse: readonly number[]): Listener {
  const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const { domain, bytes } = socketAddress(address, port);
  const fd = libc().socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return { error: `Cannot listen on ${where}: socket answered ${errnoName(errno())}` };
  const set = (level: number, name: number) => libc().setsockopt(fd, level, name, new Int32Array([1]), 4);
  for (const option of reuse) set(SOL_SOCKET, option);
  if (domain === AF_INET) set(IPPROTO_IP, IP_FREEBIND);
  else {
    set(IPPROTO_IPV6, IPV6_V6ONLY);
    set(IPPROTO_IPV6, IPV6_FREEBIND);
  }
  setNoDelay(fd);
  const failed = libc().bind(fd, bytes, bytes.length) < 0 ? "bind" : libc().listen(fd, BACKLOG) < 0 ? "listen" : null;
  if (failed === null) return { fd };
  const cause = errno();
  libc().close(fd);
  return { error: `Cannot listen on ${where}: ${explain(failed, cause, port)}` };
}

function explain(call: string, cause: number, port: number): string {
  switch (cause) {
    case Errno.EADDRINUSE:
      return "EADDRINUSE, another program holds the port";
    case Errno.EACCES:
      return `EACCES, port ${port} needs CAP_NET_BIND_SERVICE`;
    default:
      return `${call} answered ${errnoName(cause)}`;
  }
}

/**
 * Stops listening on `fd`, which its owner still has to close. Answers the connections that waited there to be accepted,
 * which closing would reset; `flags` of their sockets.
 */
export function stopListening(fd: number, flags: number): number[] {
  const waiting: number[] = [];
  setBlocking(fd, false);
  for (;;) {
    const accepted = libc().accept4(fd, null, null, SOCK_CLOEXEC | flags);
    if (accepted >= 0) waiting.push(accepted);
    else if (errno() !== Errno.ECONNABORTED && errno() !== Errno.EINTR) break;
  }
  libc().shutdown(fd, SHUT_RDWR);
  return waiting;
}

/** The port a listener got, for one that asked for port 0. */
export function boundPort(fd: number): number {
  nameLength[0] = name.length;
  check(libc().getsockname(fd, name, nameLength), "getsockname", "Cannot read the port of a listener");
  return (name[2] << 8) | name[3];
}

const name = new Uint8Array(128);
const nameLength = new Int32Array(1);

/** The peer's address as text, IPv4 also where it came through an IPv6 socket; "unknown" if it is gone. */
export function peerAddressOf(fd: number): string {
  nameLength[0] = name.length;
  const result = libc().getpeername(fd, name, nameLength);
  return result < 0 ? "unknown" : addressText();
}

/** The peer's port; 0 where it has none, or is gone. */
export function peerPortOf(fd: number): number {
  nameLength[0] = name.length;
  if (libc().getpeername(fd, name, nameLength) < 0 || (name[0] !== AF_INET && name[0] !== AF_INET6)) return 0;
  return (name[2] << 8) | name[3];
}

/** The address this connected socket has here, as text. */
export function localAddressOf(fd: number): string {
  nameLength[0] = name.length;
  return libc().getsockname(fd, name, nameLength) < 0 ? "unknown" : addressText();
}

/** An end of a TCP connection. */
interface TcpEnd {
  readonly address: Address;
  readonly port: number;
}

/** Both ends of a connected TCP socket; null where it is gone, or of another family. */
export function connectionPeers(fd: number): { readonly source: TcpEnd; readonly destination: TcpEnd } | null {
  nameLength[0] = name.length;
  const source = libc().getpeername(fd, name, nameLength) < 0 ? null : endpoint();
  nameLength[0] = name.length;
  const destination = libc().getsockname(fd, name, nameLength) < 0 ? null : endpoint();
  return source === null || destination === null ? null : { source, destination };
}

function endpoint(): TcpEnd | null {
  const text = addressText();
  return text === "unix:" ? null : { address: parseAddress(text), port: (name[2] << 8) | name[3] };
}

function addressText(): string {
  if (name[0] === AF_INET) return formatAddress(name.slice(4, 8));
  if (name[0] !== AF_INET6) return "unix:";
  const mapped = name.subarray(8, 18).every((byte) => byte === 0) && name[18] === 0xff && name[19] === 0xff;
  return formatAddress(mapped ? name.slice(20, 24) : name.slice(8, 24));
}

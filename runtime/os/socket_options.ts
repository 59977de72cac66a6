/** Options of TCP sockets that the data plane sets. */
import { check } from "./errno.ts";
import { libc } from "./libc.ts";

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_INFO = 11;
/** tcpi_unacked (segments), tcpi_bytes_acked and tcpi_notsent_bytes in struct tcp_info. */
const UNACKED = 24;
const BYTES_ACKED = 120;
const NOT_SENT = 144;

export function setBlocking(fd: number, blocking: boolean): void {
  const flags = check(libc().fcntl(fd, F_GETFL, 0), "fcntl", "Cannot read the flags of a socket");
  const wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted !== flags) check(libc().fcntl(fd, F_SETFL, wanted), "fcntl", "Cannot set the flags of a socket");
}

const lingerZero = new Int32Array([1, 0]);
const one = new Int32Array([1]);

/** The next close sends a reset and forgets what was not sent. Fails silently: the socket may be dead already. */
export function setReset(fd: number): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerZero, 8);
}

/** Bytes that the peer has acknowledged so far; NaN where the kernel does not tell. */
export function ackedBytes(fd: number): number {
  return readInfo(fd) < BYTES_ACKED + 8 ? NaN : Number(info.getBigUint64(BYTES_ACKED, true));
}

/** Whether the kernel holds bytes that the peer has not acknowledged; no where the kernel does not tell. */
export function hasUnacked(fd: number): boolean {
  if (readInfo(fd) < NOT_SENT + 4) return false;
  return info.getUint32(UNACKED, true) > 0 || info.getUint32(NOT_SENT, true) > 0;
}

/** Octets of `info` that are there now. */
function readInfo(fd: number): number {
  infoLength[0] = info.byteLength;
  return libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) < 0 ? 0 : infoLength[0];
}

const info = new DataView(new ArrayBuffer(256));
const infoLength = new Int32Array(1);

/** Small messages leave at once. Accepted sockets inherit it from their listener. */
export function setNoDelay(fd: number): void {
  libc().setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4);
}

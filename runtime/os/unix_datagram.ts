/** One datagram to a Unix socket, such as /dev/log. */
import { check } from "./errno.ts";
import { libc } from "./libc.ts";

const AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0o2000000, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
/** `sun_path` of struct sockaddr_un, its end included. */
const PATH_SIZE = 108;

/**
 * Sends without waiting: a receiver that is behind loses the message.
 *
 * @throws {OsError} when nobody listens at `path`, or its queue is full.
 */
export function sendUnixDatagram(path: string, message: Uint8Array): void {
  const name = new TextEncoder().encode(path);
  if (name.length >= PATH_SIZE) throw new RangeError(`Path "${path}" is longer than ${PATH_SIZE - 1} bytes`);
  const action = `Cannot send to "${path}"`;
  const fd = check(libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", action);
  try {
    const address = new Uint8Array(2 + name.length + 1);
    new DataView(address.buffer).setUint16(0, AF_UNIX, true);
    address.set(name, 2);
    const bytes = new Uint8Array(message);
    check(
      libc().sendto(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length),
      "sendto",
      action,
    );
  } finally {
    libc().close(fd);
  }
}

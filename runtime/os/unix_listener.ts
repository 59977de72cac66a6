/** A listening Unix socket that several threads accept on: there is no SO_REUSEPORT, so each has a descriptor of the one. */
import { check, errno, errnoName } from "./errno.ts";
import { libc } from "./libc.ts";
import { type Listener, socketAddress } from "./tcp_socket.ts";

const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const BACKLOG = 4096;

/** Listens at "unix:/path". What a dead run left there is removed. Who may connect is up to `mode` and to the directory. */
export function listenOnUnix(address: string, mode: number): Listener {
  const refused = (why: string) => ({ error: `Cannot listen on ${address}: ${why}` });
  const { domain, bytes } = socketAddress(address, 0);
  try {
    Deno.removeSync(address.slice("unix:".length));
  } catch {
    // There is nothing, or bind says what is wrong.
  }
  const fd = libc().socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(`socket answered ${errnoName(errno())}`);
  const failed = libc().bind(fd, bytes, bytes.length) < 0 ? "bind" : libc().listen(fd, BACKLOG) < 0 ? "listen" : null;
  if (failed === null) {
    Deno.chmodSync(address.slice("unix:".length), mode);
    return { fd };
  }
  const cause = errnoName(errno());
  libc().close(fd);
  return refused(`${failed} answered ${cause}`);
}

/** Another descriptor of the same socket. */
export function shareSocket(fd: number): number {
  return check(libc().fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl", "Cannot share a listening socket");
}

/** Whatever program this process becomes has the socket `fd` too. */
export function keepOverExecute(fd: number): void {
  check(libc().fcntl(fd, F_SETFD, 0), "fcntl", "Cannot hand a listening socket on");
}

/**
 * Network namespaces. A namespace belongs to a thread: sockets made after `enterNetwork` by this thread live in the new
 * one, descriptors made before stay where they were, and children are born in the thread's namespace.
 */
import { check } from "./errno.ts";
import { cString, libc } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
const O_RDONLY = 0;
const O_CLOEXEC = 0x80000;

/** A descriptor of a network namespace: it lives as long as this is open, even without a process in it. */
export class NetworkNamespace implements Disposable {
  #closed = false;

  constructor(readonly fd: number) {}

  /** Moves this thread there. @throws {OsError} EPERM without CAP_SYS_ADMIN. */
  enter(): void {
    check(libc().setns(this.fd, CLONE_NEWNET), "setns", "Cannot enter network namespace");
  }

  /** Calls `work` with this thread there, and comes back. `work` must be synchronous. @throws {OsError} */
  within<T>(work: () => T): T {
    using here = openNetworkNamespace();
    this.enter();
    try {
      return work();
    } finally {
      here.enter();
    }
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

/**
 * The namespace at `path`: "/proc/123/ns/net" of a process, "/run/netns/blue" of `ip netns`.
 *
 * @throws {OsError} ENOENT, or EACCES for another user's process.
 * @default the one this thread is in
 */
export function openNetworkNamespace(path = "/proc/thread-self/ns/net"): NetworkNamespace {
  return new NetworkNamespace(
    check(libc().open(cString(path), O_RDONLY | O_CLOEXEC, 0), "open", `Cannot open network namespace "${path}"`),
  );
}

/** A new empty namespace; this thread stays where it is. @throws {OsError} EPERM without CAP_SYS_ADMIN. */
export function createNetworkNamespace(): NetworkNamespace {
  using here = openNetworkNamespace();
  check(libc().unshare(CLONE_NEWNET), "unshare", "Cannot create network namespace");
  try {
    return openNetworkNamespace();
  } finally {
    here.enter();
  }
}

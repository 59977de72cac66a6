/**
 * A pipe from children to us, beside their stdout: only those that are started within `lend` have its end for writing, by
 * the same number. It outlives them, so that what a dead child wrote is read, and the next one goes on.
 */
import { check } from "./errno.ts";
import { libc } from "./libc.ts";

const O_CLOEXEC = 0x80000;
const O_NONBLOCK = 0x800;
const F_SETFD = 2;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const FD_CLOEXEC = 1;
/** As much as an unprivileged process may ask for. */
const SIZE = 1 << 20;

export interface LentPipe extends Disposable {
  /** The end for writing. It does not block: a write of up to 4096 bytes is taken whole, or refused with EAGAIN. */
  readonly fd: number;
  /** Runs `spawn`, whose child, and no other, inherits `fd`. */
  lend<T>(spawn: () => T): T;
  /** What was written; null when nobody is left who could write, us included (`dispose`). */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** @throws {OsError} when the system has no descriptor left. */
export function openLentPipe(): LentPipe {
  const ends = new Int32Array(2);
  check(libc().pipe2(ends, O_CLOEXEC), "pipe2", "Cannot make a pipe");
  const [reading, fd] = ends;
  check(libc().fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl", "Cannot keep a pipe from blocking");
  // A smaller pipe serves too, only worse: lines are dropped sooner.
  libc().fcntl(fd, F_SETPIPE_SZ, SIZE);
  const file = Deno.openSync(`/proc/self/fd/${reading}`);
  libc().close(reading);
  let open = true;
  return {
    fd,
    lend(spawn) {
      libc().fcntl(fd, F_SETFD, 0);
      try {
        return spawn();
      } finally {
        libc().fcntl(fd, F_SETFD, FD_CLOEXEC);
      }
    },
    async read(buffer) {
      const length = await file.read(buffer);
      if (length === null) file.close();
      return length;
    },
    [Symbol.dispose]() {
      if (open) libc().close(fd);
      open = false;
    },
  };
}

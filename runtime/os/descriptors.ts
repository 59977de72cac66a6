/** Which descriptors this thread has open: a map another thread can read when this one has died, to close them. */
import { libc } from "./libc.ts";
import type { IoOptions } from "./io.ts";

const RLIMIT_NOFILE = 7;

/** No descriptor number reaches this; user_data of io_uring has room for 24 bits. */
export const MAX_DESCRIPTORS = 1 << 20;

export class Descriptors {
  /** Highest descriptor number + 1. */
  readonly count: number;
  readonly #owned: Uint8Array;

  constructor(options: IoOptions) {
    this.count = options.descriptors ?? descriptorLimit();
    this.#owned = options.owned ?? new Uint8Array(this.count);
  }

  own(fd: number): void {
    this.#owned[fd] = 1;
  }

  disown(fd: number): void {
    this.#owned[fd] = 0;
  }
}

/** How many descriptors this process may have, at most MAX_DESCRIPTORS. */
export function descriptorLimit(): number {
  const limit = new BigUint64Array(2);
  if (libc().getrlimit(RLIMIT_NOFILE, limit) < 0) return 1024;
  return limit[0] > BigInt(MAX_DESCRIPTORS) ? MAX_DESCRIPTORS : Number(limit[0]);
}

/** Closes every descriptor marked in `owned` and clears the marks. Only for a thread that no longer runs. */
export function closeOwned(owned: Uint8Array): number {
  let closed = 0;
  for (let fd = owned.indexOf(1); fd >= 0; fd = owned.indexOf(1, fd + 1)) {
    libc().close(fd);
    owned[fd] = 0;
    closed++;
  }
  return closed;
}

/** What keeps a process on time: real-time priority, its program in memory, a wait that ends when it must. */
import { check, Errno, errno, OsError } from "./errno.ts";
import { libc } from "./libc.ts";

const CLOCK_MONOTONIC = 1;
const SCHED_FIFO = 1;
/** A thread that V8 starts later gets ordinary priority. */
const SCHED_RESET_ON_FORK = 0x40000000;
const MLOCK_ONFAULT = 1;
const POLLIN = 1;
const POLLOUT = 4;

const time = new Uint32Array(4);

/** Monotonic time in ms, with the resolution of the kernel. */
export function monotonic(): number {
  libc().clock_gettime(CLOCK_MONOTONIC, time);
  return (time[1] * 0x1_0000_0000 + time[0]) * 1000 + time[2] / 1e6;
}

/**
 * Gives this thread real-time priority 1–99 before everything ordinary.
 *
 * @throws {OsError} EPERM without CAP_SYS_NICE.
 */
export function setRealtime(priority: number): void {
  const parameters = Int32Array.of(priority);
  const result = libc().sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, parameters);
  check(result, "sched_setscheduler", "Cannot get real-time priority");
}

const SETPRIORITY = { x86_64: 141n, aarch64: 140n };

/** Lets every ordinary process go before `pid` and what it starts from now on. A child that is gone needs nothing. */
export function stepBack(pid: number): void {
  libc().syscall6(SETPRIORITY[Deno.build.arch], 0n, BigInt(pid), 10n, 0n, 0n, 0n);
}

/**
 * Keeps the pages of the program and its libraries in memory once they were used, so that no page fault waits for a disk.
 * The heap is left alone: V8 aborts under `mlockall` (it maps and unmaps more than the kernel lets it lock).
 *
 * @throws {OsError} EPERM or ENOMEM where the limit of locked memory is too low.
 */
export function lockProgram(): void {
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ +(\/\S+)/.exec(line) ?? [];
    if (path === undefined || path.startsWith("/dev/") || path.startsWith("/memfd:")) continue;
    const from = BigInt(`0x${start}`);
    const length = BigInt(`0x${end}`) - from;
    check(libc().mlock2(from, length, MLOCK_ONFAULT), "mlock2", "Cannot lock the program in memory");
  }
}

/** Waits for descriptors and for a time, whichever comes first. */
export class Poller {
  readonly #readers = new Map<number, () => void>();
  readonly #writers = new Map<number, () => void>();
  #entries = new Int32Array(0);
  #count = 0n;
  readonly #timeout = new Uint32Array(4);

  /** Calls `read` when `fd` is readable or broken, until it is removed. */
  add(fd: number, read: () => void): void {
    this.#readers.set(fd, read);
    this.#rebuild();
  }

  remove(fd: number): void {
    if (this.#readers.delete(fd)) this.#rebuild();
  }

  /** Calls `write` once, when `fd` takes bytes again. */
  once(fd: number, write: () => void): void {
    this.#writers.set(fd, write);
    this.#rebuild();
  }

  /**
   * Waits at most `ms` (Infinity = for ever) and calls the readers of what became readable.
   *
   * @throws {OsError} never in a sound program: a closed descriptor is reported as readable.
   */
  wait(ms: number): void {
    const ready = libc().ppoll(this.#entries, this.#count, this.#deadline(ms), null);
    if (ready < 0) {
      const number = errno();
      if (number === Errno.EINTR) return;
      throw new OsError("ppoll", number, "Cannot wait for sockets");
    }
    if (ready === 0) return;
    const entries = this.#entries;
    // Who is called may add and remove others; `entries` stays as it was polled.
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i + 1] >>> 16 !== 0) this.#call(entries[i], (entries[i + 1] & POLLOUT) !== 0);
    }
  }

  #call(fd: number, writing: boolean): void {
    if (!writing) return this.#readers.get(fd)?.();
    const write = this.#writers.get(fd);
    this.#writers.delete(fd);
    this.#rebuild();
    write?.();
  }

  /** `struct pollfd` { int fd; short events, revents }, two words each. */
  #rebuild(): void {
    const entries = [...this.#readers.keys()].flatMap((fd) => [fd, POLLIN]);
    for (const fd of this.#writers.keys()) entries.push(fd, POLLOUT);
    this.#entries = Int32Array.from(entries);
    this.#count = BigInt(entries.length / 2);
  }

  #deadline(ms: number): Uint32Array<ArrayBuffer> | null {
    if (ms === Infinity) return null;
    const bounded = Math.min(Math.max(ms, 0), 3_600_000);
    const seconds = Math.floor(bounded / 1000);
    this.#timeout[0] = seconds;
    this.#timeout[2] = Math.ceil((bounded - seconds * 1000) * 1e6) % 1_000_000_000;
    return this.#timeout;
  }
}

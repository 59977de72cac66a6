/**
 * The two queues of an io_uring: `next()` gives the words of a submission to fill, `enter()` submits them and waits, and
 * completions lie in `words` until `advance()`. Pure indices over shared memory; what a request means is the caller's.
 */
import { Errno, errno, OsError } from "./errno.ts";
import { type Libc, libc } from "./libc.ts";
import { mapLow, type Mapping, mapQueue } from "./memory.ts";
import {
  CQE_WORDS,
  ENTER_EXT_ARG,
  ENTER_GETEVENTS,
  OFF_SQ_RING,
  OFF_SQES,
  SETUP_NO_SQARRAY,
  SQE_WORDS,
} from "./uring_abi.ts";
import type { RingParameters } from "./uring_setup.ts";

const IO_URING_ENTER = 426;
const GETEVENTS_ARG_SIZE = 24n;

export class UringQueue implements Disposable {
  /** Submissions, SQE_WORDS each. */
  readonly sqes: Int32Array;
  /** The rings; completions are CQE_WORDS each, found by `completion`. */
  readonly words: Int32Array;
  readonly fd: number;

  readonly #libc: Libc = libc();
  readonly #mappings: Mapping[] = [];
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqEntries: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  readonly #argument: Deno.PointerObject | null;
  readonly #argumentSize = Deno.UnsafePointer.create(GETEVENTS_ARG_SIZE);
  readonly #timespec: Int32Array;
  #tail: number;
  #head: number;

  constructor(ring: RingParameters) {
    this.fd = ring.fd;
    const rings = this.#keep(mapQueue(ring.fd, OFF_SQ_RING, ringLength(ring)));
    const sqes = this.#keep(mapQueue(ring.fd, OFF_SQES, ring.sqEntries * SQE_WORDS * 4));
    this.words = new Int32Array(rings.buffer);
    this.sqes = new Int32Array(sqes.buffer);
    this.#sqHead = ring.sq.head >> 2;
    this.#sqTail = ring.sq.tail >> 2;
    this.#sqEntries = ring.sqEntries;
    this.#cqHead = ring.cq.head >> 2;
    this.#cqTail = ring.cq.tail >> 2;
    this.#cqMask = ring.cqEntries - 1;
    this.#cqes = ring.cq.cqes >> 2;
    this.#tail = this.words[this.#sqTail];
    this.#head = this.words[this.#cqHead];
    if ((ring.flags & SETUP_NO_SQARRAY) === 0) {
      // The kernel looks submissions up through an array; ours are always in order.
      for (let i = 0; i < ring.sqEntries; i++) this.words[(ring.sq.array >> 2) + i] = i;
    }
    // struct io_uring_getevents_arg { u64 sigmask; u32 sigmask_sz; u32 min_wait_usec; u64 ts } and its __kernel_timespec
    const argument = this.#keep(mapLow(4096));
    this.#argument = Deno.UnsafePointer.create(BigInt(argument.address));
    const view = new Int32Array(argument.buffer);
    view[4] = argument.address + 64;
    this.#timespec = view.subarray(16, 20);
  }

  /** Index in `sqes` of a submission to fill, all SQE_WORDS of it. */
  next(): number {
    if (this.#unsubmitted() >= this.#sqEntries) this.#submit();
    const at = (this.#tail & (this.#sqEntries - 1)) * SQE_WORDS;
    this.#tail = (this.#tail + 1) | 0;
    return at;
  }

  /** Submits, and waits until something completed or `ms` have passed. */
  enter(ms: number): void {
    const timespec = this.#timespec;
    timespec[0] = (ms / 1000) | 0;
    timespec[2] = (ms % 1000) * 1_000_000;
    const submit = this.#publish();
    const flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
    const result = this.#libc.io_uring_wait(
      IO_URING_ENTER,
      this.fd,
      submit,
      1,
      flags,
      this.#argument,
      this.#argumentSize,
    );
    if (result < 0) this.#excuse(errno());
  }

  /** Submits what there is as far as that goes, before the ring is closed. */
  flush(): void {
    this.#libc.io_uring_wait(IO_URING_ENTER, this.fd, this.#publish(), 0, ENTER_GETEVENTS, null, null);
  }

  /** Completions there are. */
  ready(): number {
    return (Atomics.load(this.words, this.#cqTail) - this.#head) | 0;
  }

  /** Index in `words` of the oldest completion. */
  completion(): number {
    return this.#cqes + (this.#head & this.#cqMask) * CQE_WORDS;
  }

  /** The oldest completion has been read; the kernel may use its place from the next `enter` on. */
  advance(): void {
    this.#head = (this.#head + 1) | 0;
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.fd);
    for (const mapping of this.#mappings.splice(0)) mapping[Symbol.dispose]();
  }

  #unsubmitted(): number {
    return (this.#tail - Atomics.load(this.words, this.#sqHead)) | 0;
  }

  #publish(): number {
    Atomics.store(this.words, this.#cqHead, this.#head);
    Atomics.store(this.words, this.#sqTail, this.#tail);
    return this.#unsubmitted();
  }

  /** Submits without waiting, because the queue is full. */
  #submit(): void {
    while (this.#unsubmitted() >= this.#sqEntries) {
      const result = this.#libc.io_uring_wait(IO_URING_ENTER, this.fd, this.#publish(), 0, ENTER_GETEVENTS, null, null);
      if (result < 0) this.#excuse(errno());
    }
  }

  /** ETIME and EINTR are ends of a wait; EBUSY and EAGAIN ask to take completions first; nothing is lost by any. */
  #excuse(cause: number): void {
    if (cause === Errno.ETIME || cause === Errno.EINTR || cause === Errno.EBUSY || cause === Errno.EAGAIN) return;
    throw new OsError("io_uring_enter", cause, "Cannot submit to io_uring");
  }

  #keep(mapping: Mapping): Mapping {
    this.#mappings.push(mapping);
    return mapping;
  }
}

function ringLength(ring: RingParameters): number {
  return Math.max(ring.cq.cqes + ring.cqEntries * CQE_WORDS * 4, ring.sq.array + ring.sqEntries * 4);
}

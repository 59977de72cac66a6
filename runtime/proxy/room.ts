/**
 * How many client connections there may be, in the process and at each frontend, counted by all threads together. A thread
 * that has no room for a connection says so; whoever closes one wakes it.
 */
import { FrontendCounter, type SharedState } from "./shared_state.ts";

/** Word of the whole process; those of frontends follow, by slot. A frontend that is apart counts for itself only. */
const PROCESS = 0;

export class Room {
  readonly #open: Int32Array;
  readonly #wanting: Int32Array;
  readonly #threads: number;
  /** Most connections of the process. */
  most = Infinity;

  /** @param wake makes another thread take a turn */
  constructor(readonly shared: SharedState, readonly wake: (thread: number) => void) {
    this.#open = shared.open;
    this.#wanting = shared.wanting;
    this.#threads = shared.buffers.threads;
  }

  /** Counts one more connection of the frontend in this slot, unless that would be too many. */
  admit(slot: number, most: number): boolean {
    if (this.#isApart(slot)) return this.#take(1 + slot, most);
    if (!this.#take(PROCESS, this.most)) return false;
    if (this.#take(1 + slot, most)) return true;
    // Another thread may have been refused for the sake of this one.
    Atomics.sub(this.#open, PROCESS, 1);
    this.#tell();
    return false;
  }

  /** Counts one more connection however many there are. */
  enter(slot: number): void {
    if (!this.#isApart(slot)) Atomics.add(this.#open, PROCESS, 1);
    Atomics.add(this.#open, 1 + slot, 1);
  }

  /** A connection of the frontend in this slot was closed. */
  release(slot: number): void {
    if (!this.#isApart(slot)) Atomics.sub(this.#open, PROCESS, 1);
    Atomics.sub(this.#open, 1 + slot, 1);
    this.#tell();
  }

  /** Whether `admit` would succeed now. */
  has(slot: number, most: number): boolean {
    const isFull = !this.#isApart(slot) && Atomics.load(this.#open, PROCESS) >= this.most;
    return !isFull && Atomics.load(this.#open, 1 + slot) < most;
  }

  /** Whether this thread wants to be woken when a connection is closed. After wanting, look once more whether there is room. */
  set wanted(wanted: boolean) {
    Atomics.store(this.#wanting, this.shared.thread, wanted ? 1 : 0);
  }

  get wanted(): boolean {
    return this.#wanting[this.shared.thread] !== 0;
  }

  #isApart(slot: number): boolean {
    return this.shared.frontends[slot * FrontendCounter.stride + FrontendCounter.apart] !== 0;
  }

  #take(word: number, most: number): boolean {
    for (;;) {
      const count = Atomics.load(this.#open, word);
      if (count >= most) return false;
      if (Atomics.compareExchange(this.#open, word, count, count + 1) === count) return true;
    }
  }

  #tell(): void {
    for (let thread = 0; thread < this.#threads; thread++) {
      if (thread !== this.shared.thread && Atomics.load(this.#wanting, thread) !== 0) this.wake(thread);
    }
  }
}

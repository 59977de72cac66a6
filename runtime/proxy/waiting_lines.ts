/**
 * Who waits for a place at a server, as all engine threads share it: for each backend one line, for each server another one
 * of those that want no other. A thread keeps its own waiters and tells the others how many they are and since when the
 * oldest waits, by a ticket of the backend; so a place that is freed goes to the oldest of all threads.
 */
import { LINE_WORDS, LINES, type SharedState } from "./shared_state.ts";

/** The words of a line, in one thread. */
const OLDEST = 0;
const COUNT = 1;

/** Whether ticket `a` was drawn before `b`; they wrap. */
export function isOlder(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export class WaitingLines {
  readonly #words: Int32Array;
  readonly #tickets: Int32Array;
  readonly #threads: number;
  readonly thread: number;

  constructor(shared: SharedState) {
    this.#words = shared.lines;
    this.#tickets = shared.tickets;
    this.#threads = shared.buffers.threads;
    this.thread = shared.thread;
  }

  /** A ticket of the backend in this slot; never 0. */
  draw(backend: number): number {
    const ticket = (Atomics.add(this.#tickets, backend, 1) + 1) | 0;
    return ticket === 0 ? this.draw(backend) : ticket;
  }

  /** Tells the others of our part of a line: the oldest ticket in it, 0 = nobody waits. */
  publish(line: number, oldest: number, count: number): void {
    const at = (this.thread * LINES + line) * LINE_WORDS;
    Atomics.store(this.#words, at + OLDEST, oldest);
    Atomics.store(this.#words, at + COUNT, count);
  }

  /** The thread whose waiter in this line is the oldest, −1 where nobody waits. */
  oldestThread(line: number): number {
    let found = -1;
    let oldest = 0;
    for (let thread = 0; thread < this.#threads; thread++) {
      const ticket = this.ticketOf(thread, line);
      if (ticket === 0 || (found >= 0 && !isOlder(ticket, oldest))) continue;
      found = thread;
      oldest = ticket;
    }
    return found;
  }

  /** The ticket of a thread's oldest waiter in this line; 0 = none. */
  ticketOf(thread: number, line: number): number {
    return Atomics.load(this.#words, (thread * LINES + line) * LINE_WORDS + OLDEST);
  }

  /** How many wait in this line, in all threads. */
  count(line: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.#threads; thread++) {
      sum += Atomics.load(this.#words, (thread * LINES + line) * LINE_WORDS + COUNT);
    }
    return sum;
  }
}

/**
 * A beat a second, answered by the event loop of the plugin's process: code that never yields misses it. Pure; the process
 * asks `beat()` once a second what to do.
 */
import type { Usage } from "./usage.ts";

export const HEARTBEAT = 1000;
/** Beats without an answer. A process that gets no processor is given longer: it runs only when nobody else wants to. */
const MISSES = 3, MISSES_IF_STARVED = 20;
/** Part of one processor below which a process that could run is starved, and not busy. */
const STARVED = 0.1;

export type Beat =
  | { readonly next: "ping"; readonly n: number }
  /** The last beat is not answered yet. */
  | { readonly next: "wait" }
  | { readonly next: "kill"; readonly cause: "hung" | "memory"; readonly reason: string };

export class Heartbeat {
  #sent = 0;
  #answered = 0;
  #misses = 0;
  /** Processor time at the last answered beat, ms. */
  #cpu = 0;
  /** @param memory bytes the process may hold */
  constructor(private readonly memory: number) {}

  beat(usage: Usage): Beat {
    if (usage.memory > this.memory) {
      const reason = `it holds ${mebibytes(usage.memory)} MiB, the limit is ${mebibytes(this.memory)} MiB`;
      return { next: "kill", cause: "memory", reason };
    }
    if (this.#sent === this.#answered) {
      this.#misses = 0;
      this.#cpu = usage.cpu;
      return { next: "ping", n: ++this.#sent };
    }
    this.#misses++;
    const used = usage.cpu - this.#cpu;
    const starved = usage.runnable && used < STARVED * HEARTBEAT * this.#misses;
    if (this.#misses < (starved ? MISSES_IF_STARVED : MISSES)) return { next: "wait" };
    const seconds = this.#misses * HEARTBEAT / 1000;
    return { next: "kill", cause: "hung", reason: `no heartbeat for ${seconds} s, ${used} ms of processor time used` };
  }

  /** Whether `n` answers the beat that waits for an answer. */
  answer(n: number): boolean {
    if (n !== this.#sent) return false;
    this.#answered = n;
    return true;
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** Answers that are awaited of several engine threads: complete, or not in time, and told once. */

/** How long threads may take to act on a command, ms. */
const OBEDIENCE = 2000;

interface Awaited {
  readonly threads: Set<number>;
  readonly done: (all: boolean) => void;
}

export class ThreadAnswers {
  readonly #awaited = new Map<number, Awaited>();
  #nextId = 1;

  /** Calls `ask` for each of `threads`; `done` is called with whether all of them answered in time. */
  await(threads: readonly number[], ask: (thread: number, id: number) => void, done: (all: boolean) => void): void {
    const id = this.#nextId++;
    const once = (all: boolean) => {
      if (this.#awaited.delete(id)) done(all);
    };
    this.#awaited.set(id, { threads: new Set(threads), done: once });
    for (const thread of threads) ask(thread, id);
    if (threads.length === 0) once(true);
    else setTimeout(() => once(false), OBEDIENCE);
  }

  answered(id: number, thread: number): void {
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return;
    awaited.threads.delete(thread);
    if (awaited.threads.size === 0) awaited.done(true);
  }

  /** Nobody waits for a thread that died. */
  died(thread: number): void {
    for (const id of [...this.#awaited.keys()]) this.answered(id, thread);
  }
}

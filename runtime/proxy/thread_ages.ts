/** How long ago each thread began a turn, from its count of turns: threads have no clock in common. */

interface Seen {
  turns: number;
  at: number;
}

export class ThreadAges {
  readonly #seen = new Map<number, Seen>();

  begin(thread: number, turns: number, now: number): void {
    this.#seen.set(thread, { turns, at: now });
  }

  end(thread: number): void {
    this.#seen.delete(thread);
  }

  /** Ms since the count last changed, as far as we saw; Infinity is told as the age since the process began. */
  observe(thread: number, turns: number, now: number): number {
    const seen = this.#seen.get(thread);
    if (seen === undefined) return Math.round(now);
    if (seen.turns !== turns) {
      seen.turns = turns;
      seen.at = now;
    }
    return Math.round(now - seen.at);
  }
}

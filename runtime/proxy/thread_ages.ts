/** How long ago each thread began a turn, from its count of turns: threads have no clock in common. */

/**
 * What one look adds at most, ms; somebody looks every 250 ms. Who was away for longer had no processor, as then the threads
 * may have had none either: that says nothing about them.
 */
const LONGEST_LOOK = 500;

interface Seen {
  turns: number;
  looked: number;
  age: number;
}

export class ThreadAges {
  readonly #seen = new Map<number, Seen>();

  begin(thread: number, turns: number, now: number): void {
    this.#seen.set(thread, { turns, looked: now, age: 0 });
  }

  end(thread: number): void {
    this.#seen.delete(thread);
  }

  /** Ms since the count last changed, as far as we saw; Infinity is told as the age since the process began. */
  observe(thread: number, turns: number, now: number): number {
    const seen = this.#seen.get(thread);
    if (seen === undefined) return Math.round(now);
    seen.age = seen.turns === turns ? seen.age + Math.min(now - seen.looked, LONGEST_LOOK) : 0;
    seen.turns = turns;
    seen.looked = now;
    return Math.round(seen.age);
  }
}

/**
 * Coarse time-outs for many connections: a wheel of lists, one a tick. Moving a deadline further away, which every
 * request does, only writes a number: the entry is looked at when its old tick comes, and put where it belongs then.
 */

/** Something with a deadline. Entries link themselves, so that arming one allocates nothing. */
export abstract class Timed {
  /** Monotonic ms; Infinity = none. */
  deadline = Infinity;
  /** Tick at which the wheel will look at this entry, −1 = not in the wheel. */
  tick = -1;
  next: Timed | null = null;
  previous: Timed | null = null;
  /** The deadline has passed. It is Infinity again when this is called. */
  abstract expired(): void;
}

/** Granularity in ms: a time-out is never early, and late by less than this and one turn of the engine. */
export const TICK = 32;
/** Ticks in one round; entries further away are looked at once a round. */
const SLOTS = 1024;

export class TimerWheel {
  readonly #slots: (Timed | null)[] = new Array(SLOTS).fill(null);
  /** Tick worked off last. */
  #now: number;

  constructor(now: number) {
    this.#now = Math.floor(now / TICK);
  }

  /** Sets the deadline (monotonic ms). */
  arm(entry: Timed, deadline: number): void {
    entry.deadline = deadline;
    if (entry.tick >= 0) {
      if (entry.tick * TICK <= deadline + TICK) return;
      this.#unlink(entry);
    }
    this.#link(entry);
  }

  /** Forgets the deadline; the entry leaves the wheel when its tick comes. */
  disarm(entry: Timed): void {
    entry.deadline = Infinity;
  }

  /** Calls what has expired at `now`. */
  advance(now: number): void {
    const tick = Math.floor(now / TICK);
    if (tick <= this.#now) return;
    // After a long pause every slot is looked at once.
    const first = Math.max(this.#now + 1, tick - SLOTS + 1);
    this.#now = tick;
    for (let at = first; at <= tick; at++) this.#turn(at & (SLOTS - 1), now);
  }

  /** Ms until the next tick with entries, at most `most`. */
  idle(now: number, most: number): number {
    const ticks = Math.ceil(most / TICK);
    for (let ahead = 1; ahead <= ticks; ahead++) {
      if (this.#slots[(this.#now + ahead) & (SLOTS - 1)] !== null) {
        return Math.min(most, Math.max(0, (this.#now + ahead) * TICK - now));
      }
    }
    return most;
  }

  #turn(slot: number, now: number): void {
    let entry = this.#slots[slot];
    this.#slots[slot] = null;
    while (entry !== null) {
      // Read before the call: an expiry may arm any entry, but those still to come here have a tick of the past, which
      // `arm` leaves alone.
      const next: Timed | null = entry.next;
      entry.next = entry.previous = null;
      entry.tick = -1;
      if (entry.deadline <= now) {
        entry.deadline = Infinity;
        entry.expired();
      } else if (entry.deadline !== Infinity) this.#link(entry);
      entry = next;
    }
  }

  #link(entry: Timed): void {
    // The tick that begins behind the deadline, within the round.
    const tick = Math.min(Math.ceil(entry.deadline / TICK), this.#now + SLOTS - 1);
    entry.tick = Math.max(tick, this.#now + 1);
    const slot = entry.tick & (SLOTS - 1);
    const first = this.#slots[slot];
    entry.previous = null;
    entry.next = first;
    if (first !== null) first.previous = entry;
    this.#slots[slot] = entry;
  }

  #unlink(entry: Timed): void {
    if (entry.previous === null) this.#slots[entry.tick & (SLOTS - 1)] = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
    entry.next = entry.previous = null;
    entry.tick = -1;
  }
}

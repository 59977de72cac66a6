/**
 * The events of one notifier: in order, each at least once, three tries, and never more than a thousand waiting. Whoever has
 * an event to tell goes on at once.
 */
import type { Event, Severity } from "../../plugins/contract.ts";
import type { Clock } from "../os/clock.ts";
import type { RemoteNotifier } from "./remote.ts";

/** What the notifier wants to hear. */
export interface Interest {
  /** "vrrp.*", "server.state"; "*" for all. */
  readonly events: readonly string[];
  readonly minSeverity: Severity;
  /** An event is told when it still holds after this, ms: what changes back in the meantime is not told. 0 = at once. */
  readonly flap: number;
}

export interface DeliveryOptions {
  readonly interest: Interest;
  readonly notifier: RemoteNotifier;
  /** ms for one try. */
  readonly deadline: number;
  readonly clock: Clock;
  /** An event that is given up, and why: it becomes a metric and a log line. */
  readonly dropped: (event: Event, reason: string) => void;
}

export interface DeliveryStatus {
  readonly waiting: number;
  readonly delivered: number;
  readonly retried: number;
  readonly dropped: number;
  /** Why the newest try failed; null when it did not. */
  readonly last_error: string | null;
}

const MOST_WAITING = 1000;
const TRIES = 3;
const FIRST_WAIT = 1000;
const ORDER: readonly Severity[] = ["info", "notice", "warning", "error"];

/** Whether a notifier wants to hear of `event`. What it heard of, it also hears the end of. */
export function isWanted(event: Pick<Event, "type" | "severity" | "resolves">, interest: Interest): boolean {
  const named = interest.events.some((pattern) =>
    pattern === "*" || pattern === event.type || (pattern.endsWith(".*") && event.type.startsWith(pattern.slice(0, -1)))
  );
  const severe = ORDER.indexOf(event.severity) >= ORDER.indexOf(interest.minSeverity);
  return named && (severe || event.resolves !== null);
}

export class Deliveries implements Disposable {
  readonly #queue: Event[] = [];
  /** Waiting out their flap time, by what they are about. */
  readonly #settling = new Map<string, { readonly event: Event; readonly timer: Disposable }>();
  #counters = { delivered: 0, retried: 0, dropped: 0 };
  #error: string | null = null;
  #busy = false;
  #wait: Disposable | null = null;
  #over = false;

  #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Goes on by other options: what waits is kept, in its order; what is under way ends as it began. */
  change(options: DeliveryOptions): void {
    const settled = options.interest.flap !== this.#options.interest.flap;
    this.#options = options;
    // Told too early rather than after something newer, which would wait for less.
    if (settled) { for (const about of [...this.#settling.keys()]) this.#settle(about); }
  }

  /** Takes the event, or does not; never waits. */
  offer(event: Event): void {
    if (this.#over || !isWanted(event, this.#options.interest)) return;
    const { flap } = this.#options.interest;
    if (flap <= 0) return this.#enqueue(event);
    const before = this.#settling.get(event.about);
    before?.timer[Symbol.dispose]();
    this.#settling.delete(event.about);
    // What began and ended while it was settling has not been told, and need not be.
    if (before && event.resolves === before.event.id) return;
    const timer = this.#options.clock.after(flap, () => this.#settle(event.about));
    this.#settling.set(event.about, { event, timer });
  }

  status(): DeliveryStatus {
    return { waiting: this.#queue.length + this.#settling.size, ...this.#counters, last_error: this.#error };
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#wait?.[Symbol.dispose]();
    for (const { timer } of this.#settling.values()) timer[Symbol.dispose]();
  }

  #settle(about: string): void {
    const { event, timer } = this.#settling.get(about)!;
    timer[Symbol.dispose]();
    this.#settling.delete(about);
    this.#enqueue(event);
  }

  #enqueue(event: Event): void {
    // The oldest goes: what is news now matters more. The one under way is not taken from under its notifier.
    if (this.#queue.length >= MOST_WAITING) {
      const [oldest] = this.#queue.splice(this.#busy ? 1 : 0, 1);
      this.#drop(oldest, `more than ${MOST_WAITING} events wait`);
    }
    this.#queue.push(event);
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#queue.length > 0 && !this.#over) {
      await this.#deliver(this.#queue[0]);
      this.#queue.shift();
    }
    this.#busy = false;
  }

  async #deliver(event: Event): Promise<void> {
    for (let attempt = 1; !this.#over; attempt++) {
      const { notifier, deadline } = this.#options;
      const delivery = await notifier.notify({ ...event, attempt }, deadline);
      this.#error = delivery.result === "delivered" ? null : delivery.reason;
      switch (delivery.result) {
        case "delivered":
          this.#counters.delivered++;
          return;
        case "dropped":
          return this.#drop(event, delivery.reason);
        case "again":
          if (attempt >= TRIES) return this.#drop(event, `${TRIES} tries failed, last: ${delivery.reason}`);
          this.#counters.retried++;
          await this.#pause(delivery.afterMs ?? FIRST_WAIT * 4 ** (attempt - 1));
      }
    }
  }

  #drop(event: Event, reason: string): void {
    this.#counters.dropped++;
    this.#options.dropped(event, reason);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#wait = this.#options.clock.after(ms, resolve));
  }
}

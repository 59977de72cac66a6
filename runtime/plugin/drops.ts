/**
 * What a notifier was not told, told to the others: the first loss at once, those that follow within ten seconds as one. That
 * such an event is lost itself is never news, or two notifiers that are both behind would tell each other for ever.
 */
import type { Event } from "../../plugins/contract.ts";
import type { Clock } from "../os/clock.ts";

export interface Loss {
  readonly event: Event;
  readonly reason: string;
}

/** ms; a notifier that is down loses something every few seconds, one that is flooded thousands at once. */
const together = 10_000;

export class Drops implements Disposable {
  #last: Loss | null = null;
  #count = 0;
  #timer: Disposable | null = null;

  /** @param tell the newest loss, and how many there were with it; called later, never within `observe` */
  constructor(private readonly clock: Clock, private readonly tell: (last: Loss, count: number) => void) {}

  observe(loss: Loss): void {
    if (loss.event.type === "dropped") return;
    this.#last = loss;
    this.#count++;
    this.#timer ??= this.clock.after(0, () => this.#flush());
  }

  #flush(): void {
    this.#timer = null;
    const [last, count] = [this.#last, this.#count];
    if (last === null) return;
    this.#last = null;
    this.#count = 0;
    this.#timer = this.clock.after(together, () => this.#flush());
    this.tell(last, count);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

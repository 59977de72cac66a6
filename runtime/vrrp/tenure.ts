/** What a virtual router is, since when and why, and how long it was active in all. */

export class Tenure {
  /** Time as active router until the last transition, ms. */
  #activeMs = 0;
  /** Since when it is active, monotonic ms; null = it is not. */
  #activeSince: number | null = null;
  reason = "not started";

  /** @param since of the last transition, ms since the epoch */
  constructor(public since: number) {}

  /** It is another one now. */
  begin(reason: string, since: number): void {
    this.reason = reason;
    this.since = since;
  }

  acquired(now: number): void {
    this.#activeSince = now;
  }

  released(now: number): void {
    this.#activeMs += now - (this.#activeSince ?? now);
    this.#activeSince = null;
  }

  /** Time as active router, ms. */
  activeMs(now: number): number {
    return this.#activeMs + (this.#activeSince === null ? 0 : now - this.#activeSince);
  }
}

/** One line a minute for each cause, with the number of those that were left out. */

const every = 60_000;

interface Window {
  until: number;
  suppressed: number;
}

export class Limiter {
  readonly #windows = new Map<string, Window>();

  /** How many of this cause were left out since the last that was let through; null = leave this one out. */
  pass(cause: string, now: number): number | null {
    const window = this.#windows.get(cause);
    if (window !== undefined && now < window.until) {
      window.suppressed++;
      return null;
    }
    this.#windows.set(cause, { until: now + every, suppressed: 0 });
    return window?.suppressed ?? 0;
  }
}

/**
 * How many requests a backend may be sent a second time. Retries help against a fault here and there; when everything fails
 * they are the load that keeps it failing. Counted only when a retry is asked for: requests pay nothing.
 */

/** Over which requests are counted, ms. */
const WINDOW = 10_000;
/** Retries for each request. */
const SHARE = 0.2;
/** Retries in a window that are allowed however few requests there are. */
const LEAST = 10;

export class RetryBudget {
  #since = -Infinity;
  #requests = 0;
  #spent = 0;

  /** Takes one retry if there is one left. `requests`: how many the backend has had so far. */
  take(now: number, requests: number): boolean {
    if (now - this.#since >= WINDOW) {
      this.#since = now;
      this.#requests = requests;
      this.#spent = 0;
    }
    if (this.#spent >= LEAST + SHARE * (requests - this.#requests)) return false;
    this.#spent++;
    return true;
  }
}

/**
 * Time for tests: it stands still while anything can go on without it, and then leaps to whatever waits for it next. Nobody
 * has to be patient, and nothing is late because a machine is slow.
 */
import type { Clock } from "./contract.ts";

/** A clock that stands still until it is told otherwise; `sleep` moves it, once nothing else can go on. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

/** A clock, and what tests set up by it. */
export interface VirtualTime extends Disposable {
  readonly clock: TestClock;
  /** Calls `fire` when the clock is there; alone it moves nothing. Answers how to call it off. */
  after(ms: number, fire: () => void): () => void;
  /** Only time can end `promise`. Rejects with the reason of `signal` where that is aborted before. */
  blocked<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Time stands still until `promise` has ended. */
  busy<T>(promise: Promise<T>): Promise<T>;
}

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/**
 * Real ms in which nothing of the test happens before time leaps: what a digest or a file may take, which no test can see.
 * A tenth of the leap, so that what is raced against a time-out has some time indeed, and nobody needs patience.
 */
const LEAST_QUIET = 10, MOST_QUIET = 50;

/** @param start ms since the epoch */
export function virtualTime(start = Date.UTC(2026, 0, 1)): VirtualTime {
  let elapsed = 0;
  let waiting = 0, working = 0;
  let leap: ReturnType<typeof setTimeout> | undefined;
  const timers = new Set<Timer>();
  const next = () => [...timers].reduce<Timer | null>((first, one) => first && first.at <= one.at ? first : one, null);
  const fire = (timer: Timer) => {
    timers.delete(timer);
    elapsed = Math.max(elapsed, timer.at);
    timer.fire();
  };
  /** Whatever happens begins the silence anew. */
  const stir = () => {
    clearTimeout(leap);
    leap = undefined;
    const timer = next();
    if (waiting === 0 || working > 0 || timer === null) return;
    const quiet = Math.min(MOST_QUIET, Math.max(LEAST_QUIET, (timer.at - elapsed) / 10));
    leap = setTimeout(() => {
      fire(timer);
      stir();
    }, quiet);
  };
  const time: VirtualTime = {
    clock: {
      now: () => start + elapsed,
      monotonic: () => elapsed,
      sleep: (ms) => time.blocked(new Promise((resolve) => void time.after(ms, resolve))),
      advance(ms) {
        const until = elapsed + ms;
        for (let timer = next(); timer !== null && timer.at <= until; timer = next()) fire(timer);
        elapsed = until;
        stir();
      },
    },
    after(ms, fire) {
      const timer = { at: elapsed + Math.max(0, ms), fire };
      timers.add(timer);
      stir();
      return () => (timers.delete(timer), stir());
    },
    blocked(promise, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      waiting++;
      stir();
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal!.reason);
      signal?.addEventListener("abort", abort, { once: true });
      return Promise.race([promise, aborted.promise]).finally(() => {
        signal?.removeEventListener("abort", abort);
        waiting--;
        stir();
      });
    },
    busy(promise) {
      working++;
      stir();
      return promise.finally(() => (working--, stir()));
    },
    [Symbol.dispose]() {
      timers.clear();
      clearTimeout(leap);
    },
  };
  return time;
}

/** Time as a port, so that whoever waits can be tested with a clock that somebody turns by hand. */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for measuring and waiting. */
  monotonic(): number;
  /** Runs `callback` once after `ms`, unless disposed before. */
  after(ms: number, callback: () => void): Disposable;
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Resolves after `ms`, or rejects with the reason of `signal` as soon as that is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** `promise`, or `fallback` when it takes longer than `ms`. */
export async function within<T, F>(clock: Clock, ms: number, promise: Promise<T>, fallback: F): Promise<T | F> {
  let timer: Disposable | undefined;
  const late = new Promise<F>((resolve) => timer = clock.after(ms, () => resolve(fallback)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer?.[Symbol.dispose]();
  }
}

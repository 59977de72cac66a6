/** Waiting in the demo: for a while, for something to be so, until somebody wants to stop. */

/** Whether `probe` became true within `timeout` ms. Throws the reason of `signal`. */
export async function waitFor(
  probe: () => boolean | Promise<boolean>,
  signal: AbortSignal,
  timeout: number,
): Promise<boolean> {
  for (const deadline = now() + timeout; now() < deadline;) {
    if (await probe()) return true;
    await pause(50, signal);
  }
  return false;
}

/** Waits, or throws what the signal was aborted with. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Milliseconds since the epoch, the clock of the client's samples. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

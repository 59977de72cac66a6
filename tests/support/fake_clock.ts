/** A clock that stands still until a test turns it. */
import type { Clock } from "../../runtime/os/clock.ts";

export interface FakeClock extends Clock {
  /** Lets `ms` pass, running what falls due in order, and what follows from it in promises. */
  advance(ms: number): Promise<void>;
  /** Time passes that nobody got to see: what falls due in it runs, late, in the next `advance`. */
  stall(ms: number): void;
}

/** @param start ms since the epoch at which it stands */
export function fakeClock(start = 0): FakeClock {
  const timers = new Set<{ readonly due: number; readonly run: () => void }>();
  let elapsed = 0;
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, run) {
      const timer = { due: elapsed + ms, run };
      timers.add(timer);
      return { [Symbol.dispose]: () => void timers.delete(timer) };
    },
    async advance(ms) {
      const end = elapsed + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
        if (next === undefined) break;
        timers.delete(next);
        elapsed = Math.max(elapsed, next.due);
        next.run();
        await settle();
      }
      elapsed = Math.max(elapsed, end);
    },
    stall: (ms) => void (elapsed += ms),
  };
}

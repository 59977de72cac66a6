/** Time as far as this process was there to hear what others say: what it slept through proves nobody silent. */
import type { Clock } from "../os/clock.ts";

/**
 * A clock, in ms, that goes on by at most `longest` from one question to the next. Ask it at least that often.
 *
 * After a stall (a stopped machine, a disk that hangs) timers run before what waits in the pipes is read: whoever measured
 * silence by the real clock then would find everybody silent at once.
 */
export function listeningTime(clock: Pick<Clock, "monotonic">, longest: number): () => number {
  let last = clock.monotonic();
  let listened = 0;
  return () => {
    const now = clock.monotonic();
    listened += Math.min(now - last, longest);
    last = now;
    return listened;
  };
}

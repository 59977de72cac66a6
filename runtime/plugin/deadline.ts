/** A deadline as a signal. */
import type { Clock } from "../os/clock.ts";

export interface Limit {
  readonly signal: AbortSignal;
  /** The work is done: nobody waits any more. */
  readonly clear: () => void;
}

/** A signal that is aborted after `ms`, with a reason whose name is `Deadline`. */
export function within(clock: Clock, ms: number): Limit {
  const controller = new AbortController();
  const timer = clock.after(ms, () => {
    const reason = new Error(`no answer within ${ms} ms`);
    reason.name = "Deadline";
    controller.abort(reason);
  });
  return { signal: controller.signal, clear: () => timer[Symbol.dispose]() };
}

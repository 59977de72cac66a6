/** How long nobody was served, as far as the balancer is to blame. */
import { type Sample, succeeded, type Window } from "../../runtime/demo/measure.ts";

/**
 * The longest time in ms from the start of a request on a new connection, the first after a success, to the next
 * success. Where the client itself had no processor it asked nothing, so that a busy machine is not an outage.
 */
export function outage(samples: readonly Sample[], window: Window): number {
  const fresh = samples.filter(({ kind, started, ended }) =>
    kind === "new" && started >= window.from && ended <= window.to
  );
  const starts = fresh.map(({ started }) => started).sort((one, other) => one - other);
  const ends = fresh.filter(succeeded).map(({ ended }) => ended).sort((one, other) => one - other);
  let longest = 0;
  let last = window.from;
  for (const end of [...ends, window.to]) {
    const asked = starts.find((start) => start > last) ?? end;
    longest = Math.max(longest, end - Math.max(asked, last));
    last = end;
  }
  return longest;
}

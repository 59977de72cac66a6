/** What a client's requests tell about a balancer: how long nobody was served, what failed, who answered. Pure. */

/** One request through the virtual IP. Times are milliseconds since the epoch, with fractions. */
export interface Sample {
  /** `new`: a connection of its own; `kept`: one of several on a kept-alive connection. */
  readonly kind: "new" | "kept";
  readonly started: number;
  readonly ended: number;
  readonly outcome: Outcome;
}

/** `served` is any complete response; `status` 0 never occurs. A failure says in which phase and why. */
export type Outcome =
  | { readonly type: "served"; readonly status: number; readonly server: string }
  | { readonly type: "failed"; readonly phase: "connect" | "send" | "receive"; readonly reason: string };

/** A stretch of time, milliseconds since the epoch. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Whether the client would call it a success: a complete response below 500. */
export function succeeded(sample: Sample): boolean {
  return sample.outcome.type === "served" && sample.outcome.status < 500;
}

/**
 * The longest time in the window without a success, in ms. The window's ends count as successes, so an outage that
 * lasts to the end is not hidden. Time in which the client itself got no processor (`stalls`) is not counted: it says
 * nothing about the balancer.
 */
export function longestGap(samples: readonly Sample[], window: Window, stalls: readonly Window[] = []): number {
  const ends = samples.filter((sample) => succeeded(sample) && sample.ended >= window.from && sample.ended <= window.to)
    .map((sample) => sample.ended).sort((a, b) => a - b);
  let longest = 0;
  let last = window.from;
  for (const end of [...ends, window.to]) {
    if (end - last > longest) longest = Math.max(longest, end - last - overlap({ from: last, to: end }, stalls));
    last = end;
  }
  return longest;
}

function overlap(window: Window, stalls: readonly Window[]): number {
  let shared = 0;
  for (const { from, to } of stalls) shared += Math.max(0, Math.min(to, window.to) - Math.max(from, window.from));
  return shared;
}

/**
 * Requests that did not succeed and ended in the window. One that began more than a second before the window was hurt by
 * what happened then: a connection that a crash cut is only reset when its retransmission reaches the heir.
 */
export function failures(samples: readonly Sample[], window: Window): Sample[] {
  return samples.filter((sample) =>
    sample.ended >= window.from && sample.ended <= window.to && sample.started >= window.from - 1_000 &&
    !succeeded(sample)
  );
}

/** How many requests of the window each server answered. */
export function shares(samples: readonly Sample[], window: Window): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome, ended } of samples) {
    if (outcome.type !== "served" || ended < window.from || ended > window.to) continue;
    counts.set(outcome.server, (counts.get(outcome.server) ?? 0) + 1);
  }
  return counts;
}

/** A failure for the operator: "kept connection: receive: reset by peer", "new connection: status 503". */
export function explain(sample: Sample): string {
  const { outcome } = sample;
  const what = outcome.type === "served" ? `status ${outcome.status}` : `${outcome.phase}: ${outcome.reason}`;
  return `${sample.kind} connection: ${what}`;
}

/** "3.62 s", "14 ms". */
export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

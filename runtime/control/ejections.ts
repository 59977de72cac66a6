/**
 * Servers that fail requests one after the other are left alone for a while, and for longer each time; never the last one of
 * a backend. Checks see less than requests do, but what they say counts: a server that they found down and then up again is
 * back at once.
 */
import type { Standing } from "../health/prober.ts";
import type { Evidence } from "../proxy/protocol.ts";
import type { ServerView } from "./servers.ts";

/** Times are ms since the epoch. */
export interface Ejection {
  readonly since: number;
  readonly until: number;
  readonly reason: string;
  /** The how manieth in a row. */
  readonly times: number;
}

/** The longest, as a multiple of the first. */
const most = 16;
/** So long after the end of the last one, as a multiple of its length, a new one is the first again. */
const forgiven = 10;

/** @param length of the first ejection, ms */
export function eject(before: Ejection | null, { errors, cause }: Evidence, length: number, now: number): Ejection {
  const lasts = before !== null && now < before.until + forgiven * (before.until - before.since);
  const times = lasts ? before.times + 1 : 1;
  const duration = length * Math.min(most, 2 ** (times - 1));
  const reason = `ejected for ${duration / 1000} s: ${errors} requests in a row failed, the last one: ${cause}`;
  return { since: now, until: now + duration, reason, times };
}

/** Whether a server is to be left alone still. */
export function isEjected(ejection: Ejection | null, standing: Standing | null, now: number): ejection is Ejection {
  if (ejection === null || now >= ejection.until) return false;
  return !(standing?.health.state === "up" && standing.since > ejection.since);
}

/** The views of one backend's servers, those that are ejected as down. The oldest ejections hold; the last server stays. */
export function applyEjections(
  views: readonly ServerView[],
  ejectionOf: (view: ServerView) => Ejection | null,
  now: number,
): ServerView[] {
  const ejected = views
    .flatMap((view) => {
      const ejection = view.state === "up" ? ejectionOf(view) : null;
      return ejection === null ? [] : [{ view, ejection }];
    })
    .sort((a, b) => a.ejection.since - b.ejection.since);
  let left = views.filter(({ state, weight }) => state === "up" && weight > 0).length;
  const out = new Map<ServerView, Ejection>();
  for (const { view, ejection } of ejected) {
    if (view.weight > 0 && left <= 1) break;
    if (view.weight > 0) left--;
    out.set(view, ejection);
  }
  return views.map((view) => {
    const ejection = out.get(view);
    if (ejection === undefined) return view;
    const { reason, since } = ejection;
    return { ...view, state: "down", reason, since: Math.min(since, now), risen: null, restless: true };
  });
}

/** What is worth telling when servers change. Pure. */
import type { Happening } from "../telemetry/events.ts";
import type { ServerView } from "./servers.ts";

/** What to tell when a server went from `before` to `after`; null when nothing. */
export function serverHappening(before: ServerView | null, after: ServerView): Happening | null {
  if (before === null || after.waiting) return null;
  // A first answer that is good is what everybody expected.
  const about = `${after.backend}/${after.server}`;
  if (after.kept && !before.kept) {
    const fields = { from: before.state, to: after.state, reason: after.reason };
    return { type: "server.state", severity: "warning", about, text: `${about} is ${after.reason}`, fields };
  }
  const released = before.kept && !after.kept;
  if (before.waiting ? after.state === "up" : after.state === before.state && !released) return null;
  return {
    type: "server.state",
    severity: after.state === "down" ? "warning" : after.state === "up" ? "notice" : "info",
    about,
    text: `${about} is ${after.state}: ${after.reason}`,
    fields: { from: before.state, to: after.state, reason: after.reason },
  };
}

/** What to tell when all servers of `backend` together went from `before` to `after`; null when nothing. */
export function backendHappening(
  backend: string,
  before: readonly ServerView[],
  after: readonly ServerView[],
): Happening | null {
  const first = before.length === 0 || before.some(({ waiting }) => waiting);
  if (after.length === 0 || after.some(({ waiting }) => waiting)) return null;
  const had = first || before.some(isUp);
  const has = after.some(isUp);
  if (had === has) return null;
  const counted = { up: after.filter(isUp).length, servers: after.length };
  return {
    type: "backend.state",
    severity: has ? "notice" : "error",
    about: backend,
    text: has ? `${backend} has a server again` : `${backend} has no server left of ${after.length}`,
    fields: { from: had ? "up" : "down", to: has ? "up" : "down", ...counted },
  };
}

function isUp({ state }: ServerView): boolean {
  return state === "up";
}

/** What each server is, from its check, its configuration and what the operator said. Pure. */
import type { BackendConfig, Config, ServerConfig } from "../config/model.ts";
import type { CheckedServer, Standing } from "../health/prober.ts";
import { slowStart } from "../proxy/balance/slow_start.ts";
import type { ServerState, ServerVerdict } from "../proxy/protocol.ts";
import type { ServerOverride } from "./overrides.ts";

/** One server as the proxy and `status` see it. */
export interface ServerView extends ServerVerdict {
  /** Its check has not decided yet what it is. */
  readonly waiting: boolean;
  /** When it came into that state, ms since the epoch. */
  readonly since: number;
  readonly reason: string;
  /** The newest answer of its check; null when it is not checked. */
  readonly check: { readonly ok: boolean; readonly reason: string; readonly at: number | null } | null;
  /** Weight for new requests: less than `weight` while it comes up slowly. */
  readonly effective: number;
  /** When it came up after it had been something else, ms since the epoch; null = it has been up from the start, or is not. */
  readonly risen: number | null;
  /** It will be judged otherwise though nothing happens. */
  readonly restless: boolean;
}

/** Every server of `config` that has a check. */
export function checkedServers(config: Config): CheckedServer[] {
  return config.backends.flatMap(({ name: backend, check, servers }) =>
    check === null ? [] : servers.map(({ name: server, address, port, labels }) => ({
      target: { backend, server, address, port, labels },
      check,
    }))
  );
}

/** Judges one server. `before` is the view until now: as long as the state is the same, so is its `since`. */
export function viewServer(
  backend: BackendConfig,
  server: ServerConfig,
  standing: Standing | null,
  override: ServerOverride | null,
  before: ServerView | null,
  now: number,
): ServerView {
  const healthy = healthOf(backend, standing);
  const forced = override?.state ?? null;
  const state: ServerState = forced !== null && (forced === "maint" || healthy.state !== "down")
    ? forced
    : healthy.state;
  const percent = standing?.last?.result.state === "up" ? standing.last.result.weightPercent ?? 100 : 100;
  const weight = override?.weight ?? Math.round(server.weight * percent / 100);
  const reason = state === forced ? override?.reason || `set by ${override?.by}` : healthy.reason;
  const since = before?.state === state
    ? before.since
    : state === forced
    ? override?.since ?? now
    : standing?.since ?? now;
  const { waiting, check } = healthy;
  const risen = state === "up" ? risenAt(before, now) : null;
  const share = risen === null ? 1 : slowStart(now - risen, backend.slowStart);
  return {
    backend: backend.name,
    server: server.name,
    state,
    weight,
    since,
    reason,
    waiting,
    check,
    effective: weight * share,
    risen,
    restless: share < 1,
  };
}

/** Servers that were up when this node began to look at them have no cold caches on our account. */
function risenAt(before: ServerView | null, now: number): number | null {
  if (before === null || before.waiting) return null;
  return before.state === "up" ? before.risen : now;
}

function healthOf(
  backend: BackendConfig,
  standing: Standing | null,
): Pick<ServerView, "state" | "reason" | "waiting" | "check"> {
  if (backend.check === null) return { state: "up", reason: "not checked", waiting: false, check: null };
  const last = standing?.last ?? null;
  const reason = last?.result.reason ?? "not checked yet";
  const health = standing?.health.state ?? "wait";
  // A server of which nothing is known yet gets no traffic.
  const waiting = health === "wait";
  const state = waiting ? "down" : health;
  const ok = last === null ? state === "up" : last.result.state !== "down" && last.result.state !== "unknown";
  return { state, reason, waiting, check: { ok, reason, at: last?.at ?? null } };
}

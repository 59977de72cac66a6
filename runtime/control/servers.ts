/** What each server is, from its check, its configuration and what the operator said. Pure. */
import type { BackendConfig, CheckConfig, Config, ServerConfig } from "../config/model.ts";
import type { Health } from "../health/counter.ts";
import type { CheckedServer, Standing } from "../health/prober.ts";
import { slowStart } from "../proxy/balance/slow_start.ts";
import type { ServerState, ServerVerdict } from "../proxy/protocol.ts";
import { introduced } from "./introduced_checks.ts";
import type { ServerWords } from "./overrides.ts";

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
  /** Its plugin would have it out, but it is one of the last. */
  readonly kept?: true;
  /** It will be judged otherwise though nothing happens. */
  readonly restless: boolean;
}

/** The address of a host, which may be one itself; null = it is not known. */
export type AddressOf = (host: string) => string | null;

/** Every server of `config` that has a check, and an address. */
export function checkedServers(config: Config, addressOf: AddressOf): CheckedServer[] {
  return config.backends.flatMap((backend) =>
    backend.servers.flatMap((server) => {
      const { name, port, labels } = server;
      const check = checkOf(backend, server);
      const address = addressOf(server.address);
      return check === null || address === null ? [] : [{
        target: { backend: backend.name, server: name, address, port, labels },
        check: introduced(asked(check), backend.sendProxy),
      }];
    })
  );
}

/** Whether an answer changes no more than words: one more good one of a server that was up. */
export function saysTheSame({ health, weightPercent }: Standing, before: Health): boolean {
  return health.state === "up" && before.state === "up" && health.streak === before.streak &&
    weightPercent === undefined;
}

/** No verdict changes nothing, the weight neither. */
function percentOf(standing: Standing | null): number {
  const result = standing?.last?.result;
  if (result?.state === "up") return result.weightPercent ?? 100;
  return result?.state === "unknown" ? standing?.weightPercent ?? 100 : 100;
}

/** What answers: a plugin by the use, because each has a configuration of its own. */
function asked(check: CheckConfig): CheckConfig {
  return check.plugin === null ? check : { ...check, use: check.plugin };
}

/** How a server is checked; null = it is not. */
function checkOf(backend: BackendConfig, { check }: ServerConfig): CheckConfig | null {
  return check === "shared" ? backend.check : check;
}

/** Judges one server. `before` is the view until now: as long as the state is the same, so is its `since`; `unresolved`: why its address is not known. */
export function viewServer(
  backend: BackendConfig,
  server: ServerConfig,
  standing: Standing | null,
  words: ServerWords | null,
  before: ServerView | null,
  now: number,
  unresolved: string | null = null,
): ServerView {
  const healthy = unresolved === null
    ? healthOf(checkOf(backend, server), standing)
    : { state: "unresolved" as const, reason: unresolved, waiting: false, check: null };
  const forced = words?.state?.state ?? null;
  const reachable = healthy.state !== "down" && healthy.state !== "unresolved";
  const state: ServerState = forced !== null && (forced === "maint" || reachable) ? forced : healthy.state;
  const percent = percentOf(standing);
  const weight = words?.weight?.weight ?? Math.round(server.weight * percent / 100);
  const reason = state === forced ? words?.state?.reason || `set by ${words?.state?.by}` : healthy.reason;
  const since = before?.state === state
    ? before.since
    : state === forced
    ? words?.state?.since ?? now
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
  check: CheckConfig | null,
  standing: Standing | null,
): Pick<ServerView, "state" | "reason" | "waiting" | "check"> {
  if (check === null) return { state: "up", reason: "not checked", waiting: false, check: null };
  const last = standing?.last ?? null;
  const reason = last?.result.reason ?? "not checked yet";
  const health = standing?.health.state ?? "wait";
  // A server of which nothing is known yet gets no traffic.
  const waiting = health === "wait";
  const state = waiting ? "down" : health;
  const ok = last === null ? state === "up" : last.result.state !== "down" && last.result.state !== "unknown";
  return { state, reason, waiting, check: { ok, reason, at: last?.at ?? null } };
}

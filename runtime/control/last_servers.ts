/**
 * A plugin cannot take out the last servers of a backend: as many as `panic` says stay in, whatever it says of them. A server
 * that we ourselves could not connect to is out nevertheless. Pure.
 */
import type { BackendConfig, CheckConfig } from "../config/model.ts";
import type { Standing } from "../health/prober.ts";
import type { ServerWords } from "./overrides.ts";
import type { ServerView } from "./servers.ts";

export interface LastServers {
  readonly standing: (view: ServerView) => Standing | null;
  /** What the operator said of it. */
  readonly words: (view: ServerView) => ServerWords;
  /** The view until now. */
  readonly before: (view: ServerView) => ServerView | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The views of one backend's servers, with those kept in that a plugin alone would have out. */
export function keepLast(backend: BackendConfig, views: readonly ServerView[], facts: LastServers): ServerView[] {
  const wanted = Math.min(panicOf(backend), views.length);
  const missing = wanted - views.filter(isServing).length;
  if (missing <= 0) return [...views];
  const kept = views
    .filter((view) => isPluginsWord(backend, view, facts))
    .map((view) => ({ view, rank: rankOf(view, facts.before(view)) }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, missing)
    .map(({ view }) => view);
  return views.map((view) => kept.includes(view) ? keep(backend, view, facts) : view);
}

function panicOf({ check, servers }: BackendConfig): number {
  const checks = [check, ...servers.map((server) => server.check === "shared" ? null : server.check)];
  return Math.max(0, ...checks.map((one) => one?.plugin ? one.panic : 0));
}

function checkOf(backend: BackendConfig, server: string): CheckConfig | null {
  const own = backend.servers.find(({ name }) => name === server)?.check ?? null;
  return own === "shared" ? backend.check : own;
}

function isServing({ state, weight }: ServerView): boolean {
  return state === "up" && weight > 0;
}

/** Nothing but the plugin speaks against it: neither the operator, nor what we saw. */
function isPluginsWord(backend: BackendConfig, view: ServerView, { standing, words }: LastServers): boolean {
  if (isServing(view) || view.waiting || !checkOf(backend, view.server)?.plugin) return false;
  const said = words(view);
  if (said.state !== null || said.weight !== null) return false;
  const configured = backend.servers.find(({ name }) => name === view.server);
  const { last = null } = standing(view) ?? {};
  return configured !== undefined && configured.weight > 0 && last !== null && last.witnessed !== true;
}

/** Whoever serves goes on; then those that are alive. */
function rankOf({ state }: ServerView, before: ServerView | null): number {
  if (before !== null && isServing(before)) return 0;
  return state === "down" ? 3 : state === "drain" ? 2 : 1;
}

function keep(backend: BackendConfig, view: ServerView, { before, now }: LastServers): ServerView {
  const was = before(view);
  const weight = backend.servers.find(({ name }) => name === view.server)?.weight ?? 1;
  const said = view.state === "up" ? "weight 0" : view.state;
  return {
    ...view,
    state: "up",
    weight,
    effective: weight,
    since: was?.state === "up" ? was.since : now,
    risen: was?.risen ?? null,
    reason: `kept in as one of the last, though its check says ${said}: ${view.reason}`,
    kept: true,
  };
}

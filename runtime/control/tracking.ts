/**
 * What tracked things do to an instance (contract 2.1). Pure. A frontend bound to an instance's address is tracked without
 * being named: never advertise what you cannot serve.
 */
import type { Config, InstanceConfig, TrackConfig } from "../config/model.ts";
import type { ListenerStatus, ServerState, ThreadStatus } from "../proxy/protocol.ts";
import type { Tracking } from "../vrrp/protocol.ts";

/** What is known of the proxy process. */
export interface ProxyFacts {
  readonly running: boolean;
  readonly listeners: readonly ListenerStatus[];
  readonly threads: readonly ThreadStatus[];
  /** Time since its last report, ms, without that in which control itself stood still. */
  readonly reportAge: number;
}

export interface TrackingFacts {
  readonly proxy: ProxyFacts;
  readonly servers: readonly { readonly backend: string; readonly state: ServerState }[];
}

/** An engine thread that did not turn for so long, ms, serves nobody. */
const stuckAfter = 1000;
/** A proxy that did not report for so long, ms, cannot be vouched for. Reports come every 250 ms. */
const silentAfter = 3000;

/** Everything that fails of what `instance` tracks, and the strongest effect among it. */
export function trackInstance(config: Config, instance: InstanceConfig, facts: TrackingFacts): Tracking {
  const failures = [
    ...trackedFrontends(config, instance).map((track) => ({
      track,
      cause: frontendCause(config, track.name, facts.proxy),
    })),
    ...instance.track.backends.map((track) => ({ track, cause: backendCause(track, facts) })),
  ].filter(({ track, cause }) => track.effect !== "none" && cause !== null);
  const effect = failures.some(({ track }) => track.effect === "fault")
    ? "fault"
    : failures.length > 0
    ? "yield"
    : "none";
  return { effect, causes: failures.flatMap(({ cause }) => cause ?? []) };
}

/** The frontends named by `track`, then those bound to an address of the instance. */
export function trackedFrontends(config: Config, instance: InstanceConfig): readonly TrackConfig[] {
  const named = instance.track.frontends;
  const implicit = config.frontends
    .filter(({ name, binds }) =>
      binds.some((bind) => bind.instance === instance.name) && !named.some((one) => one.name === name)
    )
    .map(({ name }): TrackConfig => ({ name, effect: "yield", minUp: 1 }));
  return [...named, ...implicit];
}

/** Why a frontend serves nobody, or null. */
export function frontendCause(config: Config, name: string, proxy: ProxyFacts): string | null {
  const subject = `frontend "${name}"`;
  if (!proxy.running) return `${subject} is not served: the proxy process is not running`;
  const binds = config.frontends.find((frontend) => frontend.name === name)?.binds ?? [];
  for (const bind of binds) {
    const address = `${bind.address.includes(":") ? `[${bind.address}]` : bind.address}:${bind.port}`;
    const listener = proxy.listeners.find((one) => one.frontend === name && sameEndpoint(one.address, bind));
    if (listener === undefined) return `${subject} is not listening on ${address} yet`;
    if (!listener.listening) return `${subject} is not listening on ${address}: ${listener.error ?? "closed"}`;
  }
  if (proxy.reportAge > silentAfter) return `${subject} is not served: the proxy process has fallen silent`;
  const alive = proxy.threads.filter((thread) => thread.alive);
  if (proxy.threads.length > 0 && alive.length === 0) return `${subject} is not served: no engine thread is alive`;
  const stuck = alive.find(({ turnAgeMs }) => turnAgeMs > stuckAfter);
  if (stuck !== undefined) {
    return `${subject} is not served: engine thread ${stuck.thread} has not turned for ${seconds(stuck.turnAgeMs)}`;
  }
  return null;
}

/** Listeners are named "ADDRESS:PORT", IPv6 in brackets. */
function sameEndpoint(listener: string, bind: { readonly address: string; readonly port: number }): boolean {
  return listener === `${bind.address}:${bind.port}` || listener === `[${bind.address}]:${bind.port}`;
}

function backendCause({ name, minUp }: TrackConfig, { servers }: TrackingFacts): string | null {
  const all = servers.filter(({ backend }) => backend === name);
  const up = all.filter(({ state }) => state === "up").length;
  return up >= minUp ? null : `backend "${name}" has ${up} of ${all.length} servers up, wanted ${minUp}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

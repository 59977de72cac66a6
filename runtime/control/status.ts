/** `GET /api/v1/status` (contract §4): the shape, and how it is made of what control knows. Pure. */
import type { AppView } from "./apps.ts";
import type { Config, InstanceConfig } from "../config/model.ts";
import type { FrontendCounters, ServerCounters } from "../proxy/protocol.ts";
import type { DropReason, InstanceCounters, InstanceState, InstanceStatus, Tracking } from "../vrrp/protocol.ts";
import type { Overrides } from "./overrides.ts";
import type { NotifierStatus } from "../plugin/notifications.ts";
import type { PluginStatus } from "../plugin/registry.ts";
import type { PlanView } from "./planner.ts";
import { type PluginView, viewPlugin } from "./plugin_view.ts";
import type { ProxyCounters } from "./proxy_process.ts";
import { isIP } from "node:net";
import type { ServerPace } from "./server_pace.ts";
import type { AddressOf, ServerView } from "./servers.ts";
import type { ProxyFacts } from "./tracking.ts";

/** Times are ISO 8601 in UTC. */
export interface Status {
  readonly node: string;
  readonly version: string;
  readonly uptime_s: number;
  readonly io: "io_uring" | "epoll" | null;
  readonly config: { readonly file: string; readonly sha256: string };
  readonly vrrp: readonly InstanceView[];
  readonly frontends: readonly FrontendView[];
  readonly backends: readonly {
    readonly name: string;
    readonly balance: string;
    /** What the policy says of its plan, where that is a plugin; null = it has none, and the fallback picks. */
    readonly plan?: { readonly explain: string | null; readonly error: string | null };
    /** Requests that wait for any of its servers. */
    readonly queued: number;
    readonly servers: readonly ServerStatus[];
  }[];
  readonly plugins: readonly PluginView[];
  readonly notifiers: readonly NotifierStatus[];
  /** Applications of routes, which run unconfined. */
  readonly apps: readonly AppView[];
  readonly peer: PeerView | null;
  readonly overrides: readonly OverrideView[];
  readonly standby: null;
  readonly access_log: AccessLogView | null;
  /** "starting", then "running", at last "stopping". */
  readonly phase: Phase;
  readonly children: readonly ChildView[];
  readonly isolation: { readonly proxy_user: string | null; readonly realtime: boolean; readonly locked: boolean };
  /** What this machine does not give, and what to do about it: a sentence each. */
  readonly missing: readonly string[];
}

/** Where requests are logged; lines that got lost because nobody took them in time, or they could not be kept. */
export interface AccessLogView {
  readonly format: "json" | "text";
  /** "stdout", a path, or where syslog is. */
  readonly to: string;
  readonly dropped: number;
  readonly lost: number;
}

export type Phase = "starting" | "running" | "stopping";

export interface InstanceView {
  readonly name: string;
  readonly state: InstanceState;
  readonly since: string;
  readonly reason: string;
  readonly interface: string;
  readonly virtual_router_id: number;
  readonly version: 2 | 3;
  readonly priority: { readonly configured: number; readonly effective: number };
  readonly active_router: string | null;
  readonly virtual_addresses: readonly string[];
  readonly held: readonly string[];
  readonly counters: InstanceCounters;
  readonly tracking: Tracking;
  readonly hold: HoldView | null;
  readonly peer: InstanceStatus["peer"];
  readonly handover: InstanceStatus["handover"];
}

export interface HoldView {
  readonly by: string;
  readonly reason: string;
  readonly since: string;
  readonly until: string | null;
}

export interface FrontendView {
  readonly name: string;
  readonly mode: "http" | "tcp";
  readonly bind: readonly string[];
  readonly listening: boolean;
  /** Why it does not listen. */
  readonly error: string | null;
  readonly connections: { readonly current: number; readonly total: number };
  readonly requests_total: number;
  readonly responses: FrontendCounters["responses"];
  readonly bytes: { readonly in: number; readonly out: number };
}

export interface ServerStatus {
  readonly name: string;
  readonly address: string;
  /** The address that the name has now; null where it has none, or the address is one itself. */
  readonly resolved: string | null;
  readonly state: ServerView["state"];
  readonly since: string;
  readonly reason: string;
  readonly weight: number;
  readonly connections: number;
  readonly queued: number;
  readonly requests_total: number;
  readonly connect_failures: number;
  /** Its final responses, by class of status. */
  readonly responses: ServerCounters["responses"];
  /** Requests that got no usable response. */
  readonly response_failures: number;
  /** Time to the heads of its responses, added up. */
  readonly response_seconds_total: number;
  /** The same of late, smoothed, ms; null before the first. */
  readonly response_ms: number | null;
  /** Part of its requests that failed of late, 0 to 1. */
  readonly error_rate: number;
  readonly check: { readonly ok: boolean; readonly reason: string; readonly at: string | null } | null;
}

export interface PeerView {
  /** Its name in `nodes:`; null when its address is not there. */
  readonly node: string | null;
  readonly address: string;
  readonly state: "ok" | "incompatible" | "silent";
  readonly tandem: boolean;
  readonly explain: string | null;
}

export type OverrideView =
  & HoldView
  & (
    | {
      readonly kind: "server";
      readonly about: string;
      readonly state: "drain" | "maint" | null;
      readonly weight: number | null;
    }
    | { readonly kind: "hold"; readonly about: string }
  );

export interface ChildView {
  readonly role: string;
  readonly pid: number | null;
  readonly restarts: number;
}

/** Everything that `status` tells of, as control has it. Times are ms since the epoch. */
export interface Facts {
  readonly config: Config;
  readonly version: string;
  readonly phase: Phase;
  readonly startedAt: number;
  readonly now: number;
  readonly io: "io_uring" | "epoll" | null;
  readonly instances: readonly InstanceStatus[];
  /** Why an instance has not been started yet. */
  readonly waiting: string;
  readonly proxy: ProxyFacts;
  readonly counters: ProxyCounters;
  /** How a server has answered of late. */
  readonly pace: (backend: string, server: string) => ServerPace;
  /** The address of a host; null = not known. */
  readonly addressOf: AddressOf;
  /** Lines of the access log that could not be kept. */
  readonly lostLines: number;
  readonly servers: (backend: string, server: string) => ServerView | null;
  readonly plugins: { readonly plugins: readonly PluginStatus[]; readonly notifiers: readonly NotifierStatus[] };
  readonly plans: readonly PlanView[];
  readonly overrides: Overrides;
  readonly apps: readonly AppView[];
  readonly children: readonly ChildView[];
  readonly isolation: Status["isolation"];
  readonly missing: readonly string[];
}

export function buildStatus(facts: Facts): Status {
  const { config } = facts;
  return {
    node: config.node,
    version: facts.version,
    uptime_s: Math.round((facts.now - facts.startedAt) / 100) / 10,
    io: facts.io,
    config: config.source,
    vrrp: config.vrrp.map((instance) => viewInstance(instance, facts)),
    frontends: config.frontends.map((frontend) => viewFrontend(frontend, facts)),
    backends: config.backends.map((backend) => ({
      name: backend.name,
      balance: backend.balance.use,
      ...viewPlan(facts.plans.find((plan) => plan.backend === backend.name)),
      queued: facts.counters.backends.find(({ name }) => name === backend.name)?.queued ?? 0,
      servers: backend.servers.map((server) => viewServerStatus(backend.name, server, facts)),
    })),
    plugins: facts.plugins.plugins.map(viewPlugin),
    notifiers: facts.plugins.notifiers,
    apps: facts.apps,
    peer: viewPeer(facts),
    overrides: viewOverrides(facts.overrides),
    standby: null,
    access_log: viewAccessLog(facts),
    phase: facts.phase,
    children: facts.children,
    isolation: facts.isolation,
    missing: facts.missing,
  };
}

function viewAccessLog({ config: { log: { access } }, counters, lostLines }: Facts): AccessLogView | null {
  if (access === null) return null;
  const { format, to } = access;
  const place = to.type === "file" ? to.path : to.type === "syslog" ? to.address : to.type;
  return { format, to: place, dropped: counters.droppedLines, lost: lostLines };
}

function viewPlan(plan: PlanView | undefined) {
  return plan === undefined ? {} : { plan: { explain: plan.explain, error: plan.error } };
}

/** "192.0.2.1:80", "[2001:db8::1]:80". */
export function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

const drops: readonly DropReason[] = [
  "ttl",
  "version",
  "type",
  "length",
  "checksum",
  "count",
  "interval",
  "auth",
  "vrid",
  "source",
];

const nothingCounted: InstanceCounters = {
  adverts_sent: 0,
  adverts_received: 0,
  transitions: 0,
  priority_zero_sent: 0,
  priority_zero_received: 0,
  vip_mismatch: 0,
  incompatible: 0,
  garp_sent: 0,
  addresses_restored: 0,
  dropped: Object.fromEntries(drops.map((reason) => [reason, 0])) as Record<DropReason, number>,
};

function viewInstance(instance: InstanceConfig, facts: Facts): InstanceView {
  const status = facts.instances.find(({ name }) => name === instance.name);
  return {
    name: instance.name,
    state: status?.state ?? "initialize",
    since: iso(status?.since ?? facts.startedAt),
    reason: status?.reason ?? facts.waiting,
    interface: instance.interface,
    virtual_router_id: instance.virtualRouterId,
    version: instance.version,
    priority: status?.priority ?? { configured: instance.priority, effective: instance.priority },
    active_router: status?.activeRouter ?? null,
    virtual_addresses: instance.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    held: status?.held ?? [],
    counters: status?.counters ?? nothingCounted,
    tracking: status?.tracking ?? { effect: "none", causes: [] },
    hold: status?.hold ? viewSaid(status.hold) : null,
    peer: status?.peer ?? null,
    handover: status?.handover ?? null,
  };
}

const noResponses = { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 };

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

function viewFrontend(frontend: Config["frontends"][number], facts: Facts): FrontendView {
  const listeners = facts.proxy.listeners.filter((listener) => listener.frontend === frontend.name);
  const counted = facts.counters.frontends.find(({ name }) => name === frontend.name);
  return {
    name: frontend.name,
    mode: frontend.mode,
    bind: frontend.binds.map(({ address, port }) => endpoint(address, port)),
    listening: listeners.length > 0 && listeners.every(({ listening }) => listening),
    error: listeners.find(({ error }) => error !== null)?.error ?? null,
    connections: counted?.connections ?? { current: 0, total: 0 },
    requests_total: counted?.requests_total ?? 0,
    responses: counted?.responses ?? noResponses,
    bytes: { in: counted?.bytes_in ?? 0, out: counted?.bytes_out ?? 0 },
  };
}

function viewServerStatus(
  backend: string,
  server: Config["backends"][number]["servers"][number],
  facts: Facts,
): ServerStatus {
  const view = facts.servers(backend, server.name);
  const counted = facts.counters.servers.find((one) => one.backend === backend && one.server === server.name);
  const { latencyMs, errorRate } = facts.pace(backend, server.name);
  return {
    name: server.name,
    address: endpoint(server.address, server.port),
    resolved: isIP(server.address) === 0 ? facts.addressOf(server.address) : null,
    state: view?.state ?? "down",
    since: iso(view?.since ?? facts.startedAt),
    reason: view?.reason ?? "not checked yet",
    weight: view?.weight ?? server.weight,
    connections: counted?.connections ?? 0,
    queued: counted?.queued ?? 0,
    requests_total: counted?.requests_total ?? 0,
    connect_failures: counted?.connect_failures ?? 0,
    responses: counted?.responses ?? noResponses,
    response_failures: counted?.response_failures ?? 0,
    response_seconds_total: rounded(counted?.response_seconds_total ?? 0, 1e6),
    response_ms: latencyMs === null ? null : rounded(latencyMs, 1e3),
    error_rate: rounded(errorRate, 1e3),
    check: view?.check ? { ...view.check, at: view.check.at === null ? null : iso(view.check.at) } : null,
  };
}

/** The other node, as the instances hear it: the first that says something is wrong, else the first heard. */
function viewPeer({ config, instances }: Facts): PeerView | null {
  const heard = instances.flatMap(({ peer }) => peer ?? []);
  const peer = heard.find(({ state }) => state !== "ok") ?? heard[0];
  if (peer === undefined) return null;
  const node = Object.entries(config.nodes).find(([, { address }]) => address === peer.address)?.[0] ?? null;
  return { node, ...peer };
}

function viewSaid(
  { by, reason, since, until }: { by: string; reason: string; since: number; until: number | null },
): HoldView {
  return { by, reason, since: iso(since), until: until === null ? null : iso(until) };
}

function viewOverrides({ servers, holds }: Overrides): OverrideView[] {
  return [
    ...servers.map((one) => ({
      kind: "server" as const,
      about: `${one.backend}/${one.server}`,
      state: one.state,
      weight: one.weight,
      ...viewSaid(one),
    })),
    ...Object.entries(holds).map(([instance, hold]) => ({ kind: "hold" as const, about: instance, ...viewSaid(hold) })),
  ];
}

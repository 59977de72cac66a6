/** A draft without problems, made into the configuration: defaults filled in, names resolved, frozen. */
import { isIP } from "node:net";
import type { BackendDraft } from "./backend_schema.ts";
import type { StickinessDraft } from "./stickiness_schema.ts";
import type { NotifierDraft } from "./plugin_schema.ts";
import type { FrontendDraft } from "./frontend_schema.ts";
import type { InstanceDraft } from "./instance_schema.ts";
import { buildAccess } from "./log_schema.ts";
import type { BackendConfig, Config, FrontendConfig, InstanceConfig, NodeConfig } from "./model.ts";
import type { Opened } from "./rules.ts";
import { buildRouting } from "./route_build.ts";
import { type Draft, usualAdmin } from "./schema.ts";

/** A draft in which nothing is missing: what decoders leave undefined they have reported. */
export type Complete<T> = T extends ReadonlyMap<infer K, infer V> ? ReadonlyMap<K, Complete<Exclude<V, undefined>>>
  : T extends readonly (infer U)[] ? readonly Complete<Exclude<U, undefined>>[]
  : T extends object ? { readonly [K in keyof T]: Complete<Exclude<T[K], undefined>> }
  : T;

export interface BuildOptions {
  readonly node: string;
  readonly source: Config["source"];
  readonly opened: Opened;
}

export interface Passwords {
  readonly password: string;
  readonly alsoAccept: readonly string[];
}

/** Only for a draft whose decoding and rules reported nothing. */
export function build(partial: Draft, options: BuildOptions): Config {
  const draft = partial as Complete<Draft>;
  const nodes = Object.fromEntries(
    entries(draft.nodes).map(([name, node]): [string, NodeConfig] => [
      name,
      { address: node.address, labels: Object.fromEntries(entries(node.labels)) },
    ]),
  );
  const proxy = draft.proxy ?? { threads: "auto", maxconn: 20_000, user: "tandem" };
  const vrrp = entries(draft.vrrp).map(([name, instance]) => buildInstance(name, instance, nodes, options));
  const admin = draft.admin ?? usualAdmin;
  return freeze({
    version: 1,
    source: options.source,
    node: options.node,
    nodes,
    cluster: { name: draft.cluster?.name ?? "tandem", secret: options.opened.clusterSecret },
    vrrp,
    frontends: entries(draft.frontends).map(([name, value]) =>
      buildFrontend(name, value, vrrp, proxy.maxconn, options.opened)
    ),
    backends: entries(draft.backends).map(([name, value]) => buildBackend(name, value, options.opened)),
    proxy,
    isolation: draft.isolation,
    plugins: options.opened.plugins.plugins,
    notify: draft.notify.map((one, index) => buildNotify(`notify.${index}`, one, options.opened)),
    admin: { bind: orOff(admin.bind), socket: orOff(admin.socket) },
    metrics: draft.metrics && {
      host: draft.metrics.bind.host,
      port: draft.metrics.bind.port,
      allow: draft.metrics.allow,
    },
    log: { level: draft.log?.level ?? "info", access: buildAccess(draft.log?.access) },
  });
}

function buildInstance(
  name: string,
  draft: Complete<InstanceDraft>,
  nodes: Readonly<Record<string, NodeConfig>>,
  { node, opened }: BuildOptions,
): InstanceConfig {
  const authentication = opened.passwords.get(name);
  const ours = nodes[node]?.address ?? null;
  return {
    name,
    interface: draft.interface,
    virtualRouterId: draft.virtual_router_id,
    version: draft.version,
    priority: typeof draft.priority === "number" ? draft.priority : draft.priority.get(node) ?? 100,
    advertInterval: draft.advert_int,
    preempt: draft.preempt,
    preemptDelay: draft.preempt_delay,
    authentication: authentication === undefined ? null : { type: "pass", ...authentication },
    addresses: draft.virtual_addresses.map(({ address, interface: device, label }) => ({
      address: address.address,
      prefix: address.length,
      interface: device ?? draft.interface,
      ...(label && { label }),
    })),
    unicast: draft.unicast && buildUnicast(draft.unicast, ours),
    checksum: draft.checksum,
    garp: draft.garp ?? { repeat: 5, delay: 5000, refresh: 60_000 },
    track: {
      frontends: (draft.track?.frontends ?? []).map(buildTrack),
      backends: (draft.track?.backends ?? []).map(buildTrack),
      interfaces: (draft.track?.interfaces ?? []).flatMap(({ name, effect }) =>
        effect === "none" ? [] : [{ name, effect }]
      ),
    },
    handover: draft.handover ?? { connections: "auto", drain: 30_000 },
  };
}

/** Ours among the peers is the source; a file that is the same on both nodes names both. */
function buildUnicast(
  { peers, source, min_ttl: minTtl }: NonNullable<Complete<InstanceDraft>["unicast"]>,
  ours: string | null,
): InstanceConfig["unicast"] {
  const from = source ?? peers.find((peer) => peer === ours) ?? null;
  return { source: from, peers: peers.filter((peer) => peer !== from && peer !== ours), minTtl };
}

function buildTrack(
  { name, effect, min_up: minUp }: { name: string; effect: "yield" | "fault" | "none"; min_up: number },
) {
  return { name, effect, minUp };
}

function buildFrontend(
  name: string,
  draft: Complete<FrontendDraft>,
  vrrp: readonly InstanceConfig[],
  processMaxconn: number,
  { bodies }: Opened,
): FrontendConfig {
  return {
    name,
    ...buildRouting(name, draft, bodies),
    mode: draft.mode,
    binds: draft.bind.flatMap(({ host, port, proxyProtocol }) => {
      const header = proxyProtocol && { proxyProtocol };
      const instance = vrrp.find((candidate) => candidate.name === host);
      if (instance !== undefined) {
        return instance.addresses.map(({ address }) => ({ address, port, instance: instance.name, ...header }));
      }
      const holder = vrrp.find(({ addresses }) => addresses.some(({ address }) => address === host));
      return [{ address: isIP(host) === 0 ? "0.0.0.0" : host, port, instance: holder?.name ?? null, ...header }];
    }),
    forwardfor: draft.mode === "http" && (draft.forwardfor ?? true),
    trustedProxies: draft.trusted_proxies ?? [],
    defaultBackend: draft.default_backend,
    maxconn: draft.maxconn ?? Math.min(10_000, processMaxconn),
    timeouts: {
      httpRequest: draft.timeouts?.http_request ?? 10_000,
      keepAlive: draft.timeouts?.keep_alive ?? 10_000,
      client: draft.timeouts?.client ?? 30_000,
      tunnel: draft.timeouts?.tunnel ?? 3_600_000,
    },
  };
}

function buildBackend(name: string, draft: Complete<BackendDraft>, opened: Opened): BackendConfig {
  return {
    name,
    balance: { ...draft.balance, with: opened.plugins.uses.get(`backends.${name}.balance`) ?? draft.balance.with },
    check: draft.check && buildCheck(draft.check, `backends.${name}.check`, opened),
    onDown: draft.on_down,
    whenEmpty: draft.when_empty && buildEmpty(draft.when_empty.respond, opened.emptyBodies.get(name)),
    passive: draft.passive === "none" ? null : buildPassive(draft.passive),
    slowStart: draft.slow_start,
    stickiness: draft.stickiness && buildStickiness(draft.stickiness),
    servers: entries(draft.servers).map(([server, { address, weight, maxconn, backup, labels, check }]) => ({
      name: server,
      address: address.host,
      port: address.port,
      weight,
      maxconn,
      backup,
      labels: Object.fromEntries(entries(labels)),
      check: check === null
        ? "shared"
        : check === "none"
        ? null
        : buildCheck(check, `backends.${name}.servers.${server}.check`, opened),
    })),
    retries: draft.retries,
    sendProxy: draft.send_proxy,
    timeouts: {
      connect: draft.timeouts?.connect ?? 5000,
      server: draft.timeouts?.server ?? 30_000,
      queue: draft.timeouts?.queue ?? 5000,
    },
  };
}

function buildPassive(
  { errors, eject, statuses }: Exclude<Complete<BackendDraft>["passive"], "none">,
): BackendConfig["passive"] {
  const ranges = (statuses ?? []).map((status): [number, number] => {
    const [from, to = from] = String(status).split("-").map(Number);
    return [from, to];
  });
  return { errors, eject, statuses: ranges };
}

/** @param file text of the file that `body` names */
function buildEmpty(
  { status, headers, body }: Complete<NonNullable<BackendDraft["when_empty"]>>["respond"],
  file = "",
): BackendConfig["whenEmpty"] {
  return {
    status,
    headers: Object.fromEntries(entries(headers)),
    body: body !== null && "text" in body ? body.text : file,
  };
}

function buildStickiness(draft: Complete<StickinessDraft>): BackendConfig["stickiness"] {
  if (draft.by === "client_ip") return { by: "client_ip" };
  const { cookie, path, same_site: sameSite, value } = draft;
  return { by: "cookie", cookie, path, sameSite, value };
}

/** @param id of the use, where a plugin answers */
function buildCheck(
  draft: NonNullable<Complete<BackendDraft>["check"]>,
  id: string,
  opened: Opened,
): NonNullable<BackendConfig["check"]> {
  const interval = draft.interval ?? 2000;
  return {
    use: draft.use,
    with: opened.plugins.uses.get(id) ?? draft.with,
    plugin: draft.plugin ? id : null,
    panic: draft.panic,
    interval,
    // A dead server is found in two thirds of the time, and nobody pays for it while all is well.
    fastInterval: Math.min(interval, draft.fast_interval ?? Math.max(10, interval / 2)),
    // A check that is more frequent than its time-out would not be.
    timeout: draft.timeout ?? Math.min(1000, interval),
    rise: draft.rise ?? 2,
    fall: draft.fall ?? 3,
    initial: draft.initial ?? "wait",
  };
}

function buildNotify(
  id: string,
  { use, events, min_severity: minSeverity, from, flap }: Complete<NotifierDraft>,
  { plugins }: Opened,
): Config["notify"][number] {
  return { id, use, with: plugins.uses.get(id) ?? {}, events, minSeverity, from, flap };
}

function orOff(value: string): string | null {
  return value === "none" ? null : value;
}

function entries<V>(values: ReadonlyMap<string, V> | null): readonly [string, V][] {
  return values === null ? [] : [...values];
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

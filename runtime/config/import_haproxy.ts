/** haproxy.cfg to the `proxy`, `frontends` and `backends` of a tandem.yaml. */
import { isIP } from "node:net";
import { readLogging, saysOfLogging } from "./haproxy_log.ts";
import { readServers, type ServerDocument } from "./haproxy_servers.ts";
import { initial, isCount, type ProxyLines, readProxy, type Settings } from "./haproxy_settings.ts";
import { type Leave, type Line, parseHaproxy, type Section } from "./haproxy_text.ts";
import { readRoutes } from "./haproxy_routes.ts";
import { type Leftover, withoutSecrets } from "./leftover.ts";
import { nameShape } from "./value_decoders.ts";

export interface HaproxySource {
  readonly file: string;
  readonly text: string;
  /** Instances that hold exactly one address, by that address: a bind to it is written "INSTANCE:PORT". */
  readonly instances?: ReadonlyMap<string, string>;
}

type Document = Readonly<Record<string, unknown>>;

/** Sections as they would be written in tandem.yaml. */
export interface ImportedProxy {
  readonly proxy: Document;
  readonly frontends: Readonly<Record<string, Document>>;
  readonly backends: Readonly<Record<string, Document>>;
  readonly log: Document;
  readonly leftovers: readonly Leftover[];
}

export function importHaproxy({ file, text, instances = new Map() }: HaproxySource): ImportedProxy {
  const leftovers: Leftover[] = [];
  const leave: Leave = ({ line, text }, why) => leftovers.push({ file, line, text: withoutSecrets(text), why });
  const named = new Map<string, Settings>();
  let defaults = initial;
  const proxy: Record<string, unknown> = {};
  const frontends: Record<string, Document> = {};
  const backends: Record<string, Document> = {};
  const sections = parseHaproxy(text);
  const access = readLogging(sections, leave);
  for (const section of sections) {
    const from = section.head.words.indexOf("from");
    const base = from < 0 ? defaults : named.get(section.head.words[from + 1]) ?? defaults;
    if (section.kind === "global") readGlobal(section, proxy, leave);
    else if (section.kind === "defaults") {
      defaults = { ...(from < 0 ? initial : base) };
      leaveRouting(readProxy(section, defaults, leave), leave);
      named.set(section.name, defaults);
    } else if (["frontend", "backend", "listen"].includes(section.kind)) {
      const stats = section.lines.filter(({ words }) => words[0] === "stats");
      if (stats.length > 0 && section.kind === "listen" && !section.lines.some(({ words }) => words[0] === "server")) {
        leave(section.head, "the dashboard of the admin API takes its place (admin:)");
        continue;
      }
      const settings = { ...base };
      const lines = readProxy(section, settings, leave);
      if (!nameShape.pattern.test(section.name)) leave(section.head, `the name must be ${nameShape.wanted}`);
      const backend = section.kind === "frontend" ? null : writeBackend(section, settings, lines, leave);
      if (section.kind === "backend") leaveRouting(lines, leave);
      if (backend !== null) backends[section.name] = backend;
      if (section.kind === "backend") continue;
      if (section.kind === "listen" && backend !== null) settings.defaultBackend = section.name;
      const frontend = writeFrontend(section, settings, lines, instances, leave);
      if (frontend !== null) frontends[section.name] = frontend;
    } else if (section.kind === "userlist") {
      leave(section.head, "its users go into a route's basic_auth, with their hashes");
    } else leave(section.head, "has no counterpart in this version");
  }
  return { proxy, frontends, backends, log: access === null ? {} : { access }, leftovers };
}

/** What HAProxy needs before it runs programs that check. */
const permissions: ReadonlySet<string> = new Set(["external-check", "insecure-fork-wanted"]);

function readGlobal(section: Section, proxy: Record<string, unknown>, leave: Leave): void {
  for (const line of section.lines) {
    const [keyword, value] = line.words;
    if (keyword === "maxconn" && isCount(value)) proxy.maxconn = Number(value);
    else if (keyword === "nbthread" && isCount(value)) proxy.threads = Number(value);
    else if (!saysOfLogging(line) && !permissions.has(keyword)) leave(line, reasonForGlobal(keyword));
  }
}

function reasonForGlobal(keyword: string): string {
  if (["user", "group", "uid", "gid", "chroot"].includes(keyword)) {
    return "the proxy runs as proxy.user, without rights of its own";
  }
  if (keyword === "stats") return "the admin API and its socket take its place (admin:)";
  return "means nothing to Tandem";
}

/** Routes belong to frontends. */
function leaveRouting({ routing }: ProxyLines, leave: Leave): void {
  for (const line of routing) leave(line, "only frontends have routes; put it into those that lead here");
}

function writeFrontend(
  section: Section,
  settings: Settings,
  { binds, routing }: ProxyLines,
  instances: ReadonlyMap<string, string>,
  leave: Leave,
): Document | null {
  const addresses = binds.flatMap((line) => readBind(line, instances, leave));
  if (addresses.length === 0) {
    leave(section.head, "is left out: no bind of it can be carried");
    return null;
  }
  const { routes, ...around } = readRoutes(routing, settings.mode, leave);
  if (settings.defaultBackend === null && routes.length === 0) {
    leave(section.head, "is left out: it has no default_backend and no route that can be carried");
    return null;
  }
  const { client, tunnel, "http-request": httpRequest, "http-keep-alive": keepAlive } = settings.timeouts;
  const http = settings.mode === "http";
  return given({
    bind: addresses.length === 1 ? addresses[0] : addresses,
    mode: http ? undefined : "tcp",
    // Tandem sets the field unless told otherwise, HAProxy only if told.
    forwardfor: http ? settings.forwardfor !== null : undefined,
    trusted_proxies: http && settings.forwardfor?.trusted.length ? settings.forwardfor.trusted : undefined,
    ...around,
    routes: routes.length === 0 ? undefined : routes,
    default_backend: settings.defaultBackend ?? undefined,
    maxconn: settings.maxconn ?? undefined,
    timeouts: http
      ? compact({ http_request: httpRequest, keep_alive: keepAlive, client, tunnel })
      // What is idle in mode tcp is a tunnel.
      : compact({ tunnel: tunnel ?? client }),
  });
}

type BindDocument = string | { readonly address: string; readonly proxy_protocol: true };

function readBind(line: Line, instances: ReadonlyMap<string, string>, leave: Leave): readonly BindDocument[] {
  const [, addresses, ...options] = line.words;
  if (options.includes("ssl")) {
    leave(line, "TLS is not in this version");
    return [];
  }
  const header = options.includes("accept-proxy");
  return (addresses ?? "").split(",").flatMap((written) => {
    const [, host, port] = /^(?:ipv[46]@)?(.*):(\d+)$/.exec(written) ?? [];
    const address = host?.replace(/^\[|\]$/g, "");
    if (address === undefined || (address !== "" && address !== "*" && isIP(address) === 0)) {
      leave(line, `"${written}" is not ADDRESS:PORT`);
      return [];
    }
    const instance = instances.get(address);
    const place = instance !== undefined
      ? `${instance}:${port}`
      : address === "*" || address === ""
      ? `:${port}`
      : isIP(address) === 6
      ? `[${address}]:${port}`
      : `${address}:${port}`;
    return [header ? { address: place, proxy_protocol: true } : place];
  });
}

function writeBackend(section: Section, settings: Settings, lines: ProxyLines, leave: Leave): Document | null {
  const { servers, sendProxy, check, slowStart, closes } = readServers(
    lines.servers,
    settings.serverDefaults,
    settings.health,
    settings.timeouts.check,
    leave,
  );
  if (Object.keys(servers).length === 0) {
    leave(section.head, "is left out: no server of it can be carried");
    return null;
  }
  const { connect, server, queue } = settings.timeouts;
  return given({
    balance: settings.balance ?? undefined,
    send_proxy: sendProxy ?? undefined,
    stickiness: settings.sticky ?? undefined,
    check: check ?? undefined,
    on_down: closes ? "close" : undefined,
    slow_start: slowStart ?? undefined,
    servers: servers satisfies Readonly<Record<string, ServerDocument>>,
    // HAProxy lets a request wait for as long as a connect, unless told otherwise.
    timeouts: compact({ connect, server, queue: queue ?? connect }),
    retries: settings.retries ?? undefined,
  });
}

/** Without what is undefined. */
function given(document: Document): Document {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}

/** The same, or undefined where nothing is left. */
function compact(document: Document): Document | undefined {
  const left = given(document);
  return Object.keys(left).length === 0 ? undefined : left;
}

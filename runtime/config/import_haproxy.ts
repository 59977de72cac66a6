/** haproxy.cfg to the `proxy`, `frontends` and `backends` of a tandem.yaml. */
import { isIP } from "node:net";
import { readLogging, saysOfLogging } from "./haproxy_log.ts";
import { readServers, type ServerDocument } from "./haproxy_servers.ts";
import { initial, isCount, type ProxyLines, readProxy, type Settings } from "./haproxy_settings.ts";
import { type Leave, type Line, parseHaproxy, type Section } from "./haproxy_text.ts";
import { faultOf } from "./import_faults.ts";
import { printAddress, readAddress } from "./haproxy_address.ts";
import { bindParameters } from "./haproxy_parameters.ts";
import { readRoutes, reasonWithoutRoutes } from "./haproxy_routes.ts";
import { leaveOpen, readable } from "./haproxy_unread.ts";
import { type Leftover, withoutSecrets } from "./leftover.ts";
import { importedName, renamed } from "./import_names.ts";
import { endpoint } from "./value_decoders.ts";

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
  const sections = readable(parseHaproxy(text), leave);
  const access = readLogging(sections, leave);
  const proxies: Proxy[] = [];
  const skipped: string[] = [];
  for (const section of sections) {
    const from = section.head.words.indexOf("from");
    const base = from < 0 ? defaults : named.get(section.head.words[from + 1]) ?? defaults;
    if (section.kind === "global") readGlobal(section, proxy, leave);
    else if (section.kind === "defaults") {
      defaults = { ...(from < 0 ? initial : base) };
      leaveRouting(readProxy(section, defaults, leave), leave);
      named.set(section.name, defaults);
    } else if (["frontend", "backend", "listen"].includes(section.kind)) {
      const why = reasonAgainst(section, base, proxies);
      if (why !== null) {
        leave(section.head, why);
        if (section.kind !== "frontend") skipped.push(importedName(section.name));
        continue;
      }
      const settings = { ...base };
      const lines = readProxy(section, settings, leaveOpen(leave));
      proxies.push({ section: { ...section, name: importedName(section.name) }, settings, lines });
      const other = renamed(section.name);
      if (other !== null) leave(section.head, other);
    } else if (section.kind === "userlist") {
      leave(section.head, "its users go into a route's basic_auth, with their hashes");
    } else if (section.kind !== "") leave(section.head, "has no counterpart in this version");
  }
  for (const { section, settings, lines } of proxies) {
    if (section.kind === "frontend") continue;
    const backend = writeBackend(section, settings, lines, leave);
    if (section.kind === "backend") leaveRouting(lines, leave);
    if (backend !== null) backends[section.name] = backend;
    if (section.kind === "listen" && backend !== null) settings.defaultBackend = section.name;
  }
  const led = ledTo(proxies, backends, skipped);
  for (const { section, settings, lines } of proxies) {
    if (section.kind === "backend") continue;
    const most = typeof proxy.maxconn === "number" ? proxy.maxconn : MOST_CONNECTIONS;
    const frontend = writeFrontend(section, settings, lines, { instances, led, most, leave });
    if (frontend !== null) frontends[section.name] = frontend;
  }
  return { proxy, frontends, backends, log: access === null ? {} : { access }, leftovers };
}

/** A section with what it says. */
interface Proxy {
  readonly section: Section;
  readonly settings: Settings;
  readonly lines: ProxyLines;
}

/** proxy.maxconn where nothing is said. */
const MOST_CONNECTIONS = 20_000;

/** Lines that make a section more than a page of statistics. */
const SERVING = /^(server|server-template|dispatch|use_backend|default_backend)$/;

/** Why a section is left out as a whole, or null. */
function reasonAgainst(
  { kind, name, lines }: Section,
  { disabled }: Settings,
  before: readonly Proxy[],
): string | null {
  const key = importedName(name);
  const same = (one: string) => one === kind || one === "listen" || kind === "listen";
  if (before.some(({ section }) => section.name === key && same(section.kind))) {
    return `is left out: there is a "${key}" already`;
  }
  const words = lines.map(({ words: [keyword] }) => keyword);
  const last = words.findLast((keyword) => keyword === "disabled" || keyword === "enabled");
  if (last === undefined ? disabled : last === "disabled") return "is left out: it is disabled";
  if (kind !== "listen" || !words.includes("stats") || words.some((keyword) => SERVING.test(keyword))) return null;
  return "the dashboard of the admin API takes its place (admin:)";
}

/** Backends by name, as far as frontends go by what they say; `missing`: those that were left out. */
interface Led {
  readonly to: ReadonlyMap<string, Settings>;
  readonly missing: ReadonlySet<string>;
}

function ledTo(
  proxies: readonly Proxy[],
  backends: Readonly<Record<string, Document>>,
  skipped: readonly string[],
): Led {
  const to = new Map<string, Settings>();
  const missing = new Set(skipped.filter((name) => !Object.hasOwn(backends, name)));
  for (const { section: { kind, name }, settings } of proxies) {
    if (kind === "frontend") continue;
    if (Object.hasOwn(backends, name)) to.set(name, settings);
    else missing.add(name);
  }
  return { to, missing };
}

/** What HAProxy needs before it runs programs that check. */
const permissions: ReadonlySet<string> = new Set(["external-check", "insecure-fork-wanted"]);

function readGlobal(section: Section, proxy: Record<string, unknown>, leave: Leave): void {
  for (const line of section.lines) {
    const [keyword, value] = line.words;
    const number = isCount(value) ? Number(value) : 0;
    if (keyword === "maxconn" && number > 0 && number <= 1_000_000) proxy.maxconn = number;
    else if (keyword === "nbthread" && number > 0 && number <= 256) proxy.threads = number;
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
  for (const line of routing) leaveOpen(leave)(line, reasonWithoutRoutes(line));
}

interface FrontendSources {
  readonly instances: ReadonlyMap<string, string>;
  readonly led: Led;
  /** Connections of the whole process. */
  readonly most: number;
  readonly leave: Leave;
}

function writeFrontend(
  section: Section,
  settings: Settings,
  { binds, routing }: ProxyLines,
  { instances, led, most, leave }: FrontendSources,
): Document | null {
  const addresses = binds.flatMap((line) => readBind(line, instances, leave));
  if (addresses.length === 0) {
    leave(section.head, "is left out: no bind of it can be carried");
    return null;
  }
  const lost = settings.defaultBackend !== null && led.missing.has(settings.defaultBackend);
  const standard = lost ? null : settings.defaultBackend;
  const { routes: read, ...around } = readRoutes(routing, { mode: settings.mode, missing: led.missing, leave });
  if (lost) leave(settings.said.default_backend ?? section.head, `backend ${settings.defaultBackend} is left out`);
  if (standard === null && read.length === 0) {
    leave(section.head, "is left out: it has no default_backend and no route that can be carried");
    return null;
  }
  const backends = [...new Set([standard, ...read.map(({ backend }) => backend)])].flatMap((name) =>
    typeof name === "string" && led.to.has(name) ? [name] : []
  );
  const { client, "http-request": httpRequest, "http-keep-alive": keepAlive } = settings.timeouts;
  const http = settings.mode === "http";
  const forwarded = http ? readForwarded(section, settings, backends, led, leave) : null;
  const { tunnel, routes } = readTunnels(section, settings, read, standard ?? backends[0], led, leave);
  const maxconn = settings.maxconn !== null && settings.maxconn > most ? null : settings.maxconn;
  if (settings.maxconn !== maxconn) {
    leave(settings.said.maxconn ?? section.head, `can never be reached: proxy.maxconn is ${most}`);
  }
  return given({
    bind: addresses.length === 1 ? addresses[0] : addresses,
    mode: http ? undefined : "tcp",
    // Tandem sets the field unless told otherwise, HAProxy only if told.
    forwardfor: http ? forwarded !== null : undefined,
    trusted_proxies: forwarded?.length ? forwarded : undefined,
    ...around,
    routes: routes.length === 0 ? undefined : routes,
    default_backend: standard ?? undefined,
    maxconn: maxconn ?? undefined,
    timeouts: http
      ? compact({ http_request: httpRequest, keep_alive: keepAlive, client, tunnel })
      // What is idle in mode tcp is a tunnel.
      : compact({ tunnel: tunnel ?? client }),
  });
}

/** Whom a frontend trusts, or null where neither it nor a backend of it sets X-Forwarded-For. */
function readForwarded(
  { name }: Section,
  settings: Settings,
  backends: readonly string[],
  { to }: Led,
  leave: Leave,
): readonly string[] | null {
  const wanting = backends.filter((backend) => to.get(backend)?.forwardfor);
  if (settings.forwardfor === null && wanting.length === 0) return null;
  const others = settings.forwardfor === null ? backends.filter((backend) => !wanting.includes(backend)) : [];
  for (const backend of others.length === 0 ? [] : wanting) {
    const line = to.get(backend)?.said["option forwardfor"];
    if (line) leave(line, `frontend ${name} sets it for all its requests, also those to ${others.join(", ")}`);
  }
  const trusted = [settings, ...wanting.map((backend) => to.get(backend))].flatMap((one) =>
    one?.forwardfor?.trusted ?? []
  );
  return [...new Set(trusted)];
}

/** `timeout tunnel` is a backend's in HAProxy, and a frontend's or a route's here. */
function readTunnels(
  { name }: Section,
  settings: Settings,
  routes: readonly Document[],
  standard: string | undefined,
  { to }: Led,
  leave: Leave,
): { readonly tunnel: string | undefined; readonly routes: readonly Document[] } {
  const tunnel = to.get(standard ?? "")?.timeouts.tunnel ?? settings.timeouts.tunnel;
  const told = new Set<unknown>();
  const written = routes.map((route) => {
    const backend = typeof route.backend === "string" ? to.get(route.backend) : undefined;
    const own = backend?.timeouts.tunnel;
    if (own === undefined || own === tunnel) return route;
    if (settings.mode === "http") return { ...route, timeouts: { tunnel: own } };
    const line = backend?.said["timeout tunnel"];
    if (line && !told.has(line)) leave(line, `frontend ${name} has one for all its tunnels, ${tunnel ?? "1h"}`);
    told.add(line);
    return route;
  });
  return { tunnel, routes: written };
}

type BindDocument = string | { readonly address: string; readonly proxy_protocol: true };

function readBind(line: Line, instances: ReadonlyMap<string, string>, leave: Leave): readonly BindDocument[] {
  const [, addresses = "", ...words] = line.words;
  const parameters = bindParameters(words);
  if (parameters.has("ssl")) {
    leave(line, "TLS is not in this version");
    return [];
  }
  for (const parameter of parameters.keys()) {
    if (parameter !== "accept-proxy") leave(line, insteadOfBind(parameter));
  }
  const header = parameters.has("accept-proxy");
  return addresses.split(",").flatMap((written) => {
    const read = readAddress(written);
    const instance = read === null ? undefined : instances.get(read.host);
    const place = read === null ? written : printAddress(instance ?? read.host, read.port);
    const isAddress = read !== null && (read.host === "" || isIP(read.host) !== 0);
    if (!isAddress || faultOf(endpoint, place) !== null) {
      leave(line, `"${written}" is not ADDRESS:PORT`);
      return [];
    }
    return [header ? { address: place, proxy_protocol: true } : place];
  });
}

function insteadOfBind(parameter: string): string {
  const missing = `${parameter} is not in this version`;
  if (parameter === "interface") return `${missing}: connections of every interface are taken`;
  return parameter === "maxconn" ? `${missing}: maxconn: belongs to the frontend` : missing;
}

function writeBackend(section: Section, settings: Settings, lines: ProxyLines, leave: Leave): Document | null {
  const { servers, sendProxy, check, slowStart, closes } = readServers(
    lines.servers,
    settings.health,
    settings.timeouts.check,
    leave,
  );
  if (Object.keys(servers).length === 0) {
    leave(section.head, "is left out: no server of it can be carried");
    return null;
  }
  for (const name of ["http-request", "http-keep-alive"]) {
    const line = settings.said[`timeout ${name}`];
    if (section.lines.includes(line) && section.kind === "backend") leave(line, "only frontends have this timeout");
  }
  const { connect, server, queue } = settings.timeouts;
  const { balance, sticky } = ofMode(section, settings, leave);
  return given({
    balance: balance ?? undefined,
    send_proxy: sendProxy ?? undefined,
    stickiness: sticky ?? undefined,
    check: check ?? undefined,
    on_down: closes ? "close" : undefined,
    slow_start: slowStart ?? undefined,
    servers: servers satisfies Readonly<Record<string, ServerDocument>>,
    // HAProxy lets a request wait for as long as a connect, unless told otherwise.
    timeouts: compact({ connect, server, queue: queue ?? connect }),
    retries: settings.retries ?? undefined,
  });
}

/** A tunnel has no requests to go by; HAProxy goes round robin then. */
function ofMode(
  section: Section,
  { mode, balance, sticky, said }: Settings,
  leave: Leave,
): Pick<Settings, "balance" | "sticky"> {
  if (mode === "http") return { balance, sticky };
  const ofRequests = balance === "uri" || (typeof balance === "object" && balance !== null);
  if (ofRequests) leave(said.balance ?? section.head, "tcp has no requests: roundrobin is used");
  if (sticky !== null) leave(said.cookie ?? section.head, "tcp has no cookies");
  return { balance: ofRequests ? null : balance, sticky: null };
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

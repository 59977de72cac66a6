/** What decides about requests in a frontend of haproxy.cfg, as routes: in the order in which HAProxy goes by them. */
import { Acls, isUncarried, RATE_LIMIT } from "./haproxy_conditions.ts";
import { faultOf } from "./import_faults.ts";
import type { Leave, Line } from "./haproxy_text.ts";
import { leaveOpen } from "./haproxy_unread.ts";
import { importedName } from "./import_names.ts";
import { monitor as monitorDecoder, route as routeDecoder } from "./route_schema.ts";
import { fieldChanges } from "./route_values.ts";

type Document = Readonly<Record<string, unknown>>;

export interface RoutesDocument {
  readonly routes: readonly Document[];
  readonly monitor: Document | undefined;
  readonly request_headers: Document | undefined;
  readonly response_headers: Document | undefined;
}

/** Keywords that this file reads. */
export const ROUTING: ReadonlySet<string> = new Set([
  "acl",
  "block",
  "tcp-request",
  "use_backend",
  "redirect",
  "http-request",
  "http-response",
  "http-after-response",
  "monitor-uri",
]);

/** A route and the line it was made of. */
interface Carried {
  readonly line: Line;
  readonly route: Document;
}

interface Changes {
  readonly set: Record<string, string>;
  readonly add: Record<string, string>;
  readonly remove: string[];
}

/** What a frontend's routes are made with. */
export interface Around {
  readonly mode: "http" | "tcp";
  /** Backends that were left out: what leads there has nobody to answer it. */
  readonly missing: ReadonlySet<string>;
  readonly leave: Leave;
}

/** Reads the routing lines of one frontend; what cannot be carried exactly is left. */
export function readRoutes(lines: readonly Line[], { mode, missing, leave: tell }: Around): RoutesDocument {
  const leave = leaveOpen(tell);
  const acls = new Acls();
  for (const { words } of lines) if (words[0] === "acl") acls.add(words);
  const rules: Record<"connections" | "blocks" | "requests" | "redirects" | "backends", Carried[]> = {
    connections: [],
    blocks: [],
    requests: [],
    redirects: [],
    backends: [],
  };
  const request: Changes = { set: {}, add: {}, remove: [] };
  const response: Changes = { set: {}, add: {}, remove: [] };
  let monitor: Document | undefined;
  for (const line of lines) {
    const [keyword, action = "", ...rest] = line.words;
    if (keyword === "acl") continue;
    if (keyword === "use_backend") addLeading(rules.backends, acls, line, { mode, missing, leave });
    else if (keyword === "tcp-request") addRefusal(rules.connections, acls, line, { lines, mode, leave, tell });
    else if (mode === "tcp") leave(line, "tcp has no requests");
    else if (keyword === "monitor-uri") monitor = addMonitor(action, line, leave) ?? monitor;
    else if (keyword === "redirect") addRedirect(rules.redirects, acls, [action, ...rest], line, leave);
    else if (keyword === "block") addRoutes(rules.blocks, acls, [action, ...rest], FORBIDDEN, line, leave);
    else if (/-header$/.test(action)) {
      change(keyword === "http-request" ? request : response, action, rest, line, leave);
    } else if (keyword !== "http-request") leave(line, "only set-header, add-header and del-header are carried");
    else if (action === "redirect") addRedirect(rules.requests, acls, rest, line, leave);
    else if (action === "deny") {
      const before = exemption(lines, line, /^http-request allow\b/);
      if (before !== null) leave(line, before);
      else addAnswer(rules.requests, acls, action, rest, line, leave);
    } else if (action === "return") addAnswer(rules.requests, acls, action, rest, line, leave);
    else leave(line, insteadOf(action));
  }
  return {
    routes: reached(Object.values(rules).flat(), tell),
    monitor,
    request_headers: given(request),
    response_headers: given(response),
  };
}

const FORBIDDEN: Document = { respond: { status: 403 } };
const WAITS = "Tandem waits by itself for what its routes go by";

/** Why the routing lines of a section that has no routes are lost. */
export function reasonWithoutRoutes({ words }: Line): string {
  return onlyWaits(words) ? WAITS : "only frontends have routes; put it into those that lead here";
}

/** Lines that say for how long, or until what, a frontend looks into a connection. */
function onlyWaits([keyword, first, second]: readonly string[]): boolean {
  return keyword === "tcp-request" && (first === "inspect-delay" || (first === "content" && second === "accept"));
}

/** Why a rule that keeps out comes too late to do so alone, or null: an earlier one lets some through. */
function exemption(lines: readonly Line[], { line: last }: Line, lets: RegExp): string | null {
  const first = lines.find(({ line, words }) => line < last && lets.test(words.join(" ")));
  if (first === undefined) return null;
  return `line ${first.line} lets some through before it: a route's allow: and deny: keep apart who may enter`;
}

interface Refusing {
  readonly lines: readonly Line[];
  readonly mode: "http" | "tcp";
  readonly leave: Leave;
  /** Of lines that are carried, but not word for word. */
  readonly tell: Leave;
}

/** `tcp-request … reject`: in http, who is refused is told so. */
function addRefusal(routes: Carried[], acls: Acls, line: Line, { lines, mode, leave, tell }: Refusing): void {
  const [, first = "", action = "", ...condition] = line.words;
  if (onlyWaits(line.words)) return leave(line, WAITS);
  if (action === "expect-proxy") return leave(line, "a bind expects it: bind: { address, proxy_protocol: true }");
  if (action !== "reject") return leave(line, insteadOf(action));
  if (mode === "tcp") return leave(line, "routes of mode tcp refuse nobody: allow: and deny: belong to routes of http");
  const before = exemption(lines, line, new RegExp(`^tcp-request ${first} accept\\b`));
  if (before !== null) return leave(line, before);
  const carried = routes.length;
  addRoutes(routes, acls, condition, FORBIDDEN, line, leave);
  if (routes.length > carried) tell(line, "is answered with 403, where HAProxy closes the connection");
}

/** `use_backend`: to one that was left out leads nothing, and another must not get its requests. */
function addLeading(routes: Carried[], acls: Acls, line: Line, { mode, missing, leave }: Around): void {
  const [, written = "", ...condition] = line.words;
  if (/%\[/.test(written)) return leave(line, "names made of samples are not part of routes");
  const backend = importedName(written);
  if (!missing.has(backend)) return addRoutes(routes, acls, condition, { backend }, line, leave, mode);
  if (mode === "tcp") return leave(line, `backend ${backend} is left out: its connections go by the next route`);
  leave(line, `backend ${backend} is left out: its requests are answered with 503`);
  addRoutes(routes, acls, condition, { respond: { status: 503 } }, line, leave);
}

function insteadOf(action: string): string {
  if (action === "auth") return "a route's basic_auth: { realm, users } asks for passwords";
  if (/^(track-sc|sc-)/.test(action)) return RATE_LIMIT;
  if (/^(set|replace)-(path|uri|pathq|query)$/.test(action)) return "a route's rewrite: { path } changes the path";
  return `${action} is not part of routes`;
}

function addRoutes(
  routes: Carried[],
  acls: Acls,
  condition: readonly string[],
  action: Document,
  line: Line,
  leave: Leave,
  mode: "http" | "tcp" = "http",
): void {
  const matches = acls.matches(condition);
  if (isUncarried(matches)) return leave(line, matches.why);
  for (const match of matches) {
    const misplaced = Object.keys(match).find((key) => (mode === "tcp") !== (key === "sni") && key !== "client");
    if (misplaced !== undefined) return leave(line, `${misplaced} is nothing to go by in mode ${mode}`);
  }
  for (const match of matches) {
    const route = structuredClone(Object.keys(match).length === 0 ? action : { match, ...action });
    const why = faultOf(routeDecoder, route);
    if (why !== null) return leave(line, why);
    routes.push({ line, route });
  }
}

function addMonitor(path: string, line: Line, leave: Leave): Document | null {
  const why = faultOf(monitorDecoder, { path });
  if (why !== null) leave(line, why);
  return why === null ? { path } : null;
}

/** Routes up to the first that takes every request. */
function reached(carried: readonly Carried[], leave: Leave): readonly Document[] {
  const last = carried.findIndex(({ route }) => !("match" in route));
  if (last < 0) return carried.map(({ route }) => route);
  const why = `line ${carried[last].line.line} takes every request before it, as nothing here is TLS`;
  for (const line of new Set(carried.slice(last + 1).map(({ line }) => line))) leave(line, why);
  return carried.slice(0, last + 1).map(({ route }) => route);
}

/** Splits the words of an action from those of its condition. */
function atCondition(words: readonly string[]): readonly [readonly string[], readonly string[]] {
  const at = words.findIndex((word) => word === "if" || word === "unless");
  return at < 0 ? [words, []] : [words.slice(0, at), words.slice(at)];
}

function addRedirect(routes: Carried[], acls: Acls, words: readonly string[], line: Line, leave: Leave): void {
  const [[kind, to = "", ...options], condition] = atCondition(words);
  const code = options.indexOf("code");
  const status = code < 0 ? 302 : Number(options[code + 1]);
  if (options.length > (code < 0 ? 0 : 2)) return leave(line, "only code is carried of a redirect's options");
  if (/[%{}]/.test(to)) return leave(line, "formats are not carried");
  const target = { location: to, prefix: `${to}{uri}`, scheme: `${to}://{host}{uri}` }[kind];
  if (target === undefined) return leave(line, `redirect ${kind} is not part of routes`);
  addRoutes(routes, acls, condition, { redirect: { to: target, status } }, line, leave);
}

function addAnswer(
  routes: Carried[],
  acls: Acls,
  action: "deny" | "return",
  words: readonly string[],
  line: Line,
  leave: Leave,
): void {
  const [options, condition] = atCondition(words);
  const respond: Record<string, unknown> = { status: action === "deny" ? 403 : 200 };
  for (let i = 0; i < options.length; i += 2) {
    const [option, value = ""] = [options[i], options[i + 1]];
    if (option === "status" || option === "deny_status") respond.status = Number(value);
    else if (option === "content-type") respond.headers = { "content-type": value.replace(/[{}]/g, "$&$&") };
    else if (option === "string") respond.body = value;
    else if (option === "file" || option === "errorfile") respond.body = { file: value };
    else return leave(line, `${option} is not carried`);
  }
  if (options.includes("errorfile")) {
    return leave(line, "an errorfile has a head of its own: respond.body is the body alone");
  }
  addRoutes(routes, acls, condition, { respond }, line, leave);
}

function change(changes: Changes, action: string, words: readonly string[], line: Line, leave: Leave): void {
  const [[name = "", value = ""], condition] = atCondition(words);
  if (condition.length > 0) return leave(line, "fields are changed for all requests, or by a route");
  const template = value.replace(/[{}]/g, "$&$&").replaceAll("%[src]", "{client_ip}").replaceAll(
    "%[unique-id]",
    "{request_id}",
  );
  if (/%[[a-zA-Z]/.test(template)) return leave(line, "formats are not carried");
  if (/^x[-_]forwarded[-_](for|proto|host)$/i.test(name)) return leave(line, "forwardfor writes this field");
  const why = faultOf(fieldChanges, action === "del-header" ? { remove: [name] } : { set: { [name]: template } });
  if (why !== null) return leave(line, why);
  if (action === "del-header") changes.remove.push(name);
  else if (action === "set-header") changes.set[name] = template;
  else if (action === "add-header") changes.add[name] = template;
  else leave(line, `${action} is not part of routes`);
}

function given({ set, add, remove }: Changes): Document | undefined {
  const document: Record<string, unknown> = {};
  if (Object.keys(set).length > 0) document.set = set;
  if (Object.keys(add).length > 0) document.add = add;
  if (remove.length > 0) document.remove = remove;
  return Object.keys(document).length === 0 ? undefined : document;
}

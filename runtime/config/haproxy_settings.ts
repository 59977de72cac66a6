/** What `defaults`, `frontend`, `backend` and `listen` of haproxy.cfg say beside their binds and servers. */
import { type BalanceDocument, readBalance, readCookie, type StickyDocument } from "./haproxy_balance.ts";
import { backend } from "./backend_schema.ts";
import type { Decoder } from "./decoder.ts";
import { frontend } from "./frontend_schema.ts";
import { faultOf } from "./import_faults.ts";
import { type Health, initialHealth, ONLY_CONNECTS, readExternalCheck, readHealth } from "./haproxy_health.ts";
import { saysOfLogging } from "./haproxy_log.ts";
import { serverParameters } from "./haproxy_parameters.ts";
import { ROUTING } from "./haproxy_routes.ts";
import { insteadOf, type ServerLine } from "./haproxy_servers.ts";
import type { Leave, Line, Section } from "./haproxy_text.ts";
import { milliseconds } from "./haproxy_time.ts";
import { oldTimeouts, readTimeout } from "./haproxy_timeouts.ts";
import { stickiness } from "./stickiness_schema.ts";
import { importedName } from "./import_names.ts";
import { network } from "./value_decoders.ts";

/** What `defaults` and a proxy's own lines say; a proxy starts with a copy of its defaults'. */
export interface Settings {
  mode: "http" | "tcp";
  /** null: X-Forwarded-For is not set. */
  forwardfor: { readonly trusted: readonly string[] } | null;
  timeouts: Readonly<Record<string, string>>;
  maxconn: number | null;
  retries: number | null;
  defaultBackend: string | null;
  health: Health;
  serverDefaults: readonly string[];
  balance: BalanceDocument;
  sticky: StickyDocument | null;
  disabled: boolean;
  /** Where it was said, by keyword: "maxconn", "timeout tunnel", "option forwardfor". */
  said: Readonly<Record<string, Line>>;
}

export const initial: Settings = {
  mode: "tcp",
  forwardfor: null,
  timeouts: {},
  maxconn: null,
  retries: null,
  defaultBackend: null,
  health: initialHealth,
  serverDefaults: [],
  balance: null,
  sticky: null,
  disabled: false,
  said: {},
};

/** Lines that are not settings: binds, servers, and what decides about requests. */
export interface ProxyLines {
  readonly binds: readonly Line[];
  readonly servers: readonly ServerLine[];
  readonly routing: readonly Line[];
}

export function readProxy(section: Section, settings: Settings, leave: Leave): ProxyLines {
  const binds: Line[] = [];
  const servers: ServerLine[] = [];
  const routing: Line[] = [];
  const address = addressOnHead(section);
  if (address !== null) binds.push(address);
  for (const line of section.lines) {
    const [keyword] = line.words;
    if (keyword === "bind") binds.push(line);
    else if (keyword === "server") servers.push({ line, defaults: settings.serverDefaults });
    else if (ROUTING.has(keyword)) routing.push(line);
    else if (!saysOfLogging(line)) {
      const why = readSetting(line, settings, leave);
      if (why !== null) leave(line, why);
    }
  }
  return { binds, servers, routing };
}

/** Up to HAProxy 2.0, `frontend main *:5000` and `listen smtp :25` had their bind in the first line. */
function addressOnHead({ kind, head }: Section): Line | null {
  const words = head.words.slice(2);
  if (words.length === 0 || words[0] === "from" || (kind !== "frontend" && kind !== "listen")) return null;
  return { ...head, words: ["bind", ...words] };
}

/** Options of which a backend has one: how its servers are checked. */
const CHECKS: ReadonlySet<string> = new Set([
  "ldap-check",
  "mysql-check",
  "pgsql-check",
  "redis-check",
  "smtpchk",
  "spop-check",
  "ssl-hello-chk",
]);

function readSetting(line: Line, settings: Settings, leave: Leave): string | null {
  const [keyword, value, ...rest] = line.words;
  const key = keyword === "timeout" || keyword === "option" ? `${keyword} ${value}` : keyword;
  settings.said = { ...settings.said, [key]: line };
  switch (keyword) {
    case "mode":
      if (value !== "http" && value !== "tcp") return `mode ${value} is not part of Tandem`;
      settings.mode = value;
      return null;
    case "timeout":
      return setTimeoutOf(value, rest[0], settings);
    case "clitimeout":
    case "srvtimeout":
    case "contimeout":
      return setTimeoutOf(oldTimeouts.get(keyword) ?? "", value, settings);
    case "maxconn":
      // 0 is the limit of the process, which is what a frontend without one has.
      settings.maxconn = value === "0" ? null : numberFor(frontend.known.maxconn.decoder, value);
      return value === "0" ? null : faultOf(frontend.known.maxconn.decoder, Number(value));
    case "retries":
      settings.retries = numberFor(backend.known.retries.decoder, value);
      return faultOf(backend.known.retries.decoder, Number(value));
    case "disabled":
    case "enabled":
      settings.disabled = keyword === "disabled";
      return null;
    case "default_backend":
      if (value === undefined || /%\[/.test(value)) return "must be the name of a backend";
      settings.defaultBackend = importedName(value);
      return null;
    case "balance": {
      const read = readBalance(line);
      if ("why" in read) return read.why;
      const fault = faultOf(backend.known.balance.decoder, read.balance ?? "roundrobin");
      if (fault !== null) return `${fault}; roundrobin is used`;
      settings.balance = read.balance;
      for (const note of read.notes) leave(line, note);
      return null;
    }
    case "hash-type":
      if (value !== "consistent") return "keys are always hashed consistently";
      return rest.length === 0 ? null : `${rest.join(" ")} is not in this version: keys are hashed in one way`;
    case "cookie": {
      const read = readCookie(line);
      if ("why" in read) return read.why;
      const fault = faultOf(stickiness, read.sticky);
      if (fault !== null) return fault;
      settings.sticky = read.sticky;
      for (const note of read.notes) leave(line, note);
      return null;
    }
    case "default-server":
      settings.serverDefaults = [...settings.serverDefaults, ...line.words.slice(1)];
      for (const parameter of serverParameters(line.words.slice(1)).keys()) {
        const why = insteadOf(parameter);
        if (why !== null) leave(line, why);
      }
      return null;
    case "no":
      if (value === "option" && rest[0] === "forwardfor") settings.forwardfor = null;
      else if (value === "option" && rest[0] === "httpchk") settings.health = { ...settings.health, http: null };
      else if (value === "option" && rest[0] === "external-check") {
        settings.health = { ...settings.health, byProgram: false };
      } else return "means nothing to Tandem";
      return null;
    case "option":
      return readOption(line, settings, leave);
    case "http-check":
    case "tcp-check":
      return readHealth(line, settings);
    case "external-check":
      return readExternalCheck(line, settings);
    default:
      return reasonFor(keyword);
  }
}

function setTimeoutOf(name: string, text: string | undefined, settings: Settings): string | null {
  const read = readTimeout(name, text ?? "", settings.mode);
  const { [name]: _before, ...others } = settings.timeouts;
  if (typeof read === "string") settings.timeouts = { ...others, [name]: read };
  // What was said before is no longer true, but a line without meaning takes nothing back.
  else if (milliseconds(text ?? "") !== null) settings.timeouts = others;
  return typeof read === "string" ? null : read.why;
}

function numberFor(decoder: Decoder<unknown>, text: string | undefined): number | null {
  return isCount(text) && faultOf(decoder, Number(text)) === null ? Number(text) : null;
}

function readOption(line: Line, settings: Settings, leave: Leave): string | null {
  const [, name, ...options] = line.words;
  switch (name) {
    case "forwardfor": {
      const except = options.indexOf("except");
      if (options.includes("header") || options.includes("if-none")) {
        leave(line, "only X-Forwarded-For, always set, is carried");
      }
      const trusted = except < 0 ? [] : options.slice(except + 1, except + 2);
      const fault = trusted.map((written) => faultOf(network, written)).find((why) => why !== null) ?? null;
      settings.forwardfor = { trusted: fault === null ? trusted : [] };
      return fault;
    }
    case "httpchk":
      return readHealth(line, settings);
    case "external-check":
      return readExternalCheck(line, settings);
    case "tcp-check":
      settings.health = { ...settings.health, http: null, byProgram: false };
      return null;
    case "redispatch":
    case "dontlognull":
    case "http-keep-alive":
    case "http-no-delay":
    case "http-ignore-probes":
    case "tcp-smart-accept":
    case "tcp-smart-connect":
    case "tcpka":
    case "clitcpka":
    case "srvtcpka":
    case "splice-auto":
      // Tandem does so by itself.
      return null;
    default:
      if (CHECKS.has(name)) {
        settings.health = { ...settings.health, http: null, byProgram: false };
        return ONLY_CONNECTS;
      }
      return "means nothing to Tandem";
  }
}

function reasonFor(keyword: string): string {
  if (keyword === "server-template") return "its servers are missing here: list them one by one under servers:";
  if (keyword === "dispatch") return "its server is missing here: put it under servers:";
  if (keyword === "use-server") return "a route leads to a backend, and its balance: chooses the server";
  if (["stick", "stick-table", "appsession"].includes(keyword)) {
    return "there are no tables; stickiness: goes by a cookie or by client_ip";
  }
  if (keyword === "stats") return "the dashboard of the admin API takes its place (admin:)";
  if (keyword.startsWith("errorfile")) return ERROR_FILES;
  if (keyword === "compression") return "compression is not part of Tandem";
  return "means nothing to Tandem";
}

const ERROR_FILES =
  "a backend without servers can answer with a page: when_empty: { respond: { body: { file: PATH } } }";

export function isCount(text: string | undefined): boolean {
  return /^\d+$/.test(text ?? "");
}

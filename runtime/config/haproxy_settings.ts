/** What `defaults`, `frontend`, `backend` and `listen` of haproxy.cfg say beside their binds and servers. */
import { type BalanceDocument, readBalance, readCookie, type StickyDocument } from "./haproxy_balance.ts";
import { type Health, initialHealth, readExternalCheck, readHealth } from "./haproxy_health.ts";
import { saysOfLogging } from "./haproxy_log.ts";
import { ROUTING } from "./haproxy_routes.ts";
import type { Leave, Line, Section } from "./haproxy_text.ts";
import { time } from "./haproxy_time.ts";

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
};

/** Lines that are not settings: binds, servers, and what decides about requests. */
export interface ProxyLines {
  readonly binds: readonly Line[];
  readonly servers: readonly Line[];
  readonly routing: readonly Line[];
}

export function readProxy(section: Section, settings: Settings, leave: Leave): ProxyLines {
  const binds: Line[] = [];
  const servers: Line[] = [];
  const routing: Line[] = [];
  for (const line of section.lines) {
    const [keyword] = line.words;
    if (keyword === "bind") binds.push(line);
    else if (keyword === "server") servers.push(line);
    else if (ROUTING.has(keyword)) routing.push(line);
    else if (!saysOfLogging(line)) {
      const why = readSetting(line, settings, leave);
      if (why !== null) leave(line, why);
    }
  }
  return { binds, servers, routing };
}

/** Timeouts that Tandem has, by HAProxy's name; `check` is read with the servers. */
const timeouts: ReadonlySet<string> = new Set([
  "client",
  "server",
  "connect",
  "queue",
  "check",
  "http-request",
  "http-keep-alive",
  "tunnel",
]);

function readSetting(line: Line, settings: Settings, leave: Leave): string | null {
  const [keyword, value, ...rest] = line.words;
  switch (keyword) {
    case "mode":
      if (value !== "http" && value !== "tcp") return `mode ${value} is not part of Tandem`;
      settings.mode = value;
      return null;
    case "timeout": {
      const duration = time(rest[0] ?? "");
      if (!timeouts.has(value) || duration === null) return "Tandem has its own bounds for this";
      settings.timeouts = { ...settings.timeouts, [value]: duration };
      return null;
    }
    case "maxconn":
      if (!isCount(value)) return "must be a number";
      settings.maxconn = Number(value);
      return null;
    case "retries":
      if (!isCount(value)) return "must be a number";
      settings.retries = Number(value);
      return null;
    case "default_backend":
      if (value === undefined || /%\[/.test(value)) return "must be the name of a backend";
      settings.defaultBackend = value;
      return null;
    case "balance": {
      const read = readBalance(line);
      if ("why" in read) return read.why;
      settings.balance = read.balance;
      return null;
    }
    case "hash-type":
      return value === "consistent" ? null : "keys are always hashed consistently";
    case "cookie": {
      const read = readCookie(line);
      if ("why" in read) return read.why;
      settings.sticky = read.sticky;
      return null;
    }
    case "default-server":
      settings.serverDefaults = [...settings.serverDefaults, ...line.words.slice(1)];
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

function readOption(line: Line, settings: Settings, leave: Leave): string | null {
  const [, name, ...options] = line.words;
  switch (name) {
    case "forwardfor": {
      const except = options.indexOf("except");
      if (options.includes("header") || options.includes("if-none")) {
        leave(line, "only X-Forwarded-For, always set, is carried");
      }
      settings.forwardfor = { trusted: except < 0 ? [] : options.slice(except + 1, except + 2) };
      return null;
    }
    case "httpchk":
      return readHealth(line, settings);
    case "external-check":
      return readExternalCheck(line, settings);
    case "tcp-check":
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
      return "means nothing to Tandem";
  }
}

function reasonFor(keyword: string): string {
  if (keyword === "tcp-request") return "Tandem waits by itself for what its routes go by";
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

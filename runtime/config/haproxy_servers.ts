/** HAProxy's `server` lines, with what `default-server` says before them. */
import { isIP } from "node:net";
import { backend } from "./backend_schema.ts";
import { check } from "./check_schema.ts";
import { printAddress, readAddress } from "./haproxy_address.ts";
import { faultOf } from "./import_faults.ts";
import { checkOf, type Health } from "./haproxy_health.ts";
import { type Parameters, serverParameters } from "./haproxy_parameters.ts";
import type { Leave, Line } from "./haproxy_text.ts";
import { milliseconds, time } from "./haproxy_time.ts";
import { importedName, renamed } from "./import_names.ts";
import { serverEndpoint } from "./value_decoders.ts";

export type ServerDocument = string | Readonly<Record<string, unknown>>;

export interface Servers {
  /** Version of the PROXY header that they want; null = none. */
  readonly sendProxy: "v1" | "v2" | null;
  readonly servers: Readonly<Record<string, ServerDocument>>;
  /** null: no server is checked. */
  readonly check: Readonly<Record<string, unknown>> | null;
  /** null: none. */
  readonly slowStart: string | null;
  /** Sessions end when their server goes down. */
  readonly closes: boolean;
}

/** A server with the words of the `default-server` lines before it: those behind it say nothing of it. */
export interface ServerLine {
  readonly line: Line;
  readonly defaults: readonly string[];
}

export function readServers(
  lines: readonly ServerLine[],
  health: Health,
  checkTimeout: string | undefined,
  leave: Leave,
): Servers {
  const read: ReadServer[] = [];
  let sendProxy: "v1" | "v2" | null | undefined;
  for (const { line, defaults } of lines) {
    const [, given = "", written = ""] = line.words;
    const name = importedName(given);
    const parameters = serverParameters([...defaults, ...line.words.slice(3)]);
    // HAProxy tells a program the server's own port.
    if (checkOf(health)?.type === "command") parameters.delete("port");
    const address = addressOf(written);
    const taken = read.some((server) => server.name === name);
    const why = taken ? `is left out: there is a server "${name}" already` : reasonAgainst(address, parameters);
    if (why !== null || "why" in address) {
      leave(line, why ?? "");
      continue;
    }
    const version = headerVersion(parameters);
    if (sendProxy !== undefined && sendProxy !== version) {
      leave(line, "is left out: the servers of a backend all want a PROXY header of one version (send_proxy), or none");
      continue;
    }
    sendProxy = version;
    const other = renamed(given);
    if (other !== null) leave(line, other);
    if (address.note !== null) leave(line, address.note);
    for (const parameter of serverParameters(line.words.slice(3)).keys()) {
      const why = insteadOf(parameter);
      if (why !== null) leave(line, why);
    }
    dropFaults(parameters, (why) => leave(line, why));
    const cookie = parameters.get("cookie") ?? name;
    if (cookie !== name) leave(line, `the cookie's value is the server's name, "${name}", and not "${cookie}"`);
    read.push({ name, line, parameters, address: address.address });
  }
  const shared = read.find(({ parameters }) => parameters.has("check"))?.parameters;
  const servers = Object.fromEntries(read.map(({ name, address, parameters }): [string, ServerDocument] => {
    const document = {
      address,
      ...number(parameters, "weight"),
      ...number(parameters, "maxconn"),
      ...(parameters.has("backup") && { backup: true }),
      ...ownCheck(parameters, shared),
    };
    return [name, Object.keys(document).length === 1 ? address : document];
  }));
  const looked = checkOf(health);
  return {
    servers,
    sendProxy: sendProxy ?? null,
    check: shared === undefined
      ? null
      : { ...looked, ...timingOf(shared), ...(checkTimeout && { timeout: checkTimeout }) },
    slowStart: sharedSlowStart(read, leave),
    closes: sharedClose(read, leave),
  };
}

interface ReadServer {
  readonly name: string;
  readonly line: Line;
  readonly parameters: Parameters;
  /** As tandem.yaml writes it. */
  readonly address: string;
}

type ServerAddress = { readonly why: string } | { readonly address: string; readonly note: string | null };

function addressOf(written: string): ServerAddress {
  if (/^\/|^(unix|abns|fd|sockpair)@/.test(written)) {
    return { why: "is left out: a server has an address or a name, and a port" };
  }
  if (/\$/.test(written)) return { why: "is left out: environment variables are not read" };
  const read = readAddress(written);
  if (read === null) return { why: "is left out: it has no port of its own" };
  const address = printAddress(read.host, read.port);
  const fault = faultOf(serverEndpoint, address);
  if (fault !== null) return { why: `is left out: it ${fault}` };
  const resolved = read.family !== null && isIP(read.host) === 0;
  return { address, note: resolved ? `the name's addresses are used, not ${read.family}'s alone` : null };
}

/** All or none: a backend has one rule for sessions of a server that goes down. */
function sharedClose(read: readonly ReadServer[], leave: Leave): boolean {
  const closing = read.filter(({ parameters }) => parameters.get("on-marked-down") === "shutdown-sessions");
  if (closing.length < read.length) {
    for (const { line } of closing) leave(line, "sessions of all servers of the backend end when theirs goes down");
  }
  return closing.length > 0;
}

/** The longest ramp of all: a backend has one. */
function sharedSlowStart(read: readonly ReadServer[], leave: Leave): string | null {
  const written = read.filter(({ parameters }) => parameters.has("slowstart"));
  const first = written[0]?.parameters.get("slowstart");
  for (const { line, parameters } of written) {
    if (parameters.get("slowstart") !== first) leave(line, "comes up as slowly as the first server of the backend");
  }
  return first === undefined ? null : time(first);
}

const carried: ReadonlySet<string> = new Set([
  "check",
  "inter",
  "fall",
  "rise",
  "port",
  "weight",
  "send-proxy",
  "send-proxy-v2",
  "check-send-proxy",
  "backup",
  // Say why a server is left out.
  "disabled",
  "ssl",
  "fastinter",
  "maxconn",
  "slowstart",
  "cookie",
  "on-marked-down",
]);

/** The version of the PROXY header that a server wants; null = none. */
function headerVersion(parameters: Parameters): "v1" | "v2" | null {
  if (["send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn"].some((name) => parameters.has(name))) return "v2";
  return parameters.has("send-proxy") ? "v1" : null;
}

function reasonAgainst(address: ServerAddress, parameters: Parameters): string | null {
  if (parameters.has("disabled")) {
    return "is left out: it is disabled; tandem maint BACKEND/SERVER takes out one that is there";
  }
  if (parameters.has("ssl")) return "is left out: TLS to servers is not in this version";
  return "why" in address ? address.why : null;
}

/** Takes out what a server or its check could not be given, and tells why. */
function dropFaults(parameters: Map<string, string>, tell: (why: string) => void): void {
  for (const [name, value] of parameters) {
    const why = faultOfParameter(name, value);
    if (why === null) continue;
    parameters.delete(name);
    // 0 connections are as many as come.
    if (name !== "maxconn" || value !== "0") tell(`${name} ${why}`);
  }
}

function faultOfParameter(name: string, value: string): string | null {
  const written = /^\d+$/.test(value) ? Number(value) : value;
  switch (name) {
    case "weight":
    case "maxconn":
      return faultOf(backend, { servers: { server: { address: "192.0.2.1:80", [name]: written } } });
    case "port":
    case "rise":
    case "fall":
      return faultOf(check, { [name]: written });
    case "inter":
    case "fastinter":
      return faultOf(check, { interval: time(value) ?? value });
    case "slowstart":
      return milliseconds(value) === 0 ? null : faultOf(backend.known.slow_start.decoder, time(value) ?? value);
    default:
      return null;
  }
}

function number(parameters: Parameters, key: string): Record<string, number> {
  const value = parameters.get(key) ?? "";
  return /^\d+$/.test(value) ? { [key]: Number(value) } : {};
}

function timingOf(parameters: Parameters): Readonly<Record<string, unknown>> {
  const interval = time(parameters.get("inter") ?? "");
  const fast = time(parameters.get("fastinter") ?? "");
  return {
    ...number(parameters, "port"),
    ...(interval && { interval }),
    ...(fast && { fast_interval: fast }),
    ...number(parameters, "rise"),
    ...number(parameters, "fall"),
  };
}

/** What a server's check has other than the backend's, which is that of the first checked server. */
function ownCheck(parameters: Parameters, shared: Parameters | undefined): { readonly check?: unknown } {
  if (shared === undefined) return {};
  if (!parameters.has("check")) return { check: "none" };
  const [own, all] = [timingOf(parameters), timingOf(shared)];
  const keys = [...new Set([...Object.keys(all), ...Object.keys(own)])].filter((key) => own[key] !== all[key]);
  // What the backend's says and the server's does not has its default: null takes it back.
  return keys.length === 0 ? {} : { check: Object.fromEntries(keys.map((key) => [key, own[key] ?? null])) };
}

/** Why a parameter is not carried, and what to do instead; null: it is. */
export function insteadOf(parameter: string): string | null {
  if (carried.has(parameter)) return null;
  if (/^(observe|on-error|error-limit)$/.test(parameter)) {
    return "the backend's passive: { errors, eject } leaves servers alone that fail requests";
  }
  const missing = `${parameter} is not in this version`;
  if (parameter === "agent-check") return `${missing}: no agent is asked`;
  if (parameter === "addr") return `${missing}: checks go to the server's own address`;
  if (/^check-(ssl|sni|alpn)$/.test(parameter)) return `${missing}: checks speak plain text`;
  if (parameter === "redir") return `${missing}: requests go through the balancer to the server`;
  if (parameter === "track") return `${missing}: a server has a check of its own, or is always up`;
  return missing;
}

/** HAProxy's `server` lines, with what `default-server` says before them. */
import { checkOf, type Health } from "./haproxy_health.ts";
import type { Leave, Line } from "./haproxy_text.ts";
import { time } from "./haproxy_time.ts";
import { nameShape } from "./value_decoders.ts";

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

/** Parameters with a value; the others stand alone. */
const valued: ReadonlySet<string> = new Set([
  "inter",
  "fastinter",
  "downinter",
  "fall",
  "rise",
  "weight",
  "maxconn",
  "port",
  "addr",
  "cookie",
  "slowstart",
  "sni",
  "verify",
  "ca-file",
  "crt",
  "alpn",
  "check-sni",
  "resolvers",
  "init-addr",
  "maxqueue",
  "minconn",
  "on-marked-down",
  "observe",
  "error-limit",
  "on-error",
  "proto",
  "source",
  "id",
  "namespace",
  "track",
  "pool-max-conn",
  "proxy-v2-options",
  "pool-purge-delay",
  "verifyhost",
]);

export function readServers(
  lines: readonly Line[],
  defaults: readonly string[],
  health: Health,
  checkTimeout: string | undefined,
  leave: Leave,
): Servers {
  const read: { readonly name: string; readonly line: Line; readonly parameters: Parameters }[] = [];
  let sendProxy: "v1" | "v2" | null | undefined;
  for (const line of lines) {
    const [, name, address] = line.words;
    const parameters = readParameters([...defaults, ...line.words.slice(3)]);
    // HAProxy tells a program the server's own port.
    if (checkOf(health)?.type === "command") parameters.delete("port");
    const why = reasonAgainst(name, address, parameters);
    if (why !== null) {
      leave(line, why);
      continue;
    }
    const version = headerVersion(parameters);
    if (sendProxy !== undefined && sendProxy !== version) {
      leave(line, "is left out: the servers of a backend all want a PROXY header of one version (send_proxy), or none");
      continue;
    }
    sendProxy = version;
    for (const parameter of parameters.keys()) {
      if (!carried.has(parameter)) leave(line, insteadOf(parameter));
    }
    const cookie = parameters.get("cookie") ?? name;
    if (cookie !== name) leave(line, `the cookie's value is the server's name, "${name}", and not "${cookie}"`);
    read.push({ name, line, parameters });
  }
  const shared = read.find(({ parameters }) => parameters.has("check"))?.parameters;
  const servers = Object.fromEntries(read.map(({ name, line, parameters }): [string, ServerDocument] => {
    const document = {
      address: line.words[2],
      ...number(parameters, "weight"),
      ...number(parameters, "maxconn"),
      ...(parameters.has("backup") && { backup: true }),
      ...(parameters.has("disabled") && { weight: 0 }),
      ...ownCheck(parameters, shared),
    };
    return [name, Object.keys(document).length === 1 ? document.address : document];
  }));
  const check = checkOf(health);
  return {
    servers,
    sendProxy: sendProxy ?? null,
    check: shared === undefined
      ? null
      : { ...check, ...timingOf(shared), ...(checkTimeout && { timeout: checkTimeout }) },
    slowStart: sharedSlowStart(read, leave),
    closes: read.some(({ parameters }) => parameters.get("on-marked-down") === "shutdown-sessions"),
  };
}

/** The longest ramp of all: a backend has one. */
function sharedSlowStart(
  read: readonly { readonly line: Line; readonly parameters: Parameters }[],
  leave: Leave,
): string | null {
  const written = read.filter(({ parameters }) => parameters.has("slowstart"));
  const first = written[0]?.parameters.get("slowstart");
  for (const { line, parameters } of written) {
    if (parameters.get("slowstart") !== first) leave(line, "comes up as slowly as the first server of the backend");
  }
  return first === undefined ? null : time(first);
}

const carried: ReadonlySet<string> = new Set([
  "check",
  "no-check",
  "inter",
  "fall",
  "rise",
  "port",
  "weight",
  "send-proxy",
  "send-proxy-v2",
  "check-send-proxy",
  "backup",
  "disabled",
  "enabled",
  "fastinter",
  "maxconn",
  "slowstart",
  "cookie",
  "on-marked-down",
]);

type Parameters = ReadonlyMap<string, string>;

function readParameters(words: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    if (words[i] === "no-check") parameters.delete("check");
    else parameters.set(words[i], valued.has(words[i]) ? words[++i] ?? "" : "");
  }
  return parameters;
}

/** The version of the PROXY header that a server wants; null = none. */
function headerVersion(parameters: Parameters): "v1" | "v2" | null {
  return parameters.has("send-proxy-v2") ? "v2" : parameters.has("send-proxy") ? "v1" : null;
}

function reasonAgainst(
  name: string,
  address: string | undefined,
  parameters: Parameters,
): string | null {
  if (!nameShape.pattern.test(name ?? "")) return `the name must be ${nameShape.wanted}`;
  if (parameters.has("ssl")) return "is left out: TLS to servers is not in this version";
  const [, host] = /^(?:ipv[46]@)?\[?(.+?)\]?:\d+$/.exec(address ?? "") ?? [];
  return host === undefined ? "is left out: it has no port of its own" : null;
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

function insteadOf(parameter: string): string {
  if (/^(observe|on-error|error-limit)$/.test(parameter)) {
    return "the backend's passive: { errors, eject } leaves servers alone that fail requests";
  }
  return `${parameter} is not in this version`;
}

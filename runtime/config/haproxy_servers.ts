/** HAProxy's `server` lines, with what `default-server` says before them. */
import { isIP } from "node:net";
import type { Health } from "./haproxy_health.ts";
import type { Leave, Line } from "./haproxy_text.ts";
import { time } from "./haproxy_time.ts";
import { nameShape } from "./value_decoders.ts";

export type ServerDocument = string | Readonly<Record<string, unknown>>;

export interface Servers {
  readonly servers: Readonly<Record<string, ServerDocument>>;
  /** null: no server is checked. */
  readonly check: Readonly<Record<string, unknown>> | null;
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
  "pool-purge-delay",
  "verifyhost",
]);

export function readServers(
  lines: readonly Line[],
  defaults: readonly string[],
  { http }: Health,
  checkTimeout: string | undefined,
  leave: Leave,
): Servers {
  const servers: Record<string, ServerDocument> = {};
  const checks: { readonly line: Line; readonly timing: Readonly<Record<string, unknown>> | null }[] = [];
  for (const line of lines) {
    const [, name, address] = line.words;
    const parameters = readParameters([...defaults, ...line.words.slice(3)]);
    const why = reasonAgainst(name, address, parameters);
    if (why !== null) {
      leave(line, why);
      continue;
    }
    for (const parameter of parameters.keys()) {
      if (!carried.has(parameter)) leave(line, `${parameter} is not in this version`);
    }
    const document = {
      address,
      ...number(parameters, "weight"),
      ...(parameters.has("backup") && { backup: true }),
      ...(parameters.has("disabled") && { weight: 0 }),
    };
    servers[name] = Object.keys(document).length === 1 ? address : document;
    checks.push({ line, timing: parameters.has("check") ? timingOf(parameters) : null });
  }
  return { servers, check: sharedCheck(checks, http, checkTimeout, leave) };
}

const carried: ReadonlySet<string> = new Set([
  "check",
  "no-check",
  "inter",
  "fall",
  "rise",
  "port",
  "weight",
  "backup",
  "disabled",
  "enabled",
]);

function readParameters(words: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    if (words[i] === "no-check") parameters.delete("check");
    else parameters.set(words[i], valued.has(words[i]) ? words[++i] ?? "" : "");
  }
  return parameters;
}

function reasonAgainst(
  name: string,
  address: string | undefined,
  parameters: ReadonlyMap<string, string>,
): string | null {
  if (!nameShape.pattern.test(name ?? "")) return `the name must be ${nameShape.wanted}`;
  if (parameters.has("ssl")) return "is left out: TLS to servers is not in this version";
  if (parameters.has("send-proxy") || parameters.has("send-proxy-v2")) {
    return "is left out: proxy_protocol is not in this version";
  }
  const [, host] = /^(?:ipv[46]@)?\[?(.+?)\]?:\d+$/.exec(address ?? "") ?? [];
  if (host === undefined) return "is left out: it has no port of its own";
  return isIP(host) === 0 ? "is left out: host names are not in this version; give the address" : null;
}

function number(parameters: ReadonlyMap<string, string>, key: string): Record<string, number> {
  const value = parameters.get(key) ?? "";
  return /^\d+$/.test(value) ? { [key]: Number(value) } : {};
}

function timingOf(parameters: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  const interval = time(parameters.get("inter") ?? "");
  return {
    ...number(parameters, "port"),
    ...(interval && { interval }),
    ...number(parameters, "rise"),
    ...number(parameters, "fall"),
  };
}

/** A backend has one check: the first checked server's, and whoever differs is told. */
function sharedCheck(
  checks: readonly { readonly line: Line; readonly timing: Readonly<Record<string, unknown>> | null }[],
  http: Health["http"],
  checkTimeout: string | undefined,
  leave: Leave,
): Servers["check"] {
  const first = checks.find(({ timing }) => timing !== null)?.timing;
  if (first === undefined || first === null) return null;
  for (const { line, timing } of checks) {
    if (timing === null) leave(line, "is checked as well: a check is for all servers of a backend");
    else if (JSON.stringify(timing) !== JSON.stringify(first)) {
      leave(line, "is checked like the first server of the backend");
    }
  }
  return { ...http, ...first, ...(checkTimeout && { timeout: checkTimeout }) };
}

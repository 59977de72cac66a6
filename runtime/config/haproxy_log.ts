/**
 * What haproxy.cfg says of logging requests, as log.access. HAProxy has targets for each proxy, and events and requests on
 * the same one; Tandem has one place for the requests of all frontends, and its events go to stderr.
 */
import { isIP } from "node:net";
import { facilities } from "./log_schema.ts";
import type { Leave, Line, Section } from "./haproxy_text.ts";

type Document = Readonly<Record<string, unknown>>;

/** From the gravest to what requests have, and beyond. */
const LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const REQUESTS = LEVELS.indexOf("info");

/** Options that say something of logging, and what is made of them. */
const OPTIONS: ReadonlyMap<string, "format" | string> = new Map([
  ["httplog", "format"],
  ["tcplog", "format"],
  ["httpslog", "format"],
  ["logasap", "a request is logged when its response has ended"],
  ["dontlog-normal", "every request is logged; tandem logs --status 5xx shows those that failed"],
  ["log-separate-errors", "every request is logged alike; tandem logs --status 5xx shows those that failed"],
  ["log-health-checks", "events tell when the state of a server changes"],
]);

export function saysOfLogging({ words: [keyword, second] }: Line): boolean {
  if (keyword === "option") return OPTIONS.has(second);
  return keyword === "log" || keyword.startsWith("log-") || (keyword === "no" && second === "log");
}

/** log.access, or null where HAProxy logs no requests. */
export function readLogging(sections: readonly Section[], leave: Leave): Document | null {
  const lines = (kinds: readonly string[]) =>
    sections.filter(({ kind }) => kinds.includes(kind)).flatMap(({ lines }) => lines).filter(saysOfLogging);
  const globals = lines(["global"]);
  const proxies = lines(["defaults", "frontend", "listen", "backend"]);
  const isGlobal = ({ words }: Line) => words[0] === "log" && words[1] === "global";
  const used = proxies.some(isGlobal);
  let to: Document | string | null = null;
  for (const line of [...globals, ...proxies]) {
    if (line.words[0] !== "log" || isGlobal(line)) continue;
    if (globals.includes(line) && !used) {
      leave(line, 'no proxy says "log global", so no request is logged; events go to stderr');
      continue;
    }
    const read = readTarget(line);
    if (line.words.includes("sample")) leave(line, "every request is logged, not a sample of them");
    if ("why" in read) leave(line, read.why);
    else if (to === null) to = read.to;
    else if (JSON.stringify(to) !== JSON.stringify(read.to)) {
      leave(line, "requests are logged to one place, log.access.to");
    }
  }
  for (const line of [...globals, ...proxies]) {
    const why = line.words[0] === "log" ? null : reasonFor(line, to !== null);
    if (why !== null) leave(line, why);
  }
  return to === null ? null : { format: "text", to };
}

/** Why a line that names no target is not carried; null: it is. */
function reasonFor({ words: [keyword, second] }: Line, logs: boolean): string | null {
  if (keyword === "no") return "requests of all frontends are logged alike, by log.access";
  if (keyword === "option") {
    const meaning = OPTIONS.get(second) ?? "means nothing to Tandem";
    if (meaning !== "format") return meaning;
    return logs ? null : "no request is logged before a target is: log: { access: { format: text } }";
  }
  if (keyword.startsWith("log-format")) return "a line has the format log.access.format: json or text";
  return "means nothing to Tandem";
}

function readTarget({ words }: Line): { readonly to: Document | string } | { readonly why: string } {
  const [, target, ...rest] = words;
  while (["len", "format", "sample", "profile"].includes(rest[0])) rest.splice(0, 2);
  const [facility = "local0", most = "debug"] = rest;
  if (LEVELS.indexOf(most) < REQUESTS) return { why: `takes no requests, which are "info"; events go to stderr` };
  if (target === "stdout") return { to: "stdout" };
  if (target === "stderr") return { why: "stderr has Tandem's own log; log.access can go to stdout" };
  const [, kind = "", place] = /^(?:([a-z0-9]+)@)?(.*)$/.exec(target ?? "") ?? [];
  const syslog = receiverOf(place);
  if (!["", "udp", "udp4", "udp6", "ipv4", "ipv6", "unix", "tcp", "tcp4", "tcp6"].includes(kind) || syslog === null) {
    return {
      why: 'log.access.to is stdout, { file }, or { syslog } with an IP address, such as "192.0.2.1:514", or a path',
    };
  }
  const name = FACILITIES[facility] ?? facility;
  if (!facilities.includes(name)) return { why: `there is no facility ${name}` };
  const transport = kind.startsWith("tcp") ? { transport: "tcp" } : {};
  return { to: { syslog, ...transport, ...(name !== "local0" && { facility: name }) } };
}

/** HAProxy's names that syslog.conf does not have. */
const FACILITIES: Readonly<Record<string, string>> = { auth2: "authpriv" };

function receiverOf(place: string): string | null {
  if (place.startsWith("/")) return place;
  if (isIP(place) === 6) return `[${place}]:514`;
  const [, bracketed, plain, port = "514"] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(place) ?? [];
  const host = bracketed ?? plain ?? "";
  if (isIP(host) === 0) return null;
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

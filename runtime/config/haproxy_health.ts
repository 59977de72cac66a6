/** HAProxy's checks by HTTP (`option httpchk`, `http-check send`, `http-check expect`) and by program (`option external-check`). */
import { check } from "./check_schema.ts";
import { faultOf } from "./import_faults.ts";
import type { Line } from "./haproxy_text.ts";

export interface Health {
  /** null: a server is up when it accepts a connection. */
  readonly http: Readonly<Record<string, unknown>> | null;
  /** Said by `external-check command`, whether `option external-check` chooses it or not. */
  readonly program: string | null;
  readonly byProgram: boolean;
}

export const initialHealth: Health = { http: null, program: null, byProgram: false };

const OPEN = "servers that would fail this check get traffic";
export const ONLY_CONNECTS = `the check only connects; ${OPEN}`;

/** Where programs of `type: command` are looked for. */
const path = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The check that was chosen, as far as it says what is looked for. */
export function checkOf({ http, program, byProgram }: Health): Readonly<Record<string, unknown>> | null {
  return byProgram && program !== null ? { type: "command", command: [program], arguments: "haproxy" } : http;
}

/** Adds what a line about a program says, and answers why it cannot, or null. */
export function readExternalCheck(line: Line, settings: { health: Health }): string | null {
  const [keyword, name, value] = line.words;
  if (keyword === "option") {
    settings.health = { ...settings.health, byProgram: true };
    return null;
  }
  if (name === "command" && value !== undefined) {
    settings.health = { ...settings.health, program: value };
    return null;
  }
  const strange = name === "path" &&
    value?.split(":").find((directory) => !path.includes(directory.replace(/\/$/, "")));
  if (strange === undefined) return null;
  return strange
    ? `programs are found in ${path.join(":")}; name the others by their paths`
    : "means nothing to Tandem";
}

/** Adds what a line says to `settings.health`, and answers why it cannot, or null. */
export function readHealth(line: Line, settings: { health: Health }): string | null {
  const [keyword, name, ...rest] = line.words;
  const http = settings.health.http ?? { type: "http" };
  if (keyword === "option") {
    const [method, path, ...version] = rest.length === 1 ? [undefined, rest[0]] : rest;
    settings.health = { ...settings.health, http, byProgram: false };
    const asked = setHttp({ ...http, ...(path && { path }), ...fieldsBehind(version.join(" ")) }, settings);
    // Without a method HAProxy asks by OPTIONS.
    return asked ?? setMethod(method ?? "OPTIONS", settings);
  }
  if (keyword === "tcp-check") {
    return name === "comment" || (name === "connect" && rest.length === 0) ? null : ONLY_CONNECTS;
  }
  if (name === "send") return readSend(rest, http, settings);
  if (name === "comment") return null;
  if (name !== "expect") return `a check of this kind is not in this version; ${OPEN}`;
  const [kind, value, ...others] = rest[0] === "!" ? ["!"] : rest;
  if (kind !== "status" || value === undefined || others.length > 0) {
    return `only expect status is in this version; ${OPEN}`;
  }
  const status = value.split(",").map((one) => /^\d+$/.test(one) ? Number(one) : one);
  const fault = setHttp({ ...http, expect: { status } }, settings);
  return fault && `${fault}; ${OPEN}`;
}

/** Up to HAProxy 2.1, fields of the request stood behind its version: "HTTP/1.1\r\nHost: a.example". */
function fieldsBehind(version: string): Readonly<Record<string, unknown>> {
  const fields: Record<string, string> = {};
  for (const field of version.split(/\r?\n/).slice(1)) {
    const [, name, value] = /^([^:]+):\s*(.*?)\s*$/.exec(field) ?? [];
    if (name !== undefined) fields[name] = value;
  }
  const { Host: host, ...headers } = fields;
  return { ...(host && { host }), ...(Object.keys(headers).length > 0 && { headers }) };
}

/** Keeps a check that `check:` takes, and answers why it does not, or null. */
function setHttp(http: Readonly<Record<string, unknown>>, settings: { health: Health }): string | null {
  const fault = faultOf(check, http);
  if (fault === null) settings.health = { ...settings.health, http };
  return fault;
}

function setMethod(method: string, settings: { health: Health }): string | null {
  const { method: _before, ...http } = settings.health.http ?? { type: "http" };
  const fault = setHttp(method === "GET" ? http : { ...http, method }, settings);
  return fault && `the check asks by GET, not ${method}`;
}

function readSend(
  words: readonly string[],
  http: Readonly<Record<string, unknown>>,
  settings: { health: Health },
): string | null {
  const next: Record<string, unknown> = { ...http };
  let why: string | null = null;
  let method: string | null = null;
  for (let i = 0; i < words.length; i += 2) {
    const [key, value] = [words[i], words[i + 1]];
    if (key === "uri") next.path = value;
    else if (key === "meth" && value !== undefined) method = value;
    else if (key === "hdr") {
      const field = words[++i + 1];
      if (value === undefined || field === undefined) why = "hdr needs a name and a value";
      else if (value.toLowerCase() === "host") next.host = field;
      else next.headers = { ...next.headers as object, [value]: field };
    } else if (key !== "meth" && key !== "ver") why = `the check sends no ${key}`;
  }
  const fault = setHttp(next, settings) ?? (method === null ? null : setMethod(method, settings));
  return why ?? fault;
}

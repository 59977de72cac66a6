/** HAProxy's checks by HTTP (`option httpchk`, `http-check send`, `http-check expect`) and by program (`option external-check`). */
import type { Line } from "./haproxy_text.ts";

export interface Health {
  /** null: a server is up when it accepts a connection. */
  readonly http: Readonly<Record<string, unknown>> | null;
  /** Said by `external-check command`, whether `option external-check` chooses it or not. */
  readonly program: string | null;
  readonly byProgram: boolean;
}

export const initialHealth: Health = { http: null, program: null, byProgram: false };

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
    const [method, path, , ...version] = rest.length === 1 ? [undefined, rest[0]] : rest;
    const host = /Host:\s*([^\r\n]+)/i.exec([...version, rest[2] ?? ""].join(" "))?.[1].trim();
    settings.health = {
      ...settings.health,
      http: { ...http, ...(path && { path }), ...(host && { host }) },
      byProgram: false,
    };
    return method === undefined || method === "GET" || path === undefined
      ? null
      : `the check asks by GET, not ${method}`;
  }
  if (keyword === "tcp-check") return "a check of this kind is not in this version; connecting is enough";
  if (name === "send") return readSend(rest, http, settings);
  if (name !== "expect") return "a check of this kind is not in this version";
  const [kind, value] = rest[0] === "!" ? ["!"] : rest;
  if (kind !== "status" || value === undefined) return "only expect status is in this version";
  settings.health = {
    ...settings.health,
    http: { ...http, expect: { status: value.split(",").map((one) => /^\d+$/.test(one) ? Number(one) : one) } },
  };
  return null;
}

function readSend(
  words: readonly string[],
  http: Readonly<Record<string, unknown>>,
  settings: { health: Health },
): string | null {
  const next: Record<string, unknown> = { ...http };
  let why: string | null = null;
  for (let i = 0; i < words.length; i += 2) {
    const [key, value] = [words[i], words[i + 1]];
    if (key === "uri") next.path = value;
    else if (key === "meth" && value !== "GET") why = `the check asks by GET, not ${value}`;
    else if (key === "hdr") {
      const field = words[++i + 1];
      if (value === undefined || field === undefined) why = "hdr needs a name and a value";
      else if (value.toLowerCase() === "host") next.host = field;
      else next.headers = { ...next.headers as object, [value]: field };
    } else if (key !== "meth" && key !== "ver") why = `the check sends no ${key}`;
  }
  settings.health = { ...settings.health, http: next };
  return why;
}

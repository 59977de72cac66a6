/**
 * A slow second opinion on requests, written from the grammars of RFC 9110 and 9112 with regular expressions and
 * strings, sharing nothing with runtime/http.
 */

export interface OracleMessage {
  verdict: "whole";
  method: string;
  target: string;
  minor: number;
  fields: readonly (readonly [name: string, value: string])[];
  payload: string;
  trailers: readonly string[];
  /** Octets of the whole message. */
  consumed: number;
}

export type OracleVerdict = OracleMessage | { verdict: "bad" | "unfinished" };

const BAD: OracleVerdict = { verdict: "bad" };
const UNFINISHED: OracleVerdict = { verdict: "unfinished" };

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.([0-9])$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
const AUTHORITY =
  /^(?:\[(?=(?:[^:\]]*:){2})[0-9A-Fa-f:.]+\]|(?:[0-9A-Za-z\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+)(?::(\d*))?$/;
const CHUNK_LINE =
  // deno-lint-ignore no-control-regex
  /^([0-9A-Fa-f]{1,16})(?:[ \t]*;(?:[^"\x00-\x08\x0a-\x1f\x7f]|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*")*)?$/;

/** Reads the first request of `text` (Latin-1). */
export function readRequest(text: string): OracleVerdict {
  let start = 0;
  while (text.startsWith("\r\n", start)) start += 2;
  const end = text.indexOf("\r\n\r\n", start);
  if (end < 0) return UNFINISHED;
  const [requestLine, ...lines] = text.slice(start, end).split("\r\n");
  const request = REQUEST_LINE.exec(requestLine);
  if (request === null) return BAD;
  const [, method, target, minorText] = request;
  const minor = minorText === "0" ? 0 : 1;
  const fields: [string, string][] = [];
  for (const line of lines) {
    const field = FIELD_LINE.exec(line);
    if (field === null) return BAD;
    fields.push([field[1], field[2]]);
  }
  if (!isTarget(method, target) || !isHost(fields, target, minor)) return BAD;
  const expect = valuesOf(fields, "expect");
  if (minor === 1 && expect.length > 0 && (expect.length > 1 || expect[0].toLowerCase() !== "100-continue")) return BAD;
  const head = { method, target, minor, fields };
  return readBody(text, end + 4, head);
}

export function valuesOf(fields: OracleMessage["fields"], lower: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === lower).map(([, value]) => value);
}

function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT" || method === "TRACE") return false;
  if (target.startsWith("/")) return true;
  if (target === "*") return method === "OPTIONS";
  const absolute = /^https?:\/\/([^/?]+)/i.exec(target);
  return absolute !== null && isAuthority(absolute[1]);
}

function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  return match !== null && Number(match[1] ?? 0) <= 65535;
}

function isHost(fields: OracleMessage["fields"], target: string, minor: number): boolean {
  const hosts = valuesOf(fields, "host");
  if (hosts.length === 0) return minor === 0;
  if (hosts.length > 1 || !isAuthority(hosts[0])) return false;
  const absolute = /^(https?):\/\/([^/?]+)/i.exec(target);
  if (absolute === null) return true;
  const port = absolute[1].toLowerCase() === "https" ? 443 : 80;
  return normal(absolute[2], port) === normal(hosts[0], port);
}

function normal(authority: string, defaultPort: number): string {
  const port = /:(\d*)$/.exec(authority);
  const host = port === null ? authority : authority.slice(0, port.index);
  return `${host.toLowerCase()}:${Number(port?.[1] || defaultPort)}`;
}

type HeadFacts = Pick<OracleMessage, "method" | "target" | "minor" | "fields">;

function readBody(text: string, start: number, head: HeadFacts): OracleVerdict {
  const lengths = valuesOf(head.fields, "content-length");
  const codings = valuesOf(head.fields, "transfer-encoding");
  if (lengths.length > 1 || codings.length > 1 || (lengths.length > 0 && codings.length > 0)) return BAD;
  if (codings.length === 1) {
    return codings[0].toLowerCase() === "chunked" && head.minor === 1 ? readChunks(text, start, head) : BAD;
  }
  if (lengths.length === 1 && !/^[0-9]+$/.test(lengths[0])) return BAD;
  const length = lengths.length === 1 ? Number(lengths[0]) : 0;
  if (!Number.isSafeInteger(length)) return BAD;
  if (start + length > text.length) return UNFINISHED;
  return {
    verdict: "whole",
    ...head,
    payload: text.slice(start, start + length),
    trailers: [],
    consumed: start + length,
  };
}

function readChunks(text: string, start: number, head: HeadFacts): OracleVerdict {
  let payload = "";
  let p = start;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", p);
    if (lineEnd < 0) return UNFINISHED;
    const line = CHUNK_LINE.exec(text.slice(p, lineEnd));
    if (line === null) return BAD;
    const size = parseInt(line[1], 16);
    if (!Number.isSafeInteger(size)) return BAD;
    p = lineEnd + 2;
    if (size === 0) break;
    if (p + size + 2 > text.length) return UNFINISHED;
    if (text.slice(p + size, p + size + 2) !== "\r\n") return BAD;
    payload += text.slice(p, p + size);
    p += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = text.indexOf("\r\n", p);
    if (lineEnd < 0) return UNFINISHED;
    const line = text.slice(p, lineEnd);
    p = lineEnd + 2;
    if (line === "") return { verdict: "whole", ...head, payload, trailers, consumed: p };
    if (!FIELD_LINE.test(line)) return BAD;
    trailers.push(line);
  }
}

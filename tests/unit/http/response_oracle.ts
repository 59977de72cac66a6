/** The slow second opinion on responses; see oracle.ts. */

import { valuesOf } from "./oracle.ts";

export interface OracleResponse {
  verdict: "whole";
  status: number;
  reason: string;
  fields: readonly (readonly [name: string, value: string])[];
  payload: string;
  trailers: readonly string[];
  consumed: number;
  /** Nothing can follow on this connection. */
  last: boolean;
}

export type OracleResponseVerdict = OracleResponse | { verdict: "bad" | "unfinished" };

const BAD: OracleResponseVerdict = { verdict: "bad" };
const UNFINISHED: OracleResponseVerdict = { verdict: "unfinished" };

const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const CHUNK_LINE =
  // deno-lint-ignore no-control-regex
  /^([0-9A-Fa-f]{1,16})[ \t]*(?:;(?:[^"\x00-\x08\x0a-\x1f\x7f]|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*")*)?$/;

/** Reads the first response of `text` (Latin-1); `closed`: nothing will follow it. */
export function readResponse(text: string, closed: boolean): OracleResponseVerdict {
  // A line ends in LF, with or without CR before it.
  const lines: string[] = [];
  let at = 0;
  for (;;) {
    const lf = text.indexOf("\n", at);
    if (lf < 0) return UNFINISHED;
    const line = text.slice(at, text[lf - 1] === "\r" && lf > at ? lf - 1 : lf);
    at = lf + 1;
    if (line === "" && lines.length > 0) break;
    lines.push(line);
  }
  const statusLine = STATUS_LINE.exec(lines[0]);
  if (statusLine === null) return BAD;
  const fields: [string, string][] = [];
  for (const line of lines.slice(1)) {
    const field = FIELD_LINE.exec(line);
    if (field === null) return BAD;
    fields.push([field[1], field[2]]);
  }
  const minor = statusLine[1] === "0" ? 0 : 1;
  const status = Number(statusLine[2]);
  const head = { verdict: "whole" as const, status, reason: statusLine[3] ?? "", fields, trailers: [] as string[] };
  return readBody(text, at, head, minor, closed);
}

type Head = Omit<OracleResponse, "payload" | "consumed" | "last">;

function readBody(text: string, at: number, head: Head, minor: number, closed: boolean): OracleResponseVerdict {
  const lengths = valuesOf(head.fields, "content-length");
  const codings = valuesOf(head.fields, "transfer-encoding");
  if (lengths.length > 1 || codings.length > 1) return BAD;
  if (lengths.length === 1 && !(/^[0-9]+$/.test(lengths[0]) && Number.isSafeInteger(Number(lengths[0])))) return BAD;
  if (codings.length === 1 && codings[0].toLowerCase() !== "chunked") return BAD;
  const tokens = valuesOf(head.fields, "connection").join().toLowerCase().split(/[, \t]+/);
  const last = tokens.includes("close") || (minor === 0 && !tokens.includes("keep-alive"));
  if (head.status < 200 || head.status === 204 || head.status === 304) {
    return { ...head, payload: "", consumed: at, last };
  }
  if (codings.length === 1) {
    if (minor === 0) return BAD;
    return readChunks(text, at, { ...head, payload: "", consumed: at, last: last || lengths.length > 0 });
  }
  if (lengths.length === 1) {
    const length = Number(lengths[0]);
    if (at + length > text.length) return UNFINISHED;
    return { ...head, payload: text.slice(at, at + length), consumed: at + length, last };
  }
  if (!closed) return UNFINISHED;
  return { ...head, payload: text.slice(at), consumed: text.length, last: true };
}

function readChunks(text: string, at: number, response: OracleResponse): OracleResponseVerdict {
  let payload = "";
  const line = (): string | null => {
    const end = text.indexOf("\r\n", at);
    if (end < 0) return null;
    const got = text.slice(at, end);
    at = end + 2;
    return got;
  };
  for (;;) {
    const sizeLine = line();
    if (sizeLine === null) return UNFINISHED;
    const match = CHUNK_LINE.exec(sizeLine);
    if (match === null) return BAD;
    const size = parseInt(match[1], 16);
    if (!Number.isSafeInteger(size)) return BAD;
    if (size === 0) break;
    if (at + size + 2 > text.length) return UNFINISHED;
    payload += text.slice(at, at + size);
    if (text.slice(at + size, at + size + 2) !== "\r\n") return BAD;
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const trailer = line();
    if (trailer === null) return UNFINISHED;
    if (trailer === "") return { ...response, payload, trailers, consumed: at };
    if (!FIELD_LINE.test(trailer)) return BAD;
    trailers.push(trailer);
  }
}

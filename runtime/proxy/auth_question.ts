/** What a forward-auth server is asked about a request, and what its answer means for it. */
import { FLAGS, type Head, ID, STRIDE } from "../http/head.ts";
import { bytesOf, fieldName, type RequestHead, type ResponseHead } from "../http/mod.ts";
import type { Answer } from "./routes/answer.ts";
import type { ForwardAuthOptions } from "./routes/options.ts";
import type { RequestFacts } from "./routes/request_facts.ts";
import type { Granted } from "./routing.ts";

/** Fields that are about the message or its hop, and those that we say ourselves. */
const NOT_ASKED: ReadonlySet<number> = new Set([
  fieldName.HOST,
  fieldName.CONNECTION,
  fieldName.KEEP_ALIVE,
  fieldName.PROXY_CONNECTION,
  fieldName.TE,
  fieldName.TRAILER,
  fieldName.TRANSFER_ENCODING,
  fieldName.CONTENT_LENGTH,
  fieldName.EXPECT,
  fieldName.UPGRADE,
  fieldName.HTTP2_SETTINGS,
  fieldName.FORWARDED,
  fieldName.X_FORWARDED_FOR,
  fieldName.X_FORWARDED_PROTO,
  fieldName.X_FORWARDED_HOST,
  fieldName.SHADOW,
]);
/** Fields of a refusal that are not passed on. */
const NOT_RELAYED: ReadonlySet<number> = new Set([
  fieldName.CONNECTION,
  fieldName.KEEP_ALIVE,
  fieldName.PROXY_CONNECTION,
  fieldName.TE,
  fieldName.TRAILER,
  fieldName.TRANSFER_ENCODING,
  fieldName.CONTENT_LENGTH,
  fieldName.UPGRADE,
]);
const OURS = /^x[-_]forwarded[-_](method|uri)$/i;

/**
 * A GET with the fields of the request (its cookies and credentials are what is judged) and what it wants, in the fields
 * that Traefik, Caddy and oauth2-proxy agree on.
 */
export function authQuestion({ path }: ForwardAuthOptions, head: RequestHead, facts: RequestFacts): Uint8Array {
  let text = `GET ${path} HTTP/1.1\r\nHost: ${head.hostText() || "localhost"}\r\n`;
  for (let i = 0; i < head.count; i++) {
    if (isAmong(NOT_ASKED, head, i) || OURS.test(head.name(i))) continue;
    text += `${head.name(i)}: ${head.text(i)}\r\n`;
  }
  text += `X-Forwarded-Method: ${facts.method}\r\nX-Forwarded-Uri: ${facts.value("uri")}\r\n` +
    `X-Forwarded-Proto: ${facts.scheme}\r\nX-Forwarded-Host: ${head.hostText()}\r\n` +
    `X-Forwarded-For: ${facts.clientText}\r\n\r\n`;
  return bytesOf(text);
}

/** The fields that the request takes along; what it had under these names goes, also where the answer has none. */
export function granted({ copyHeaders }: ForwardAuthOptions, head: ResponseHead): Granted {
  let text = "";
  for (const name of copyHeaders) {
    const lower = bytesOf(name.toLowerCase());
    for (let i = head.find(lower); i >= 0; i = head.find(lower, i + 1)) text += `${name}: ${head.text(i)}\r\n`;
  }
  return { drop: copyHeaders.map((name) => bytesOf(name.toLowerCase())), lines: bytesOf(text) };
}

/** The refusal as the client gets it: a redirect to a login page, a challenge, a page. */
export function refusal(head: ResponseHead, body: Uint8Array): Answer {
  let lines = "";
  for (let i = 0; i < head.count; i++) {
    if (isAmong(NOT_RELAYED, head, i)) continue;
    lines += `${head.name(i)}: ${head.text(i)}\r\n`;
  }
  return { status: head.status, lines, body };
}

/** Whether a field is one of these, or nominated by Connection as meant for us only. */
function isAmong(ids: ReadonlySet<number>, head: Head, field: number): boolean {
  return ids.has(head.table[field * STRIDE + ID]) || head.table[field * STRIDE + FLAGS] !== 0;
}

/** Response heads on their way to a client: always HTTP/1.1, framed as the client's version understands. */

import { bytesOf, copy } from "./bytes.ts";
import type { FieldEdits } from "./field_edits.ts";
import * as field from "./field_name.ts";
import { hasToken } from "./connection.ts";
import { BY_CHUNKS, BY_CLOSE, ID, STRIDE } from "./head.ts";
import type { ResponseHead } from "./response_head.ts";
import { CONNECTION_LINES, copyLines, CRLF, DOES_NOT_FIT, OWN_LINES, put, staysHere } from "./write_fields.ts";
import { SAY_CLOSE, SAY_KEEP_ALIVE, SAY_UPGRADE, TRANSFER_CHUNKED } from "./write_fields.ts";

/** How a response is changed on its way. One object per thread will do; nothing here is kept. */
export interface ResponseRewrite {
  /** `RequestHead.minor` of the request. */
  readonly clientMinor: number;
  /** Whether the client's connection ends with this response; see `endsConnection`. */
  readonly close: boolean;
  readonly edits: FieldEdits | null;
  /** Further whole field lines. */
  readonly append: Uint8Array | null;
}

const VERSION = bytesOf("HTTP/1.1 ");
const H2C = bytesOf("h2c");

/** Whether the client's connection must end with this response, for its framing or because the client wants so. */
export function endsConnection(head: ResponseHead, clientMinor: number, clientKeepAlive: boolean): boolean {
  return !clientKeepAlive || head.framing === BY_CLOSE || unchunks(head, clientMinor);
}

/** Whether the body must lose its chunk framing: HTTP/1.0 has none (RFC 9112 §7.1). */
export function unchunks(head: ResponseHead, clientMinor: number): boolean {
  return clientMinor === 0 && head.framing === BY_CHUNKS;
}

/** Writes the head to `out[at, end)`; answers as `writeRequest`. */
export function writeResponse(
  out: Uint8Array,
  at: number,
  end: number,
  head: ResponseHead,
  rewrite: ResponseRewrite,
): number {
  if (at + mostOctets(head, rewrite) > end) return DOES_NOT_FIT;
  const { bytes, start, status } = head;
  at = copy(out, put(out, at, VERSION), bytes, start + head.statusStart, start + head.statusStart + 3);
  out[at++] = 0x20;
  at = put(out, copy(out, at, bytes, start + head.reasonStart, start + head.reasonEnd), CRLF);
  const upgrade = keepsUpgrade(head);
  at = copyPassing(out, at, head, rewrite, upgrade);
  if (mayBeChunked(head) && rewrite.clientMinor === 1) at = put(out, at, TRANSFER_CHUNKED);
  let say = upgrade ? SAY_UPGRADE : 0;
  if (status >= 200) {
    if (rewrite.close) say |= SAY_CLOSE;
    else if (rewrite.clientMinor === 0) say |= SAY_KEEP_ALIVE;
  }
  if (say !== 0) at = put(out, at, CONNECTION_LINES[say]);
  // A 101 is the answer to its request (§15.2.2), and may be the first that a client gets: it carries the sticky cookie.
  if (status >= 200 || status === 101) {
    if (rewrite.edits !== null) at = copy(out, at, rewrite.edits.append, 0, rewrite.edits.append.length);
    if (rewrite.append !== null) at = copy(out, at, rewrite.append, 0, rewrite.append.length);
  }
  return put(out, at, CRLF);
}

function mostOctets(head: ResponseHead, rewrite: ResponseRewrite): number {
  let most = head.length + head.count + OWN_LINES;
  if (rewrite.edits !== null) most += rewrite.edits.append.length;
  if (rewrite.append !== null) most += rewrite.append.length;
  return most;
}

/** 101 switches; 426 says what to switch to (RFC 9110 §15.5.22). Nothing else speaks of upgrades to our client. */
function keepsUpgrade(head: ResponseHead): boolean {
  if (!head.upgrade || (head.status !== 101 && head.status !== 426)) return false;
  return !hasToken(head.bytes, head.valueStart(head.upgradeField), head.valueEnd(head.upgradeField), H2C);
}

/** Transfer-Encoding goes out with a chunked body and where such a body was left out; never with 1xx and 204. */
function mayBeChunked(head: ResponseHead): boolean {
  return head.transferEncodings > 0 && head.status >= 200 && head.status !== 204;
}

function copyPassing(
  out: Uint8Array,
  at: number,
  head: ResponseHead,
  rewrite: ResponseRewrite,
  upgrade: boolean,
): number {
  const { count } = head;
  let run = 0;
  for (let i = 0; i < count; i++) {
    if (passes(head, i, rewrite, upgrade)) continue;
    at = copyLines(out, at, head, run, i);
    run = i + 1;
  }
  return copyLines(out, at, head, run, count);
}

function passes(head: ResponseHead, index: number, rewrite: ResponseRewrite, upgrade: boolean): boolean {
  if (staysHere(head, index, rewrite.edits)) return false;
  switch (head.table[index * STRIDE + ID]) {
    case field.UPGRADE:
      return upgrade;
    case field.CONTENT_LENGTH:
      // Not with a coding (RFC 9112 §6.2), not with 1xx and 204 (RFC 9110 §8.6).
      return head.transferEncodings === 0 && head.status >= 200 && head.status !== 204;
  }
  return true;
}

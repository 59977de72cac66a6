/**
 * Request heads on their way to an origin: always HTTP/1.1, without what was meant for us, with who the client is.
 *
 * There is no Via of ours (RFC 9110 §7.6.3), as there is none of HAProxy and nginx: nginx with its defaults does not
 * compress for who comes with one, and other origins are as shy. Who wants it configures the field.
 */

import { bytesOf, copy } from "./bytes.ts";
import { dropsField, type FieldEdits } from "./field_edits.ts";
import * as field from "./field_name.ts";
import { BY_CHUNKS, ID, NONE, STRIDE } from "./head.ts";
import { oneHopLess } from "./max_forwards.ts";
import { OPTIONS } from "./method.ts";
import type { RequestHead } from "./request_head.ts";
import { CONNECTION_LINES, copyLines, CRLF, DOES_NOT_FIT, OWN_LINES, put, staysHere } from "./write_fields.ts";
import { SAY_CLOSE, SAY_TE, SAY_UPGRADE, TRANSFER_CHUNKED } from "./write_fields.ts";

/** How a request is changed on its way. One object per route or thread will do; nothing here is kept. */
export interface RequestRewrite {
  /** The client's address as text, for X-Forwarded-For; null leaves all forwarding fields as they came. */
  readonly client: Uint8Array | null;
  /** `http` or `https`, for X-Forwarded-Proto. */
  readonly scheme: Uint8Array;
  /** The client is a proxy of ours: its forwarding fields are kept and X-Forwarded-For is appended to. */
  readonly trusted: boolean;
  /** Target to send instead of the received one. */
  readonly target: Uint8Array | null;
  /** Host for a request that names none, which only HTTP/1.0 clients send; the server's own address will do. */
  readonly host: Uint8Array;
  /** Ask the origin to close after its response. */
  readonly close: boolean;
  /** Pass a wish for an upgrade on, if the head has one. */
  readonly tunnel: boolean;
  readonly edits: FieldEdits | null;
  /** Further whole field lines. */
  readonly append: Uint8Array | null;
}

export const HTTP = bytesOf("http");
export const HTTPS = bytesOf("https");

const VERSION = bytesOf(" HTTP/1.1\r\n");
const HOST = bytesOf("host");
const HOST_COLON = bytesOf("Host: ");
const FOR_COLON = bytesOf("X-Forwarded-For: ");
const PROTO_COLON = bytesOf("X-Forwarded-Proto: ");
const XF_HOST_COLON = bytesOf("X-Forwarded-Host: ");
const TE_TRAILERS = bytesOf("TE: trailers\r\n");

/**
 * Writes the head to `out[at, end)`. Answers the offset behind it, or DOES_NOT_FIT if it might not fit; that is decided
 * before writing and by at most a few hundred octets too early.
 */
export function writeRequest(
  out: Uint8Array,
  at: number,
  end: number,
  head: RequestHead,
  rewrite: RequestRewrite,
): number {
  if (head.method === OPTIONS) rewrite = oneHopLess(head, rewrite);
  if (at + mostOctets(head, rewrite) > end) return DOES_NOT_FIT;
  const { bytes, start } = head;
  if (rewrite.target === null) at = copy(out, at, bytes, start + head.methodStart, start + head.targetEnd);
  else {
    at = copy(out, at, bytes, start + head.methodStart, start + head.targetStart);
    at = copy(out, at, rewrite.target, 0, rewrite.target.length);
  }
  at = put(out, at, VERSION);
  if (head.hostField < 0 && !setsHost(rewrite.edits)) at = writeHost(out, at, head, rewrite);
  at = copyPassing(out, at, head, rewrite);
  if (rewrite.client !== null) at = writeForwarding(out, at, head, rewrite, rewrite.client);
  if (head.framing === BY_CHUNKS) at = put(out, at, TRANSFER_CHUNKED);
  let say = rewrite.close ? SAY_CLOSE : 0;
  if (rewrite.tunnel && head.upgrade) say |= SAY_UPGRADE;
  if (head.trailersWelcome) {
    say |= SAY_TE;
    at = put(out, at, TE_TRAILERS);
  }
  if (say !== 0) at = put(out, at, CONNECTION_LINES[say]);
  if (rewrite.edits !== null) at = copy(out, at, rewrite.edits.append, 0, rewrite.edits.append.length);
  if (rewrite.append !== null) at = copy(out, at, rewrite.append, 0, rewrite.append.length);
  return put(out, at, CRLF);
}

/** What is received may be written twice at most: Host also as X-Forwarded-Host. */
function mostOctets(head: RequestHead, rewrite: RequestRewrite): number {
  let most = head.length + OWN_LINES + rewrite.host.length;
  if (head.hostField >= 0) most += head.valueEnd(head.hostField) - head.valueStart(head.hostField);
  else if (head.authorityStart >= 0) most += 2 * (head.authorityEnd - head.authorityStart);
  if (rewrite.client !== null) most += rewrite.client.length + rewrite.scheme.length;
  if (rewrite.target !== null) most += rewrite.target.length;
  if (rewrite.edits !== null) most += rewrite.edits.append.length;
  if (rewrite.append !== null) most += rewrite.append.length;
  return most;
}

/** Whether Host is among the configured fields, which are appended. */
function setsHost(edits: FieldEdits | null): boolean {
  return edits !== null && dropsField(edits, HOST, 0, HOST.length);
}

function writeHost(out: Uint8Array, at: number, head: RequestHead, rewrite: RequestRewrite): number {
  at = put(out, at, HOST_COLON);
  at = head.authorityStart === NONE
    ? copy(out, at, rewrite.host, 0, rewrite.host.length)
    : copy(out, at, head.bytes, head.start + head.authorityStart, head.start + head.authorityEnd);
  return put(out, at, CRLF);
}

function copyPassing(out: Uint8Array, at: number, head: RequestHead, rewrite: RequestRewrite): number {
  const { count } = head;
  let run = 0;
  for (let i = 0; i < count; i++) {
    if (passes(head, i, rewrite)) continue;
    at = copyLines(out, at, head, run, i);
    run = i + 1;
  }
  return copyLines(out, at, head, run, count);
}

function passes(head: RequestHead, index: number, rewrite: RequestRewrite): boolean {
  if (staysHere(head, index, rewrite.edits)) return false;
  switch (head.table[index * STRIDE + ID]) {
    case field.UPGRADE:
      return rewrite.tunnel && head.upgrade;
    case field.EXPECT:
      return head.minor === 1;
    case field.X_FORWARDED_FOR:
      return rewrite.client === null;
    case field.X_FORWARDED_PROTO:
    case field.X_FORWARDED_HOST:
    case field.FORWARDED:
      return rewrite.client === null || rewrite.trusted;
  }
  return true;
}

/** One line each, so that an origin that reads only the first or only the last one reads the same. */
function writeForwarding(
  out: Uint8Array,
  at: number,
  head: RequestHead,
  rewrite: RequestRewrite,
  client: Uint8Array,
): number {
  at = put(out, at, FOR_COLON);
  if (rewrite.trusted) {
    for (let i = head.findId(field.X_FORWARDED_FOR); i >= 0; i = head.findId(field.X_FORWARDED_FOR, i + 1)) {
      if (head.valueStart(i) === head.valueEnd(i)) continue;
      at = copy(out, at, head.bytes, head.valueStart(i), head.valueEnd(i));
      out[at++] = 0x2c;
      out[at++] = 0x20;
    }
  }
  at = put(out, copy(out, at, client, 0, client.length), CRLF);
  if (!rewrite.trusted || head.findId(field.X_FORWARDED_PROTO) < 0) {
    at = put(out, put(out, put(out, at, PROTO_COLON), rewrite.scheme), CRLF);
  }
  if (rewrite.trusted && head.findId(field.X_FORWARDED_HOST) >= 0) return at;
  let hostStart = head.start + head.authorityStart;
  let hostEnd = head.start + head.authorityEnd;
  if (head.hostField >= 0) {
    hostStart = head.valueStart(head.hostField);
    hostEnd = head.valueEnd(head.hostField);
  } else if (head.authorityStart === NONE) return at;
  at = put(out, at, XF_HOST_COLON);
  return put(out, copy(out, at, head.bytes, hostStart, hostEnd), CRLF);
}

/** Connection (RFC 9110 §7.6.1): what it says of the connection, and which fields it names as meant for us only. */

import { bytesOf, equalsIgnoreCase } from "./bytes.ts";
import * as field from "./field_name.ts";
import { FLAGS, type Head, ID, LINE, NAME_END, NOMINATED, STRIDE } from "./head.ts";
import { COMMA, HTAB, lowerCase, SP } from "./octet.ts";

/** Bits of `Head.connection`. */
export const CLOSE = 1;
export const KEEP_ALIVE = 2;
export const UPGRADE = 4;
/** Tokens that nominate fields. */
export const NOMINATES = 8;

const CLOSE_TOKEN = bytesOf("close");
const KEEP_ALIVE_TOKEN = bytesOf("keep-alive");
const UPGRADE_TOKEN = bytesOf("upgrade");

/** Takes in one Connection field. */
export function noteConnection(head: Head, bytes: Uint8Array, start: number, end: number): void {
  for (let p = start; p < end;) {
    const first = p = tokenStart(bytes, p, end);
    p = tokenEnd(bytes, p, end);
    if (p === first) continue;
    if (equalsIgnoreCase(bytes, first, p, KEEP_ALIVE_TOKEN)) head.connection |= KEEP_ALIVE;
    else if (equalsIgnoreCase(bytes, first, p, CLOSE_TOKEN)) head.connection |= CLOSE;
    else if (equalsIgnoreCase(bytes, first, p, UPGRADE_TOKEN)) head.connection |= UPGRADE;
    else head.connection |= NOMINATES;
  }
}

function tokenStart(bytes: Uint8Array, p: number, end: number): number {
  while (p < end && (bytes[p] === COMMA || bytes[p] === SP || bytes[p] === HTAB)) p++;
  return p;
}

function tokenEnd(bytes: Uint8Array, p: number, end: number): number {
  while (p < end && bytes[p] !== COMMA && bytes[p] !== SP && bytes[p] !== HTAB) p++;
  return p;
}

/** Whether a comma-separated list has the lower-case token; parameters behind ";" do not matter. */
export function hasToken(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  for (let p = start; p < end;) {
    const first = p = tokenStart(bytes, p, end);
    p = tokenEnd(bytes, p, end);
    let stop = first;
    while (stop < p && bytes[stop] !== 0x3b) stop++;
    if (stop > first && equalsIgnoreCase(bytes, first, stop, lower)) return true;
  }
  return false;
}

/**
 * Marks the fields that Connection names (RFC 9110 §7.6.1). Host, the framing fields and the forwarding fields cannot
 * be nominated away: a client that could do that would choose what the origin believes (CVE-2022-31813).
 */
export function markNominated(head: Head): void {
  const { table, bytes, start, count } = head;
  for (let i = 0; i < count; i++) {
    if (table[i * STRIDE + ID] !== field.CONNECTION) continue;
    const end = head.valueEnd(i);
    for (let p = head.valueStart(i); p < end;) {
      const first = p = tokenStart(bytes, p, end);
      p = tokenEnd(bytes, p, end);
      if (p === first) continue;
      for (let at = 0; at < count * STRIDE; at += STRIDE) {
        if (
          mayBeNominated(table[at + ID]) &&
          sameName(bytes, first, p, start + table[at + LINE], start + table[at + NAME_END])
        ) {
          table[at + FLAGS] |= NOMINATED;
        }
      }
    }
  }
}

function mayBeNominated(id: number): boolean {
  switch (id) {
    case field.HOST:
    case field.CONTENT_LENGTH:
    case field.TRANSFER_ENCODING:
    case field.X_FORWARDED_FOR:
    case field.X_FORWARDED_PROTO:
    case field.X_FORWARDED_HOST:
    case field.FORWARDED:
    // Upgrade is always named by Connection; whether it passes is the writer's decision.
    case field.UPGRADE:
      return false;
  }
  return true;
}

function sameName(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  while (a < aEnd) if (lowerCase(bytes[a++]) !== lowerCase(bytes[b++])) return false;
  return true;
}

/** Field lines of a head (RFC 9112 §5): one pass over the bytes, each line judged when its LF is there. */

import { bytesOf, equalsIgnoreCase } from "./bytes.ts";
import { hasToken, noteConnection } from "./connection.ts";
import * as field from "./field_name.ts";
import { FLAGS, type Head, type HeadLimits, ID, LINE, LINE_END, NAME_END, NEED_MORE, NONE } from "./head.ts";
import { REFUSED, REPEATED, STRIDE, VALUE as VALUE_START, VALUE_END } from "./head.ts";
import { COLON, CR, DIGIT, HTAB, LF, OCTET, SP, TOKEN, VALUE } from "./octet.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";

/** How one side of the proxy reads heads. */
export interface Dialect {
  readonly refusals: Readonly<Record<RefusalReason, Refusal>>;
  /** Whether LF alone ends a line (RFC 9112 §2.2 lets us choose): CGI scripts as origins do that, clients do not. */
  readonly bareLf: boolean;
}

/** Marks the head refused. */
export function refuse(head: Head, dialect: Dialect, reason: RefusalReason): typeof REFUSED {
  head.refusal = dialect.refusals[reason];
  return REFUSED;
}

/** The line at `head.line` is not whole: remembers how far was looked, so that no byte is looked at twice as often. */
export function waitForLine(head: Head, end: number, limits: HeadLimits, dialect: Dialect): number {
  head.scanned = end - head.start;
  return head.scanned > limits.headBytes ? refuse(head, dialect, "headTooLarge") : NEED_MORE;
}

/**
 * Something in the line at `head.line` is wrong. Says so only when the line is whole, so that the verdict on a message
 * does not depend on how the network cut it.
 */
export function refuseLine(
  head: Head,
  bytes: Uint8Array,
  at: number,
  end: number,
  limits: HeadLimits,
  dialect: Dialect,
  reason: RefusalReason,
): number {
  const lf = bytes.subarray(0, end).indexOf(LF, at);
  if (lf < 0) return waitForLine(head, end, limits, dialect);
  if (lf + 1 - head.start > limits.headBytes) return refuse(head, dialect, "headTooLarge");
  return refuse(head, dialect, reason);
}

/** Whether the line at `head.line`, seen before without its end, has its LF now. */
export function lineIsWhole(head: Head, bytes: Uint8Array, end: number): boolean {
  return head.scanned <= head.line || bytes.subarray(0, end).indexOf(LF, head.start + head.scanned) >= 0;
}

/**
 * Reads field lines from `head.line` on. Answers NEED_MORE, REFUSED, or the length of the head when its blank line was
 * read.
 */
export function parseFieldLines(
  head: Head,
  bytes: Uint8Array,
  end: number,
  limits: HeadLimits,
  dialect: Dialect,
): number {
  const { table, start } = head;
  const last = start + limits.headBytes;
  const most = Math.min(limits.fields, table.length / STRIDE);
  let p = start + head.line;
  for (;;) {
    const line = p;
    head.line = line - start;
    while (p < end && (OCTET[bytes[p]] & TOKEN) !== 0) p++;
    if (p === end) return waitForLine(head, end, limits, dialect);
    if (bytes[p] !== COLON || p === line) {
      if (p === line) {
        const blank = blankLine(head, bytes, p, end, dialect);
        if (blank > 0) return blank > last ? refuse(head, dialect, "headTooLarge") : blank - start;
        if (blank === NEED_MORE) return waitForLine(head, end, limits, dialect);
      }
      return refuseLine(head, bytes, p, end, limits, dialect, nameFault(bytes[p], p === line));
    }
    const nameEnd = p++;
    while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
    const value = p;
    while (p < end && (OCTET[bytes[p]] & VALUE) !== 0) p++;
    if (p === end) return waitForLine(head, end, limits, dialect);
    let valueEnd = p;
    if (bytes[p] === CR) {
      if (++p === end) return waitForLine(head, end, limits, dialect);
      if (bytes[p] !== LF) return refuseLine(head, bytes, p, end, limits, dialect, "bareCr");
    } else if (bytes[p] !== LF) {
      return refuseLine(head, bytes, p, end, limits, dialect, "fieldValue");
    } else if (dialect.bareLf) {
      head.bareLf = true;
    } else {
      return refuseLine(head, bytes, p, end, limits, dialect, "bareLf");
    }
    if (++p > last) return refuse(head, dialect, "headTooLarge");
    if (head.count >= most) return refuse(head, dialect, "tooManyFields");
    while (valueEnd > value && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;

    const at = head.count * STRIDE;
    const id = field.recognise(bytes, line, nameEnd);
    table[at + LINE] = line - start;
    table[at + NAME_END] = nameEnd - start;
    table[at + VALUE_START] = value - start;
    table[at + VALUE_END] = valueEnd - start;
    table[at + LINE_END] = p - start;
    table[at + ID] = id;
    table[at + FLAGS] = 0;
    if (id !== field.OTHER && id < field.X_FORWARDED_FOR) {
      const reason = note(head, bytes, id, value, valueEnd);
      if (reason !== null) return refuse(head, dialect, reason);
    }
    head.count++;
  }
}

/** Offset behind the blank line at `p`; NEED_MORE for half of one; −1 if it is something else. */
function blankLine(head: Head, bytes: Uint8Array, p: number, end: number, dialect: Dialect): number {
  if (bytes[p] === CR) {
    if (p + 1 === end) return NEED_MORE;
    return bytes[p + 1] === LF ? p + 2 : -1;
  }
  if (bytes[p] !== LF || !dialect.bareLf) return -1;
  head.bareLf = true;
  return p + 1;
}

function nameFault(octet: number, atLineStart: boolean): RefusalReason {
  if (octet === SP || octet === HTAB) return atLineStart ? "folded" : "spaceBeforeColon";
  if (octet === CR) return atLineStart ? "bareCr" : "noColon";
  if (octet === LF) return atLineStart ? "bareLf" : "noColon";
  return "fieldName";
}

/** Takes in one field the framing or the connection depends on; the reason if it is wrong in itself. */
function note(head: Head, bytes: Uint8Array, id: number, start: number, end: number): RefusalReason | null {
  switch (id) {
    case field.HOST:
      head.hostField = head.hostField === NONE ? head.count : REPEATED;
      return null;
    case field.CONTENT_LENGTH:
      // Equal ones could be merged (RFC 9110 §8.6); whoever sends two is not to be trusted with either.
      if (head.contentLength >= 0) return "lengthRepeated";
      head.contentLength = decimal(bytes, start, end);
      return head.contentLength < 0 ? "contentLength" : null;
    case field.TRANSFER_ENCODING:
      if (++head.transferEncodings > 1) return "transferEncoding";
      return equalsIgnoreCase(bytes, start, end, CHUNKED) ? null : codingFault(bytes, start, end);
    case field.CONNECTION:
      noteConnection(head, bytes, start, end);
      return null;
    case field.TE:
      if (hasToken(bytes, start, end, TRAILERS)) head.trailersWelcome = true;
      return null;
    case field.UPGRADE:
      head.upgradeField = head.upgradeField === NONE ? head.count : REPEATED;
      return null;
    case field.EXPECT:
      head.expectField = head.expectField === NONE ? head.count : REPEATED;
      return null;
  }
  return null;
}

const CHUNKED = bytesOf("chunked");
const TRAILERS = bytesOf("trailers");

/** 1*DIGIT below 2^53, else −1. */
function decimal(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    if ((OCTET[bytes[i]] & DIGIT) === 0) return -1;
    value = value * 10 + (bytes[i] - 0x30);
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}

/** One plain token is a coding we do not know (501, RFC 9112 §6.1); lists, quotes and parameters are tricks (400). */
function codingFault(bytes: Uint8Array, start: number, end: number): RefusalReason {
  if (start === end) return "transferEncoding";
  for (let i = start; i < end; i++) if ((OCTET[bytes[i]] & TOKEN) === 0) return "transferEncoding";
  return "codingUnknown";
}

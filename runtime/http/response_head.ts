/** Response heads (RFC 9112 §4): parsing and checking in one pass, resumable at any byte, allocating nothing. */

import { textOf } from "./bytes.ts";
import { CLOSE, KEEP_ALIVE, markNominated, NOMINATES, UPGRADE } from "./connection.ts";
import { type Dialect, lineIsWhole, parseFieldLines, refuse, refuseLine, waitForLine } from "./field_lines.ts";
import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, DEFAULT_LIMITS, Head, type HeadLimits, NO_BODY } from "./head.ts";
import { CR, DIGIT, LF, OCTET, SP, VALUE } from "./octet.ts";
import { type RefusalReason, RESPONSE } from "./refusal.ts";
import { isVersion } from "./version.ts";

/** A parsed response head. Offsets are relative to `start`. */
export class ResponseHead extends Head {
  /** 100–999. */
  status = 0;
  /** The three digits. */
  statusStart = 0;
  /** The reason phrase as sent, perhaps empty. */
  reasonStart = 0;
  reasonEnd = 0;

  override reset(): void {
    super.reset();
    this.status = 0;
  }

  /** Whether another response to the same request follows (RFC 9110 §15.2); 101 is final. */
  get interim(): boolean {
    return this.status < 200 && this.status !== 101;
  }

  /** The reason phrase as sent. */
  reasonText(): string {
    return textOf(this.bytes, this.start + this.reasonStart, this.start + this.reasonEnd);
  }
}

/** Parser stages. */
const STATUS_LINE = 0;
const FIELDS = 1;

const DIALECT: Dialect = { refusals: RESPONSE, bareLf: true };

/**
 * Parses the response head at `bytes[start, end)`; `toHead` says that it answers a HEAD request and so has no body.
 * Answers and resumption are those of `parseRequest`.
 */
export function parseResponse(
  head: ResponseHead,
  bytes: Uint8Array,
  start: number,
  end: number,
  toHead: boolean,
  limits: HeadLimits = DEFAULT_LIMITS,
): number {
  head.bytes = bytes;
  head.start = start;
  if (!lineIsWhole(head, bytes, end)) return waitForLine(head, end, limits, DIALECT);
  if (head.stage === STATUS_LINE) {
    const answer = parseStatusLine(head, bytes, end, limits);
    if (answer <= 0) return answer;
    head.line = answer - start;
    head.stage = FIELDS;
  }
  const length = parseFieldLines(head, bytes, end, limits, DIALECT);
  return length > 0 ? finish(head, length, toHead) : length;
}

/** Offset behind the status line, or NEED_MORE or REFUSED. */
function parseStatusLine(head: ResponseHead, bytes: Uint8Array, end: number, limits: HeadLimits): number {
  const { start } = head;
  // HTTP/1.1 SP 200: twelve octets. A peer that speaks something else is refused by its first one.
  if (start < end && bytes[start] !== 0x48) return refuse(head, DIALECT, "statusLine");
  if (start + 12 >= end || !isStatus(bytes, start)) {
    return refuseLine(head, bytes, start, end, limits, DIALECT, "statusLine");
  }
  let p = start + 12;
  // Servers that have no reason phrase tend to leave out its space too.
  if (bytes[p] === SP) p++;
  else if (bytes[p] !== CR && bytes[p] !== LF) {
    return refuseLine(head, bytes, p, end, limits, DIALECT, "statusLine");
  }
  const reason = p;
  while (p < end && (OCTET[bytes[p]] & VALUE) !== 0) p++;
  if (p === end) return waitForLine(head, end, limits, DIALECT);
  const reasonEnd = p;
  if (bytes[p] === CR) {
    if (++p === end) return waitForLine(head, end, limits, DIALECT);
    if (bytes[p] !== LF) return refuseLine(head, bytes, p, end, limits, DIALECT, "bareCr");
  } else if (bytes[p] === LF) head.bareLf = true;
  else return refuseLine(head, bytes, p, end, limits, DIALECT, "statusLine");
  if (++p - start > limits.headBytes) return refuse(head, DIALECT, "headTooLarge");

  head.minor = bytes[start + 7] === 0x30 ? 0 : 1;
  head.status = (bytes[start + 9] - 0x30) * 100 + (bytes[start + 10] - 0x30) * 10 + bytes[start + 11] - 0x30;
  head.statusStart = 9;
  head.reasonStart = reason - start;
  head.reasonEnd = reasonEnd - start;
  return p;
}

/** Whether `HTTP/1.d SP 3DIGIT` is at `p`, the first digit not 0. */
function isStatus(bytes: Uint8Array, p: number): boolean {
  return isVersion(bytes, p) && bytes[p + 5] === 0x31 && bytes[p + 8] === SP && bytes[p + 9] !== 0x30 &&
    (OCTET[bytes[p + 9]] & OCTET[bytes[p + 10]] & OCTET[bytes[p + 11]] & DIGIT) !== 0;
}

/** What only the whole head can tell: framing by RFC 9112 §6.3. */
function finish(head: ResponseHead, length: number, toHead: boolean): number {
  const reason = framingFault(head, toHead);
  if (reason !== null) return refuse(head, DIALECT, reason);
  const { connection } = head;
  head.keepAlive = head.minor === 1 ? (connection & CLOSE) === 0 : (connection & (KEEP_ALIVE | CLOSE)) === KEEP_ALIVE;
  // An origin that sends both length and coding may not mean what we read: nothing more is read from it (§6.3).
  if (head.framing === BY_CLOSE || (head.transferEncodings > 0 && head.contentLength >= 0)) head.keepAlive = false;
  head.upgrade = (connection & UPGRADE) !== 0 && head.upgradeField >= 0;
  if ((connection & NOMINATES) !== 0) markNominated(head);
  head.length = length;
  return length;
}

function framingFault(head: ResponseHead, toHead: boolean): RefusalReason | null {
  const { status } = head;
  if (toHead || status < 200 || status === 204 || status === 304) {
    head.framing = NO_BODY;
    return null;
  }
  if (head.transferEncodings > 0) {
    if (head.minor === 0) return "codingInHttp10";
    head.framing = BY_CHUNKS;
  } else if (head.contentLength >= 0) head.framing = head.contentLength > 0 ? BY_LENGTH : NO_BODY;
  else head.framing = BY_CLOSE;
  return null;
}

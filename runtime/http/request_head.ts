/** Request heads (RFC 9112 §3): parsing and checking in one pass, resumable at any byte, allocating nothing. */

import { bytesOf, equalsIgnoreCase, textOf } from "./bytes.ts";
import { CLOSE, hasToken, KEEP_ALIVE, markNominated, NOMINATES, UPGRADE } from "./connection.ts";
import { type Dialect, lineIsWhole, parseFieldLines, refuse, waitForLine } from "./field_lines.ts";
import {
  BY_CHUNKS,
  BY_LENGTH,
  DEFAULT_LIMITS,
  Head,
  type HeadLimits,
  NEED_MORE,
  NO_BODY,
  NONE,
  REPEATED,
} from "./head.ts";
import { hostFault, targetFault } from "./request_target.ts";
import { isVersion } from "./version.ts";
import { methodOf, OTHER_METHOD } from "./method.ts";
import { CR, LF, OCTET, SP, TARGET, TOKEN } from "./octet.ts";
import { type RefusalReason, REQUEST } from "./refusal.ts";

/** Bounds and choices for requests. */
export interface RequestLimits extends HeadLimits {
  /** Pass TRACE on. @default false, as it hands cookies to scripts */
  readonly trace?: boolean;
}

/** A parsed request head. Offsets are relative to `start`. */
export class RequestHead extends Head {
  /** Where the request line begins: behind empty lines, which are ignored (RFC 9112 §2.2). */
  methodStart = 0;
  methodEnd = 0;
  /** One of the constants of method.ts. */
  method = OTHER_METHOD;
  targetStart = 0;
  targetEnd = 0;
  /** Path of the target as sent, without query; empty for `*` and for an absolute target without path. */
  pathStart = 0;
  /** Where the query's "?" is, `targetEnd` if there is none. */
  pathEnd = 0;
  /** Authority of an absolute target; −1 for the usual target, a path. */
  authorityStart = NONE;
  authorityEnd = NONE;
  /** Expect: 100-continue from a client that understands a 100. */
  expectContinue = false;

  /** Whether the client has begun a request; before that, an idle connection may be closed without a word. */
  get begun(): boolean {
    return this.stage !== IDLE;
  }

  override reset(): void {
    super.reset();
    this.method = OTHER_METHOD;
    this.authorityStart = this.authorityEnd = NONE;
    this.expectContinue = false;
  }

  /** The method as sent. */
  methodText(): string {
    return textOf(this.bytes, this.start + this.methodStart, this.start + this.methodEnd);
  }

  /** The target as sent. */
  targetText(): string {
    return textOf(this.bytes, this.start + this.targetStart, this.start + this.targetEnd);
  }

  /** The path as sent, without the query. */
  pathText(): string {
    return textOf(this.bytes, this.start + this.pathStart, this.start + this.pathEnd);
  }

  /** Host as sent, else the authority of the target, else "". */
  hostText(): string {
    if (this.hostField >= 0) return this.text(this.hostField);
    if (this.authorityStart < 0) return "";
    return textOf(this.bytes, this.start + this.authorityStart, this.start + this.authorityEnd);
  }
}

/** Parser stages. */
const IDLE = 0;
const REQUEST_LINE = 1;
const FIELDS = 2;

const DIALECT: Dialect = { refusals: REQUEST, bareLf: false };
const CONTINUE = bytesOf("100-continue");
const H2C = bytesOf("h2c");

/**
 * Parses the request head at `bytes[start, end)`.
 *
 * Answers the head's length in octets (> 0; the body begins at `start` + length), NEED_MORE (0), or REFUSED (−1, see
 * `head.refusal`). After NEED_MORE, call again with the same head object and the same octets followed by more; they may
 * have moved to another buffer. Before a new message call `head.reset()`. The verdict does not depend on how the bytes
 * were cut, and no byte is looked at more than three times.
 */
export function parseRequest(
  head: RequestHead,
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: RequestLimits = DEFAULT_LIMITS,
): number {
  head.bytes = bytes;
  head.start = start;
  if (head.stage === IDLE) {
    const answer = skipEmptyLines(head, bytes, end, limits);
    if (answer <= 0) return answer;
    head.stage = REQUEST_LINE;
  }
  if (!lineIsWhole(head, bytes, end)) {
    return head.stage === REQUEST_LINE
      ? waitForRequestLine(head, end, limits)
      : waitForLine(head, end, limits, DIALECT);
  }
  if (head.stage === REQUEST_LINE) {
    const answer = parseRequestLine(head, bytes, end, limits);
    if (answer <= 0) return answer;
    head.line = answer - start;
    head.stage = FIELDS;
  }
  const length = parseFieldLines(head, bytes, end, limits, DIALECT);
  return length > 0 ? finish(head, bytes, length) : length;
}

/** Moves `head.line` to the first line that is not empty. Garbage such as a TLS hello is refused by its first octet. */
function skipEmptyLines(head: RequestHead, bytes: Uint8Array, end: number, limits: RequestLimits): number {
  let p = head.start + head.line;
  while (p < end && bytes[p] === CR) {
    if (p + 1 === end) return NEED_MORE;
    if (bytes[p + 1] !== LF) return refuse(head, DIALECT, "bareCr");
    p += 2;
    head.line = p - head.start;
    if (head.line > limits.headBytes) return refuse(head, DIALECT, "headTooLarge");
  }
  if (p >= end) return NEED_MORE;
  if ((OCTET[bytes[p]] & TOKEN) === 0) return refuse(head, DIALECT, bytes[p] === LF ? "bareLf" : "method");
  return p - head.start + 1;
}

/** Offset behind the request line, or NEED_MORE or REFUSED. */
function parseRequestLine(head: RequestHead, bytes: Uint8Array, end: number, limits: RequestLimits): number {
  const { start } = head;
  const line = start + head.line;
  let p = line;
  while (p < end && (OCTET[bytes[p]] & TOKEN) !== 0) p++;
  if (p === end || bytes[p] !== SP) return refuseRequestLine(head, bytes, p, end, limits, "method");
  const methodEnd = p++;
  const target = p;
  let query = -1;
  while (p < end && (OCTET[bytes[p]] & TARGET) !== 0) {
    if (bytes[p] === 0x3f && query < 0) query = p;
    p++;
  }
  if (p === end || bytes[p] !== SP) {
    return refuseRequestLine(head, bytes, p, end, limits, bytes[p] === CR ? "requestLine" : "target");
  }
  if (p === target) return refuseRequestLine(head, bytes, p, end, limits, "requestLine");
  const targetEnd = p++;
  if (p + 10 > end || !isVersion(bytes, p) || bytes[p + 8] !== CR || bytes[p + 9] !== LF) {
    const bareLf = p + 8 < end && isVersion(bytes, p) && bytes[p + 8] === LF;
    return refuseRequestLine(head, bytes, p, end, limits, bareLf ? "bareLf" : "version");
  }
  if (p + 10 - line > limits.requestLineBytes) return refuse(head, DIALECT, "targetTooLong");
  if (bytes[p + 5] !== 0x31) return refuse(head, DIALECT, "versionUnsupported");
  // A higher minor version is to be read as the highest we know (RFC 9110 §6.2).
  head.minor = bytes[p + 7] === 0x30 ? 0 : 1;

  head.methodStart = line - start;
  head.methodEnd = methodEnd - start;
  head.method = methodOf(bytes, line, methodEnd);
  head.targetStart = target - start;
  head.targetEnd = targetEnd - start;
  head.pathStart = head.targetStart;
  head.pathEnd = query < 0 ? head.targetEnd : query - start;
  const reason = targetFault(head, bytes, target, targetEnd, limits);
  return reason === null ? p + 10 : refuse(head, DIALECT, reason);
}

/** What only the whole head can tell. */
function finish(head: RequestHead, bytes: Uint8Array, length: number): number {
  const reason = hostFault(head, bytes) ?? framingFault(head) ?? expectFault(head, bytes);
  if (reason !== null) return refuse(head, DIALECT, reason);
  const { connection } = head;
  head.keepAlive = head.minor === 1 ? (connection & CLOSE) === 0 : (connection & (KEEP_ALIVE | CLOSE)) === KEEP_ALIVE;
  head.upgrade = wantsUpgrade(head, bytes);
  if ((connection & NOMINATES) !== 0) markNominated(head);
  head.length = length;
  return length;
}

function framingFault(head: RequestHead): RefusalReason | null {
  if (head.transferEncodings === 0) {
    head.framing = head.contentLength > 0 ? BY_LENGTH : NO_BODY;
    return null;
  }
  if (head.contentLength >= 0) return "lengthAndCoding";
  if (head.minor === 0) return "codingInHttp10";
  head.framing = BY_CHUNKS;
  return null;
}

/** HTTP/1.0 knows no 100, so there an expectation is ignored (RFC 9110 §10.1.1). */
function expectFault(head: RequestHead, bytes: Uint8Array): RefusalReason | null {
  if (head.expectField === NONE || head.minor === 0) return null;
  if (head.expectField === REPEATED) return "expectation";
  if (!equalsIgnoreCase(bytes, head.valueStart(head.expectField), head.valueEnd(head.expectField), CONTINUE)) {
    return "expectation";
  }
  head.expectContinue = true;
  return null;
}

/**
 * A tunnel is offered to the origin only by a request without body. HTTP/2 in clear text is never tunnelled: what goes
 * through it would pass by every rule of this proxy.
 */
function wantsUpgrade(head: RequestHead, bytes: Uint8Array): boolean {
  if ((head.connection & UPGRADE) === 0 || head.upgradeField < 0) return false;
  if (head.minor === 0 || head.framing !== NO_BODY) return false;
  const start = head.valueStart(head.upgradeField);
  const end = head.valueEnd(head.upgradeField);
  return start < end && !hasToken(bytes, start, end, H2C);
}

function waitForRequestLine(head: RequestHead, end: number, limits: RequestLimits): number {
  head.scanned = end - head.start;
  return head.scanned - head.line > limits.requestLineBytes ? refuse(head, DIALECT, "targetTooLong") : NEED_MORE;
}

/** As `refuseLine`, with 414 for what is too long. */
function refuseRequestLine(
  head: RequestHead,
  bytes: Uint8Array,
  at: number,
  end: number,
  limits: RequestLimits,
  reason: RefusalReason,
): number {
  const lf = bytes.subarray(0, end).indexOf(LF, at);
  if (lf < 0) return waitForRequestLine(head, end, limits);
  const tooLong = lf + 1 - head.start - head.line > limits.requestLineBytes;
  return refuse(head, DIALECT, tooLong ? "targetTooLong" : reason);
}

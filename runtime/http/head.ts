/**
 * What request and response heads have in common: a table of fields as offsets, and what the framing fields said.
 * A head object is made once and used for message after message; parsing allocates nothing.
 */

import { equalsIgnoreCase, textOf } from "./bytes.ts";
import type { Refusal } from "./refusal.ts";

/** Bounds of one head. */
export interface HeadLimits {
  /** Most octets of a head, blank line included. */
  readonly headBytes: number;
  /** Most octets of a request line, its CRLF included. */
  readonly requestLineBytes: number;
  /** Most field lines. */
  readonly fields: number;
}

/** As much as browsers with heavy cookies send, and two receive buffers. */
export const DEFAULT_LIMITS: HeadLimits = { headBytes: 32_768, requestLineBytes: 16_384, fields: 128 };

/** A parser's answer when the head is not whole: append what arrives next and call again with the same head object. */
export const NEED_MORE = 0;
/** A parser's answer when the message must not pass; `head.refusal` says why. */
export const REFUSED = -1;

/** No body follows. */
export const NO_BODY = 0;
/** `contentLength` octets follow. */
export const BY_LENGTH = 1;
/** Chunks follow. */
export const BY_CHUNKS = 2;
/** The body ends with the connection (responses only). */
export const BY_CLOSE = 3;
export type Framing = typeof NO_BODY | typeof BY_LENGTH | typeof BY_CHUNKS | typeof BY_CLOSE;

/** Int32 per field in `Head.table`: offsets from `Head.start`, then field id, then flags. */
export const STRIDE = 7;
/** Line start = name start. */
export const LINE = 0;
export const NAME_END = 1;
export const VALUE = 2;
export const VALUE_END = 3;
/** Behind the line's LF. */
export const LINE_END = 4;
/** One of the ids of field_name.ts. */
export const ID = 5;
/** NOMINATED or 0. */
export const FLAGS = 6;

/** The sender's Connection names this field as meant for us only. */
export const NOMINATED = 1;

/** No field of that kind. */
export const NONE = -1;
/** More than one field of a kind that must be alone to mean anything. */
export const REPEATED = -2;

/** The shared part of a parsed head. All offsets are relative to `start`, so a head may move between two calls. */
export class Head {
  bytes: Uint8Array = EMPTY;
  /** Where the head begins in `bytes`. */
  start = 0;
  /** Octets of the head, leading empty lines and the blank line at its end included; 0 until it is whole. */
  length = 0;
  /** Why the parser answered REFUSED. */
  refusal: Refusal | null = null;
  /** HTTP minor version as we act on it: 0 or 1. */
  minor = 1;
  framing: Framing = NO_BODY;
  /** Octets of the body where `framing` is BY_LENGTH; −1 where no Content-Length was sent. */
  contentLength = NONE;
  /** Whether the sender goes on using this connection after this message. */
  keepAlive = true;
  /** Connection and Upgrade agree on leaving HTTP for something that is not HTTP/2. */
  upgrade = false;

  /** Fields, `STRIDE` numbers each. */
  readonly table: Int32Array;
  /** Number of fields. */
  count = 0;
  /** Index of the only Host field, NONE or REPEATED. */
  hostField = NONE;
  /** Index of the Upgrade field, NONE or REPEATED. */
  upgradeField = NONE;
  /** Connection tokens, as bits. */
  connection = 0;
  /** TE has the token `trailers`: the sender reads trailers. */
  trailersWelcome = false;
  /** A line ended in LF alone (responses only): lines are not verbatim CRLF lines. */
  bareLf = false;
  /** Number of Transfer-Encoding fields. */
  transferEncodings = 0;
  /** Index of the Expect field, NONE or REPEATED. */
  expectField = NONE;

  /** Parser state: start of the line that is not whole yet, and how far its end was looked for. */
  line = 0;
  scanned = 0;
  stage = 0;

  constructor(fields: number = DEFAULT_LIMITS.fields) {
    this.table = new Int32Array(fields * STRIDE);
  }

  /** Forgets the message; called by the parsers' users before each new one. */
  reset(): void {
    this.start = this.length = 0;
    this.refusal = null;
    this.minor = 1;
    this.framing = NO_BODY;
    this.contentLength =
      this.hostField =
      this.upgradeField =
      this.expectField =
        NONE;
    this.keepAlive = true;
    this.upgrade = this.trailersWelcome = this.bareLf = false;
    this.count = this.connection = this.transferEncodings = 0;
    this.line = this.scanned = this.stage = 0;
  }

  /** Index of the first field with this id of field_name.ts at or behind `from`, −1 if there is none. */
  findId(id: number, from = 0): number {
    const { table, count } = this;
    for (let i = from; i < count; i++) if (table[i * STRIDE + ID] === id) return i;
    return NONE;
  }

  /** Index of the first field with this lower-case name at or behind `from`, −1 if there is none. */
  find(lowerName: Uint8Array, from = 0): number {
    const { table, count, bytes, start } = this;
    for (let i = from; i < count; i++) {
      const at = i * STRIDE;
      if (equalsIgnoreCase(bytes, start + table[at + LINE], start + table[at + NAME_END], lowerName)) return i;
    }
    return NONE;
  }

  /** Absolute offset of a field's value. */
  valueStart(field: number): number {
    return this.start + this.table[field * STRIDE + VALUE];
  }

  /** Absolute offset behind a field's value, trailing white space left out. */
  valueEnd(field: number): number {
    return this.start + this.table[field * STRIDE + VALUE_END];
  }

  /** Takes a field out of the message: it was meant for us only. */
  withhold(field: number): void {
    this.table[field * STRIDE + FLAGS] |= NOMINATED;
  }

  /** A field's name as text. */
  name(field: number): string {
    const at = field * STRIDE;
    return textOf(this.bytes, this.start + this.table[at + LINE], this.start + this.table[at + NAME_END]);
  }

  /** A field's value as text. */
  text(field: number): string {
    return textOf(this.bytes, this.valueStart(field), this.valueEnd(field));
  }
}

const EMPTY = new Uint8Array(0);

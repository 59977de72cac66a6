/** Trailer fields (RFC 9110 §6.5): which may pass, checked line by line at the end of a chunked body. */

import { textOf } from "./bytes.ts";
import { COLON, CR, LF, OCTET, TOKEN, VALUE } from "./octet.ts";

/** Most octets of a trailer section, dropped lines included. */
const TRAILER_BYTES = 8192;

/**
 * Fields that decide about framing, routing, authentication, conditions or the reading of the content must come before
 * it (RFC 9110 §6.5.1). Origins that merge trailers into the head would otherwise take them from behind our back.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ...[
    "content-length",
    "transfer-encoding",
    "trailer",
    "te",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
  ],
  ...["http2-settings", "host", "expect", "max-forwards", "forwarded", "authorization", "cookie", "set-cookie"],
  ...["www-authenticate", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "range"],
  ...["authentication-info", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"],
  ...["cache-control", "pragma", "age", "date", "expires", "location", "retry-after", "vary", "warning", "etag"],
  ...["last-modified", "content-encoding", "content-type", "content-range", "content-location", "content-disposition"],
  ...["accept-ranges", "origin", "referer", "x-real-ip", "x-request-id", "x-http-method-override", "x-original-url"],
]);

/** What to do with one line. */
export type TrailerVerdict = "pass" | "drop" | "malformed";

/** Judges the line `bytes[start, end)`, without its CRLF. */
export function judgeTrailer(bytes: Uint8Array, start: number, end: number): TrailerVerdict {
  let p = start;
  while (p < end && (OCTET[bytes[p]] & TOKEN) !== 0) p++;
  if (p === start || p === end || bytes[p] !== COLON) return "malformed";
  const name = textOf(bytes, start, p).toLowerCase().replaceAll("_", "-");
  while (++p < end) if ((OCTET[bytes[p]] & VALUE) === 0) return "malformed";
  return FORBIDDEN.has(name) || name.startsWith("x-forwarded-") || name.startsWith("access-control-") ? "drop" : "pass";
}

/** Collects the lines of one trailer section after another and keeps those that may pass. */
export class TrailerFilter {
  /** `kept[0, end)`: lines that pass, each with its CRLF. */
  kept: Uint8Array = EMPTY;
  end = 0;
  #line: Uint8Array = EMPTY;
  #lineEnd = 0;
  #octets = 0;

  reset(): void {
    this.end = this.#lineEnd = this.#octets = 0;
  }

  /** Counts an octet of the section; whether it is not too large. */
  admits(): boolean {
    return ++this.#octets <= TRAILER_BYTES;
  }

  /** Takes an octet of a line, which is held back until the line is whole. */
  hold(octet: number): void {
    if (this.#line.length === 0) this.#line = new Uint8Array(TRAILER_BYTES);
    this.#line[this.#lineEnd++] = octet;
  }

  /** The line is whole; false if it is malformed. */
  endLine(): boolean {
    const verdict = judgeTrailer(this.#line, 0, this.#lineEnd);
    if (verdict === "pass") {
      for (let i = 0; i < this.#lineEnd; i++) this.append(this.#line[i]);
      this.append(CR);
      this.append(LF);
    }
    this.#lineEnd = 0;
    return verdict !== "malformed";
  }

  append(octet: number): void {
    if (this.kept.length === 0) this.kept = new Uint8Array(TRAILER_BYTES + 2);
    this.kept[this.end++] = octet;
  }
}

const EMPTY = new Uint8Array(0);

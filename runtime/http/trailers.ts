/** Trailer fields (RFC 9110 §6.5): which may pass, checked line by line at the end of a chunked body. */

import { textOf } from "./bytes.ts";
import { COLON, OCTET, TOKEN, VALUE } from "./octet.ts";

/** Most octets of a trailer section, dropped lines included. */
export const TRAILER_BYTES = 8192;

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

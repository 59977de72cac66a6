/** Why a message is refused: one word for counters and tests, a status for the peer, a sentence for the log. */

export type RefusalReason =
  | keyof typeof REQUEST_REFUSALS
  | keyof typeof SHARED_REFUSALS
  | keyof typeof RESPONSE_REFUSALS;

/** A verdict on one message. Made once at start; parsers hand out references. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** For a request the answer to the client; for a response always 502. */
  readonly status: number;
  /** One sentence, without a full stop. */
  readonly text: string;
}

const REQUEST_REFUSALS = {
  method: [400, "Method is empty or has an octet that no token may have (RFC 9110 §9.1)"],
  requestLine: [400, "Request line is not METHOD SP TARGET SP VERSION (RFC 9112 §3)"],
  target: [400, 'Request target has a space, a control, a non-ASCII octet or "#" (RFC 9112 §3.2)'],
  targetForm: [
    400,
    "Request target is neither a path nor an http or https URI, or is * without OPTIONS (RFC 9112 §3.2)",
  ],
  targetTooLong: [414, "Request line is longer than the limit (RFC 9112 §3)"],
  version: [400, "Protocol version is not HTTP/1.x in upper case (RFC 9112 §2.3)"],
  versionUnsupported: [505, "Protocol version has another major number than 1 (RFC 9110 §15.6.6)"],
  connect: [405, "CONNECT is not for a reverse proxy (RFC 9110 §9.3.6)"],
  trace: [405, "TRACE is switched off (RFC 9110 §9.3.8)"],
  hostMissing: [400, "HTTP/1.1 request has no Host (RFC 9112 §3.2)"],
  hostRepeated: [400, "More than one Host (RFC 9112 §3.2)"],
  host: [400, "Host is empty or not HOST[:PORT] (RFC 9110 §7.2)"],
  hostMismatch: [400, "Authority of the request target differs from Host (RFC 9112 §3.2.2)"],
  lengthAndCoding: [400, "Both Content-Length and Transfer-Encoding (RFC 9112 §6.1)"],
  expectation: [417, "Expect is something else than 100-continue (RFC 9110 §10.1.1)"],
  bodyTooLarge: [413, "Body is larger than the limit (RFC 9110 §15.5.14)"],
} as const;

const SHARED_REFUSALS = {
  headTooLarge: [431, "Head is larger than the limit (RFC 6585 §5)"],
  tooManyFields: [431, "Head has more fields than the limit (RFC 6585 §5)"],
  fieldName: [400, "Field name is empty or has an octet that no token may have (RFC 9110 §5.1)"],
  spaceBeforeColon: [400, "White space between field name and colon (RFC 9112 §5.1)"],
  noColon: [400, "Field line without a colon (RFC 9112 §5)"],
  folded: [400, "Field line begins with white space: obsolete folding (RFC 9112 §5.2)"],
  fieldValue: [400, "Field value has a NUL or another control octet (RFC 9110 §5.5)"],
  bareCr: [400, "CR that is not followed by LF (RFC 9112 §2.2)"],
  bareLf: [400, "LF that does not follow CR (RFC 9112 §2.2)"],
  contentLength: [400, "Content-Length is not one decimal number below 2^53 (RFC 9112 §6.3)"],
  lengthRepeated: [400, "More than one Content-Length (RFC 9112 §6.3)"],
  transferEncoding: [400, "Transfer-Encoding is not exactly one chunked (RFC 9112 §6.1)"],
  codingUnknown: [501, "Transfer coding is not implemented (RFC 9112 §6.1)"],
  codingInHttp10: [400, "Transfer-Encoding in an HTTP/1.0 message (RFC 9112 §6.1)"],
  chunkSize: [400, "Chunk size is not 1 to 16 hexadecimal digits below 2^53 (RFC 9112 §7.1)"],
  chunkExtension: [400, "Chunk extension has a control octet or is too long (RFC 9112 §7.1.1)"],
  chunkEnd: [400, "Chunk data is not followed by CRLF (RFC 9112 §7.1)"],
  trailer: [400, "Trailer field is malformed or the trailers are too large (RFC 9112 §7.1.2)"],
} as const;

const RESPONSE_REFUSALS = {
  statusLine: [502, "Status line is not HTTP/1.x SP 3DIGIT [SP reason] (RFC 9112 §4)"],
} as const;

function refusals(of: Readonly<Record<string, readonly [number, string]>>, status?: number): Record<string, Refusal> {
  const entries = Object.entries(of).map(([reason, [own, text]]) => [
    reason,
    Object.freeze({ reason: reason as RefusalReason, status: status ?? own, text }),
  ]);
  return Object.fromEntries(entries);
}

/** Refusals of requests by reason, with the status the client gets. */
export const REQUEST: Readonly<Record<RefusalReason, Refusal>> = Object.freeze(
  refusals({ ...REQUEST_REFUSALS, ...SHARED_REFUSALS, ...RESPONSE_REFUSALS }) as Record<RefusalReason, Refusal>,
);

/** Refusals of responses by reason: whatever the origin did wrong is a 502 to the client. */
export const RESPONSE: Readonly<Record<RefusalReason, Refusal>> = Object.freeze(
  refusals({ ...REQUEST_REFUSALS, ...SHARED_REFUSALS, ...RESPONSE_REFUSALS }, 502) as Record<RefusalReason, Refusal>,
);

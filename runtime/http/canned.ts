/** Answers this proxy gives itself, as bytes prepared once. */

import { bytesOf } from "./bytes.ts";

/** Status, reason phrase, and one sentence for whoever looks at it with curl. */
const ANSWERS: readonly (readonly [number, string, string])[] = [
  [400, "Bad Request", "The request is not valid HTTP/1.1."],
  [403, "Forbidden", "This request is not allowed."],
  [404, "Not Found", "No route matches this request."],
  [405, "Method Not Allowed", "This method is not allowed here."],
  [408, "Request Timeout", "The request did not arrive in time."],
  [413, "Content Too Large", "The request body is larger than allowed."],
  [414, "URI Too Long", "The request target is longer than allowed."],
  [417, "Expectation Failed", "Only 100-continue can be expected here."],
  [429, "Too Many Requests", "Too many requests."],
  [431, "Request Header Fields Too Large", "The request head is larger than allowed."],
  [500, "Internal Server Error", "The balancer failed to process this request."],
  [501, "Not Implemented", "This transfer coding is not supported."],
  [502, "Bad Gateway", "The server's answer was not valid or broke off."],
  [503, "Service Unavailable", "No server is available to handle this request."],
  [504, "Gateway Timeout", "The server did not answer in time."],
  [505, "HTTP Version Not Supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here."],
];

/** Further fields by status. */
const FIELDS: Readonly<Record<number, string>> = {
  405: "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n",
};

/** How to answer. */
export interface CannedOptions {
  /** The client's connection ends with this answer. */
  readonly close: boolean;
  /** It answers a HEAD request: fields as ever, no body. */
  readonly toHead: boolean;
  /** `RequestHead.minor` of the request; 1.0 must be told that its connection stays. @default 1 */
  readonly clientMinor?: number;
}

/** One sentence about a status, as the prepared answers say it; of one that was not prepared, about the 500. */
export function explanation(status: number): string {
  const [, , text] = ANSWERS.find(([each]) => each === status) ?? ANSWERS.find(([each]) => each === 500) ?? [];
  return text ?? "";
}

const prepared = new Map<number, Uint8Array>();
for (const [status, reason, text] of ANSWERS) {
  for (let variant = 0; variant < 6; variant++) {
    prepared.set(status * 8 + variant, answer(status, reason, text, variant));
  }
}

/** Variants: +1 for HEAD; +2 stays open for 1.1, +4 stays open for 1.0. */
function answer(status: number, reason: string, text: string, variant: number): Uint8Array {
  const connection = variant < 2 ? "Connection: close\r\n" : variant < 4 ? "" : "Connection: keep-alive\r\n";
  return bytesOf(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length + 1}\r\n` +
      `Cache-Control: no-store\r\n${FIELDS[status] ?? ""}${connection}\r\n${(variant & 1) === 1 ? "" : text + "\n"}`,
  );
}

/** The whole answer for a status; one that was not prepared gets the 500. Shared: do not write into it. */
export function canned(status: number, options: CannedOptions): Uint8Array {
  const variant = (options.toHead ? 1 : 0) + (options.close ? 0 : options.clientMinor === 0 ? 4 : 2);
  return prepared.get(status * 8 + variant) ?? prepared.get(500 * 8 + variant) as Uint8Array;
}

/** Answers an `Expect: 100-continue` of which the origin need not know. */
export const CONTINUE: Uint8Array = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

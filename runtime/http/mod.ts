/**
 * HTTP/1.1 heads and bodies: parse, check, re-serialise (RFC 9110, RFC 9112). Pure: bytes in, bytes out, no I/O, no
 * clock, no allocation per message, no string unless someone asks for one.
 *
 * One exchange, as a proxy runs it with objects it made once:
 *
 *     request.reset();
 *     const n = parseRequest(request, bytes, start, end, limits);     // 0: append more bytes and call again
 *     if (n < 0) return send(canned(request.refusal.status, { close: true, toHead: false }));
 *     at = writeRequest(out, 0, out.length, request, rewrite);          // -1: does not fit
 *     body.begin(request.framing, request.contentLength, { of: "request", unchunk: false, most });
 *     used = body.decode(bytes, start + n, end);                        // send bytes[start + n, body.outEnd)
 *     if (body.state === BODY_DONE) …                                   // then send body.tail[0, body.tailEnd)
 *
 *     response.reset();
 *     const n = parseResponse(response, bytes, start, end, request.method === HEAD, limits);
 *     close = endsConnection(response, request.minor, request.keepAlive);
 *     at = writeResponse(out, 0, out.length, response, { clientMinor: request.minor, close, edits, append: null });
 *     body.begin(response.framing, response.contentLength, { of: "response", unchunk: unchunks(response, request.minor), most });
 *
 * @module
 */
export { bytesOf, equalsIgnoreCase, textOf } from "./bytes.ts";
export { BODY_DONE, BODY_MORE, BODY_REFUSED, BodyDecoder, type BodyOptions, type BodyState } from "./body.ts";
export { canned, type CannedOptions, CONTINUE } from "./canned.ts";
export { compileEdits, type FieldChanges, type FieldEdits } from "./field_edits.ts";
export { BY_CHUNKS, BY_CLOSE, BY_LENGTH, type Framing, NO_BODY } from "./head.ts";
export { DEFAULT_LIMITS, Head, type HeadLimits, NEED_MORE, NONE, REFUSED } from "./head.ts";
export * as fieldName from "./field_name.ts";
export { maxForwards } from "./max_forwards.ts";
export * as method from "./method.ts";
export { isIdempotent } from "./method.ts";
export type { Refusal, RefusalReason } from "./refusal.ts";
export { parseRequest, RequestHead, type RequestLimits } from "./request_head.ts";
export { parseResponse, ResponseHead } from "./response_head.ts";
export { DOES_NOT_FIT } from "./write_fields.ts";
export { HTTP, HTTPS, type RequestRewrite, writeRequest } from "./write_request.ts";
export { endsConnection, type ResponseRewrite, unchunks, writeResponse } from "./write_response.ts";

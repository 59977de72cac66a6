/** Request methods (RFC 9110 §9), recognised without making a string. They are case-sensitive. */

import { bytesOf } from "./bytes.ts";

/** A method we know nothing of: passed on, never retried. */
export const OTHER_METHOD = 0;
export const GET = 1;
export const HEAD = 2;
export const POST = 3;
export const PUT = 4;
export const DELETE = 5;
export const OPTIONS = 6;
export const PATCH = 7;
export const TRACE = 8;
export const CONNECT = 9;

const NAMES: readonly (readonly [number, Uint8Array])[] = [
  [GET, bytesOf("GET")],
  [POST, bytesOf("POST")],
  [HEAD, bytesOf("HEAD")],
  [PUT, bytesOf("PUT")],
  [DELETE, bytesOf("DELETE")],
  [OPTIONS, bytesOf("OPTIONS")],
  [PATCH, bytesOf("PATCH")],
  [TRACE, bytesOf("TRACE")],
  [CONNECT, bytesOf("CONNECT")],
];

/** Which method `bytes[start, end)` is. */
export function methodOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return GET;
  for (let n = 1; n < NAMES.length; n++) {
    const [method, name] = NAMES[n];
    if (name.length === end - start && startsWith(bytes, start, name)) return method;
  }
  return OTHER_METHOD;
}

function startsWith(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** Whether a request may be sent a second time though the first may have been acted upon (RFC 9110 §9.2.2). */
export function isIdempotent(method: number): boolean {
  return method === GET || method === HEAD || method === OPTIONS || method === PUT || method === DELETE ||
    method === TRACE;
}

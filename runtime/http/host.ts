/** The syntax of HOST[:PORT] in Host and in absolute targets (RFC 9110 §7.2, RFC 3986 §3.2). */

import { COLON, DIGIT, HEX, HOST, lowerCase, OCTET } from "./octet.ts";

/**
 * Whether `bytes[start, end)` is a non-empty host with an optional port of at most 65535. User information, IPvFuture
 * and zone identifiers are refused: no browser sends them and parsers disagree about them.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  const hostEnd = bytes[start] === 0x5b ? literalEnd(bytes, start, end) : nameEnd(bytes, start, end);
  return hostEnd > start && isPort(bytes, hostEnd, end);
}

/** Offset behind the name or IPv4 address at `start`. */
function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  for (; p < end; p++) {
    if ((OCTET[bytes[p]] & HOST) !== 0) continue;
    if (bytes[p] !== 0x25) break;
    if (p + 2 >= end || (OCTET[bytes[p + 1]] & HEX) === 0 || (OCTET[bytes[p + 2]] & HEX) === 0) return -1;
    p += 2;
  }
  return p;
}

/** Offset behind the `[IPv6]` at `start`, −1 if it is none. */
function literalEnd(bytes: Uint8Array, start: number, end: number): number {
  let colons = 0;
  for (let p = start + 1; p < end; p++) {
    if (bytes[p] === COLON) colons++;
    else if (bytes[p] === 0x5d) return colons >= 2 ? p + 1 : -1;
    else if ((OCTET[bytes[p]] & HEX) === 0 && bytes[p] !== 0x2e) return -1;
  }
  return -1;
}

/** Whether `bytes[p, end)` is nothing, or ":" and at most a port number. */
function isPort(bytes: Uint8Array, p: number, end: number): boolean {
  if (p === end) return true;
  if (bytes[p++] !== COLON) return false;
  let port = 0;
  for (; p < end; p++) {
    if ((OCTET[bytes[p]] & DIGIT) === 0) return false;
    port = port * 10 + bytes[p] - 0x30;
    if (port > 65535) return false;
  }
  return true;
}

/** Where the port's ":" of a valid authority is, `end` if it has none. */
export function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let p = end; p > start; p--) {
    if (bytes[p - 1] === COLON) return p - 1;
    if (bytes[p - 1] === 0x5d) return end;
  }
  return end;
}

/** Whether two valid authorities mean the same host and port, `defaultPort` standing for a missing one. */
export function sameAuthority(
  bytes: Uint8Array,
  a: number,
  aEnd: number,
  b: number,
  bEnd: number,
  defaultPort: number,
): boolean {
  const aHost = hostEnd(bytes, a, aEnd);
  const bHost = hostEnd(bytes, b, bEnd);
  if (aHost - a !== bHost - b) return false;
  for (let i = 0; i < aHost - a; i++) if (lowerCase(bytes[a + i]) !== lowerCase(bytes[b + i])) return false;
  return portOf(bytes, aHost, aEnd, defaultPort) === portOf(bytes, bHost, bEnd, defaultPort);
}

function portOf(bytes: Uint8Array, colon: number, end: number, defaultPort: number): number {
  if (end - colon <= 1) return defaultPort;
  let port = 0;
  for (let p = colon + 1; p < end; p++) port = port * 10 + bytes[p] - 0x30;
  return port;
}

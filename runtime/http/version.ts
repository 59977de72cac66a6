/** The eight octets of a protocol version (RFC 9112 §2.3). */

import { DIGIT, OCTET } from "./octet.ts";

/** Whether `HTTP/d.d` is at `p`; the caller knows that eight octets are there. */
export function isVersion(bytes: Uint8Array, p: number): boolean {
  return bytes[p] === 0x48 && bytes[p + 1] === 0x54 && bytes[p + 2] === 0x54 && bytes[p + 3] === 0x50 &&
    bytes[p + 4] === 0x2f && (OCTET[bytes[p + 5]] & DIGIT) !== 0 && bytes[p + 6] === 0x2e &&
    (OCTET[bytes[p + 7]] & DIGIT) !== 0;
}

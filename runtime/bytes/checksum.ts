/**
 * The Internet checksum (RFC 1071) in steps: `finish(add(add(0, header), body))`.
 *
 * Every part but the last must have an even length. Over bytes that contain a right checksum the result is 0.
 */
import type { Address } from "./address.ts";

/** Adds the 16-bit words of `bytes` to a running sum; an odd last byte is padded with zero. */
export function add(sum: number, bytes: Uint8Array): number {
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
  if (even < bytes.length) sum += bytes[even] << 8;
  return sum;
}

/** The checksum field for a sum: carries folded in, complemented. */
export function finish(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/**
 * The sum of a pseudo-header: source, destination, zero, protocol and upper-layer length.
 *
 * IPv4 (RFC 768) and IPv6 (RFC 8200 §8.1) differ in field widths only, which a one's complement sum does not see.
 */
export function pseudoHeader(source: Address, destination: Address, protocol: number, length: number): number {
  return add(add(protocol + (length >>> 16) + (length & 0xffff), source), destination);
}

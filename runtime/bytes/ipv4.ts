/** IPv4 packets without options that one host makes, and with any header that it receives (RFC 791). */
import type { Address } from "./address.ts";
import { Reader, Writer } from "./cursor.ts";

export interface IPv4Header {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  /** TTL. */
  readonly hopLimit: number;
  readonly tos: number;
}

export interface IPv4Packet {
  readonly source: Address;
  readonly destination: Address;
  readonly hopLimit: number;
  /** A view; without the padding that Ethernet adds to short frames. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

const headerLength = 20;

/** A packet for a socket with IP_HDRINCL: the kernel fills in identification and header checksum. */
export function encodeIPv4(header: IPv4Header, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = headerLength + payload.length;
  return new Writer(new Uint8Array(length))
    .u8(0x45).u8(header.tos).u16(length)
    .u32(0) // identification, flags, fragment offset
    .u8(header.hopLimit).u8(header.protocol).u16(0)
    .put(header.source).put(header.destination)
    .put(payload).bytes;
}

/** The packet in `bytes`, addresses copied; undefined when it is cut short or no IPv4. */
export function decodeIPv4(bytes: Uint8Array<ArrayBuffer>): IPv4Packet | undefined {
  if (bytes.length < headerLength || bytes[0] >> 4 !== 4) return undefined;
  const begin = (bytes[0] & 0x0f) * 4;
  const reader = new Reader(bytes);
  reader.skip(2);
  const length = reader.u16();
  if (begin < headerLength || length < begin || length > bytes.length) return undefined;
  reader.skip(4);
  const hopLimit = reader.u8();
  reader.skip(3);
  const source = reader.address(4);
  const destination = reader.address(4);
  return { source, destination, hopLimit, payload: bytes.subarray(begin, length) };
}

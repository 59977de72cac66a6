/**
 * The PROXY protocol of HAProxy, versions 1 and 2: who the client is, said by the proxy in front of us in the first bytes
 * of a connection, or by us to a server.
 *
 *     v1   PROXY TCP4 192.0.2.1 198.51.100.1 56324 443␍␊                   at most 107 octets
 *     v2   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | 2, command | family, transport | length | addresses | TLVs
 */
import { type Address, formatAddress, parseAddress } from "../bytes/address.ts";
import { Reader, Writer } from "../bytes/cursor.ts";

export interface TcpEndpoint {
  readonly address: Address;
  readonly port: number;
}

export type ProxyReading =
  /** The header is not whole. */
  | { readonly type: "more" }
  /** `length` octets are the header. No `peers`: it tells of nobody else, and the connection's own addresses hold. */
  | { readonly type: "header"; readonly length: number; readonly peers: ProxyPeers | null }
  | { readonly type: "refused"; readonly reason: RefusedHeader };

export interface ProxyPeers {
  readonly source: TcpEndpoint;
  readonly destination: TcpEndpoint;
}

export type RefusedHeader =
  | "signature"
  | "line"
  | "family"
  | "address"
  | "port"
  | "version"
  | "command"
  | "length"
  | "tlv";

export type ProxyVersion = "v1" | "v2";

/** Longest line of version 1, its end included. */
const MOST_LINE = 107;
/** Most octets behind the fixed part of version 2: a client's certificate has its place, a flood of TLVs has not. */
export const MOST_V2 = 16 * 1024;
const FIXED = 16;
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const PREFIX = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20];
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const MORE: ProxyReading = { type: "more" };

/** Reads the header at the beginning of `[start, end)`. */
export function readProxyHeader(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): ProxyReading {
  if (start === end) return MORE;
  const second = bytes[start] === SIGNATURE[0];
  const expected = second ? SIGNATURE : PREFIX;
  const known = Math.min(expected.length, end - start);
  for (let i = 0; i < known; i++) if (bytes[start + i] !== expected[i]) return refused("signature");
  if (known < expected.length) return MORE;
  return second ? readV2(bytes.subarray(start, end)) : readV1(bytes, start, end);
}

function readV1(bytes: Uint8Array, start: number, end: number): ProxyReading {
  const last = Math.min(end, start + MOST_LINE);
  const feed = bytes.indexOf(0x0a, start);
  if (feed < 0 || feed >= last) return end - start >= MOST_LINE ? refused("line") : MORE;
  if (bytes[feed - 1] !== 0x0d) return refused("line");
  const line = String.fromCharCode(...bytes.subarray(start + PREFIX.length, feed - 1));
  const length = feed + 1 - start;
  const [family, source, destination, sourcePort, destinationPort, ...rest] = line.split(" ");
  // "The receiver must ignore anything presented before the CRLF."
  if (family === "UNKNOWN") return { type: "header", length, peers: null };
  if (family !== "TCP4" && family !== "TCP6") return refused("family");
  if (destinationPort === undefined || rest.length > 0) return refused("line");
  const size = family === "TCP4" ? 4 : 16;
  const addresses = [source, destination].map((text) => addressOf(text, size));
  const ports = [sourcePort, destinationPort].map(portOf);
  const [from, to] = addresses;
  const [fromPort, toPort] = ports;
  if (from === null || to === null) return refused("address");
  if (fromPort === null || toPort === null) return refused("port");
  const peers = { source: { address: from, port: fromPort }, destination: { address: to, port: toPort } };
  return { type: "header", length, peers };
}

function addressOf(text: string, size: number): Address | null {
  try {
    const address = parseAddress(text);
    return address.length === size ? address : null;
  } catch {
    return null;
  }
}

/** Leading zeros are not permitted: some would read them as octal. */
function portOf(text: string): number | null {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535 ? Number(text) : null;
}

function readV2(bytes: Uint8Array<ArrayBuffer>): ProxyReading {
  if (bytes.length > 12 && bytes[12] >> 4 !== 2) return refused("version");
  if (bytes.length > 12 && bytes[12] !== LOCAL && bytes[12] !== PROXY) return refused("command");
  // Unassigned families and transports "must be rejected as invalid by receivers".
  if (bytes.length > 13 && (bytes[13] >> 4 > 3 || (bytes[13] & 15) > 2)) return refused("family");
  if (bytes.length < FIXED) return MORE;
  const announced = bytes[14] << 8 | bytes[15];
  if (announced > MOST_V2) return refused("length");
  const length = FIXED + announced;
  if (bytes.length < length) return MORE;
  const content = new Reader(bytes.subarray(FIXED, length));
  // The sender speaks for itself, such as to check our health: what it adds is to be discarded.
  if (bytes[12] === LOCAL) return { type: "header", length, peers: null };
  const [kind] = bytes.subarray(13, 14);
  const size = [0, 12, 36, 216][kind >> 4];
  if (content.remaining < size) return refused("length");
  const peers = kind === TCP4 ? readPeers(content, 4) : kind === TCP6 ? readPeers(content, 16) : null;
  // Unix sockets and datagrams have no address that a TCP client could have.
  if (peers === null) content.skip(size);
  return areTlvs(content) ? { type: "header", length, peers } : refused("tlv");
}

function readPeers(content: Reader, size: 4 | 16): ProxyPeers {
  const source = content.address(size);
  const destination = content.address(size);
  return {
    source: { address: source, port: content.u16() },
    destination: { address: destination, port: content.u16() },
  };
}

/** Nothing of them is used; those that do not fill their place exactly mean that sender and receiver disagree. */
function areTlvs(content: Reader): boolean {
  while (content.remaining > 0) {
    if (content.remaining < 3) return false;
    content.skip(1);
    const length = content.u16();
    if (length > content.remaining) return false;
    content.skip(length);
  }
  return true;
}

function refused(reason: RefusedHeader): ProxyReading {
  return { type: "refused", reason };
}

/** The header for a connection that a client's is passed on by; null peers: one of our own. */
export function writeProxyHeader(version: ProxyVersion, peers: ProxyPeers | null): Uint8Array<ArrayBuffer> {
  return version === "v1" ? writeV1(peers) : writeV2(peers);
}

function writeV1(peers: ProxyPeers | null): Uint8Array<ArrayBuffer> {
  if (peers === null) return new TextEncoder().encode("PROXY UNKNOWN\r\n");
  const { source, destination } = sameFamily(peers);
  const family = source.address.length === 4 ? "TCP4" : "TCP6";
  const addresses = `${formatAddress(source.address)} ${formatAddress(destination.address)}`;
  return new TextEncoder().encode(`PROXY ${family} ${addresses} ${source.port} ${destination.port}\r\n`);
}

function writeV2(peers: ProxyPeers | null): Uint8Array<ArrayBuffer> {
  const known = peers === null ? null : sameFamily(peers);
  const size = known === null ? 0 : 2 * known.source.address.length + 4;
  const bytes = new Uint8Array(FIXED + size);
  const writer = new Writer(bytes);
  writer.put(Uint8Array.from(SIGNATURE));
  writer.u8(known === null ? LOCAL : PROXY);
  writer.u8(known === null ? 0 : known.source.address.length === 4 ? TCP4 : TCP6);
  writer.u16(size);
  if (known === null) return bytes;
  writer.put(known.source.address);
  writer.put(known.destination.address);
  writer.u16(known.source.port);
  writer.u16(known.destination.port);
  return bytes;
}

/** A header has one family: where the two differ, IPv4 is written as IPv6 (RFC 4291 §2.5.5.2). */
function sameFamily({ source, destination }: ProxyPeers): ProxyPeers {
  if (source.address.length === destination.address.length) return { source, destination };
  return { source: mapped(source), destination: mapped(destination) };
}

function mapped({ address, port }: TcpEndpoint): TcpEndpoint {
  if (address.length === 16) return { address, port };
  const wide = new Uint8Array(16);
  wide.fill(0xff, 10, 12);
  wide.set(address, 12);
  return { address: wide, port };
}

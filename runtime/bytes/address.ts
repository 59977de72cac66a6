/** IP addresses as their bytes in network order: 4 for IPv4, 16 for IPv6. */

export type Address = Uint8Array<ArrayBuffer>;

/** A network, or an address on one: `prefix` is 0–32 or 0–128. */
export interface Cidr {
  readonly address: Address;
  readonly prefix: number;
}

export type Family = 4 | 6;

export function familyOf(address: Address): Family {
  return address.length === 4 ? 4 : 6;
}

/**
 * Parses "192.0.2.1" or "2001:db8::1". An IPv4 address has four decimal parts and no leading zeros; a zone is refused.
 *
 * @throws {SyntaxError} when `text` is no address.
 */
export function parseAddress(text: string): Address {
  const address = text.includes(":") ? parseIPv6(text) : parseIPv4(text);
  if (address === undefined) throw new SyntaxError(`Cannot parse address "${text}": expected IPv4 or IPv6`);
  return address;
}

/** Whether `text` is an address that {@linkcode parseAddress} takes. */
export function isAddress(text: string): boolean {
  return (text.includes(":") ? parseIPv6(text) : parseIPv4(text)) !== undefined;
}

/** "192.0.2.1", or the canonical IPv6 text of RFC 5952. */
export function formatAddress(address: Address): string {
  return address.length === 4 ? address.join(".") : formatIPv6(address);
}

/** Below 0, 0 or above 0: unsigned, in network order (RFC 9568 §6.4.3). IPv4 comes before IPv6. */
export function compareAddresses(one: Address, other: Address): number {
  if (one.length !== other.length) return one.length - other.length;
  for (let i = 0; i < one.length; i++) {
    if (one[i] !== other[i]) return one[i] - other[i];
  }
  return 0;
}

export function equalAddresses(one: Address, other: Address): boolean {
  return compareAddresses(one, other) === 0;
}

/** Whether the address is fe80::/10 (IPv6) or 169.254.0.0/16 (IPv4). */
export function isLinkLocal(address: Address): boolean {
  return address.length === 4
    ? address[0] === 169 && address[1] === 254
    : address[0] === 0xfe && (address[1] & 0xc0) === 0x80;
}

export function isMulticast(address: Address): boolean {
  return address.length === 4 ? address[0] >> 4 === 0xe : address[0] === 0xff;
}

/**
 * Parses "192.0.2.1/24"; without a prefix the network is the address alone.
 *
 * @throws {SyntaxError} when the address or the prefix length is wrong.
 */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const longest = address.length * 8;
  if (slash < 0) return { address, prefix: longest };
  const digits = text.slice(slash + 1);
  const prefix = /^(0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : NaN;
  if (!(prefix <= longest)) {
    throw new SyntaxError(`Cannot parse network "${text}": prefix length must be 0–${longest}, got "${digits}"`);
  }
  return { address, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.prefix}`;
}

/** Whether `address` lies in the network; an address of the other family does not. */
export function contains(network: Cidr, address: Address): boolean {
  if (network.address.length !== address.length) return false;
  const whole = network.prefix >> 3;
  for (let i = 0; i < whole; i++) {
    if (network.address[i] !== address[i]) return false;
  }
  const rest = network.prefix & 7;
  return rest === 0 || (network.address[whole] ^ address[whole]) >> (8 - rest) === 0;
}

function parseIPv4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const address = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // A leading zero means octal to some readers and decimal to others, so it means nothing here.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address[i] = Number(part);
  }
  return address;
}

function parseIPv6(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1], true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for one group of zeros at least.
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  const address = new Uint8Array(16);
  address.set(head);
  address.set(tail, 16 - tail.length);
  return address;
}

/** Bytes of "a:b:c" or, at the end of an address, "a:b:192.0.2.1"; the empty text has none. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (last && i === groups.length - 1 && group.includes(".")) {
      const embedded = parseIPv4(group);
      if (embedded === undefined) return undefined;
      bytes.push(...embedded);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function formatIPv6(address: Address): string {
  const groups = Array.from({ length: 8 }, (_, i) => address[2 * i] << 8 | address[2 * i + 1]);
  const gap = longestZeroRun(groups);
  const text = (from: number, to: number) => groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return gap.length < 2 ? text(0, 8) : `${text(0, gap.start)}::${text(gap.start + gap.length, 8)}`;
}

/** RFC 5952 §4.2.3: the longest run of zero groups is shortened, the first of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
    start += length;
  }
  return best;
}

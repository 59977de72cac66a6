/** The fields of a VRRP message as they lie on the wire, before anyone has judged them. */
import { add, finish, pseudoHeader } from "../bytes/checksum.ts";
import { type Address, parseAddress } from "../bytes/address.ts";
import { Reader } from "../bytes/cursor.ts";

/** IP protocol number of VRRP. */
export const protocolNumber = 112;

/** Where multicast advertisements go (RFC 9568 §5.1.1.2, §5.1.2.2). */
export const groups: { readonly ipv4: Address; readonly ipv6: Address } = {
  ipv4: parseAddress("224.0.0.18"),
  ipv6: parseAddress("ff02::12"),
};

export const headerLength = 8;
/** Version 2 always ends with this many bytes, zero where there is no password (RFC 3768 §5.3.10). */
export const authDataLength = 8;
export const advertisementType = 1;
export const AuthType = { none: 0, password: 1 } as const;

/** What the IP header said of a message. */
export interface Envelope {
  readonly source: Address;
  readonly destination: Address;
  /** TTL or hop limit. */
  readonly hopLimit: number;
}

/** Whether the pseudo-header is part of the checksum: "plain" is version 2, and RFC 9568 §5.2.8 for IPv4. */
export type ChecksumForm = "pseudo" | "plain";

export interface Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly version: number;
  readonly type: number;
  readonly virtualRouterId: number;
  readonly priority: number;
  readonly count: number;
  /** Version 2; 0 at any other. */
  readonly authType: number;
  /** In ms. */
  readonly interval: number;
}

/**
 * Reads the 8 bytes every version has.
 *
 * @throws {RangeError} when there are fewer.
 */
export function readMessage(bytes: Uint8Array<ArrayBuffer>): Message {
  const reader = new Reader(bytes);
  const first = reader.u8();
  const version = first >> 4;
  const virtualRouterId = reader.u8();
  const priority = reader.u8();
  const count = reader.u8();
  const timing = reader.u16();
  return {
    bytes,
    version,
    type: first & 0x0f,
    virtualRouterId,
    priority,
    count,
    authType: version === 2 ? timing >> 8 : AuthType.none,
    // §5.2.7: the upper four bits are reserved and ignored.
    interval: version === 2 ? (timing & 0xff) * 1000 : (timing & 0x0fff) * 10,
  };
}

/** Length that version, address count and family call for. */
export function wantedLength(version: number, count: number, addressLength: number): number {
  return headerLength + count * addressLength + (version === 2 ? authDataLength : 0);
}

export function addressesOf(message: Message, addressLength: 4 | 16): Address[] {
  const reader = new Reader(message.bytes);
  reader.skip(headerLength);
  return Array.from({ length: message.count }, () => reader.address(addressLength));
}

/** The last 8 bytes of a version 2 message. */
export function authDataOf(message: Message): Uint8Array<ArrayBuffer> {
  return message.bytes.subarray(message.bytes.length - authDataLength);
}

/** The checksum over a message in one form; 0 where the message already contains it. */
export function checksumOf(bytes: Uint8Array, envelope: Pick<Envelope, "source" | "destination">, form: ChecksumForm) {
  const start = form === "plain"
    ? 0
    : pseudoHeader(envelope.source, envelope.destination, protocolNumber, bytes.length);
  return finish(add(start, bytes));
}

/** The checksum forms a message of this version may have; only IPv4 at version 3 is read in two ways. */
export function checksumForms(version: number, addressLength: number, wanted: ChecksumForm | "auto"): ChecksumForm[] {
  if (version === 2) return ["plain"];
  if (addressLength === 16) return ["pseudo"];
  return wanted === "auto" ? ["pseudo", "plain"] : [wanted];
}

/** A password as version 2 carries it: 8 bytes, padded with zeros. */
export function authDataFrom(password: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(password);
  if (bytes.length > authDataLength) {
    throw new RangeError(`Cannot use a VRRP password of ${bytes.length} bytes: at most ${authDataLength} fit`);
  }
  const padded = new Uint8Array(authDataLength);
  padded.set(bytes);
  return padded;
}

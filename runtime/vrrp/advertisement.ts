/**
 * VRRP advertisements, bytes ⇄ value (RFC 3768 §5.1, RFC 9568 §5.1).
 *
 *     byte 0          1               2               3
 *     version│type    virtual router  priority        address count
 *     v2: auth type   interval (s)    checksum
 *     v3: 0│interval (12 bits, cs)    checksum
 *     addresses: 4 or 16 bytes each
 *     v2 only: 8 bytes of authentication data, zero where there is none
 */
import { type Address, equalAddresses } from "../bytes/address.ts";
import { Writer } from "../bytes/cursor.ts";
import { type Drop, inspect, type Inspection } from "./inspection.ts";
import {
  addressesOf,
  advertisementType,
  authDataFrom,
  AuthType,
  type ChecksumForm,
  checksumOf,
  type Envelope,
  headerLength,
  readMessage,
  wantedLength,
} from "./message.ts";

export interface Advertisement {
  readonly version: 2 | 3;
  readonly virtualRouterId: number;
  /** 0 = the active router gives up, 255 = address owner. */
  readonly priority: number;
  /** Advertisement interval in ms: whole seconds at version 2, 10–40950 at version 3. */
  readonly interval: number;
  readonly addresses: readonly Address[];
}

export interface EncodeOptions {
  readonly source: Address;
  readonly destination: Address;
  /** Version 2 only; null = authentication type 0. */
  readonly password: string | null;
  /** Version 3 over IPv4 only; all else has one form. */
  readonly checksum: ChecksumForm;
}

export type Decoded = { readonly type: "advertisement"; readonly advertisement: Advertisement } | Drop;

const mostAddresses = 255;
/** Ethernet MTU without IP header, the virtual router's header and version 2's trailer. */
const addressRoom = { 4: 1500 - 20 - headerLength - 8, 16: 1500 - 40 - headerLength } as const;

/**
 * An advertisement from the bytes of a VRRP message, or why it was dropped.
 *
 * `bytes` ends where the IP packet ends: padding that Ethernet adds behind it is not part of the message.
 */
export function decode(bytes: Uint8Array<ArrayBuffer>, envelope: Envelope, inspection: Inspection): Decoded {
  if (bytes.length < headerLength) {
    const text = `Message has ${bytes.length} bytes, the header alone has ${headerLength}`;
    return { type: "drop", reason: "length", text, incompatible: null };
  }
  const message = readMessage(bytes);
  const drop = inspect(message, envelope, inspection);
  if (drop !== null) return drop;
  const { virtualRouterId, priority, interval } = message;
  const addresses = addressesOf(message, envelope.source.length as 4 | 16);
  return {
    type: "advertisement",
    advertisement: { version: inspection.version, virtualRouterId, priority, interval, addresses },
  };
}

/** The bytes of a VRRP message. */
export function encode(advertisement: Advertisement, options: EncodeOptions): Uint8Array<ArrayBuffer> {
  const { version, addresses, interval } = advertisement;
  const writer = new Writer(new Uint8Array(wantedLength(version, addresses.length, options.source.length)));
  writer.u8(version << 4 | advertisementType).u8(advertisement.virtualRouterId).u8(advertisement.priority);
  writer.u8(addresses.length);
  if (version === 2) writer.u8(options.password === null ? AuthType.none : AuthType.password).u8(interval / 1000);
  else writer.u16(interval / 10);
  const checksumAt = writer.offset;
  writer.skip(2);
  for (const address of addresses) writer.put(address);
  if (version === 2) writer.put(authDataFrom(options.password ?? ""));
  const form = version === 2 ? "plain" : options.source.length === 16 ? "pseudo" : options.checksum;
  return writer.patchU16(checksumAt, checksumOf(writer.bytes, options, form)).bytes;
}

/** The addresses an advertisement carries: those of the family it travels in, as many as fit; all others are held all the same. */
export function advertisable(addresses: readonly Address[], addressLength: 4 | 16): Address[] {
  const most = Math.min(mostAddresses, Math.floor(addressRoom[addressLength] / addressLength));
  return addresses.filter((address) => address.length === addressLength).slice(0, most);
}

/** Whether two lists name the same addresses, in any order. */
export function sameAddresses(one: readonly Address[], other: readonly Address[]): boolean {
  const within = (list: readonly Address[], address: Address) => list.some((entry) => equalAddresses(entry, address));
  return one.length === other.length && one.every((address) => within(other, address)) &&
    other.every((address) => within(one, address));
}

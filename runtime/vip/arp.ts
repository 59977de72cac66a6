/**
 * ARP over Ethernet, RFC 826, as whole frames: pure.
 *
 * ```
 * | destination:48 | source:48 | 0x0806 | hardware 1:16 | protocol 0x0800:16 | 6:8 | 4:8 | operation:16 |
 * | sender MAC:48 | sender IP:32 | target MAC:48 | target IP:32 |                        42 bytes together
 * ```
 */
import type { Address } from "../bytes/address.ts";
import { Reader, Writer } from "../bytes/cursor.ts";

export const ArpOperation = { request: 1, reply: 2 } as const;

const frameLength = 42;
const etherTypeArp = 0x0806;
const hardwareEthernet = 1;
const protocolIPv4 = 0x0800;
const broadcast = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** The ARP message of a frame. */
export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: Uint8Array<ArrayBuffer>;
  readonly sender: Address;
  readonly targetMac: Uint8Array<ArrayBuffer>;
  readonly target: Address;
}

/**
 * Gratuitous ARP: "`address` is at `mac`", to everyone. As a request and as a reply, because some equipment learns from
 * one of them only. Sender and target are the address itself, the target's MAC is all ones as keepalived and FRR send it.
 */
export function encodeGratuitousArp(
  operation: typeof ArpOperation[keyof typeof ArpOperation],
  address: Address,
  mac: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  return new Writer(new Uint8Array(frameLength))
    .put(broadcast).put(mac).u16(etherTypeArp)
    .u16(hardwareEthernet).u16(protocolIPv4).u8(6).u8(4).u16(operation)
    .put(mac).put(address).put(broadcast).put(address)
    .bytes;
}

/** Why a frame is not ARP for IPv4 over Ethernet. */
export type ArpDrop = { readonly drop: "length" | "etherType" | "hardware" | "protocol" };

/** Decodes a frame; bytes after the message are padding. */
export function decodeArp(frame: Uint8Array<ArrayBuffer>): ArpMessage | ArpDrop {
  if (frame.length < frameLength) return { drop: "length" };
  const reader = new Reader(frame);
  reader.skip(12);
  if (reader.u16() !== etherTypeArp) return { drop: "etherType" };
  if (reader.u16() !== hardwareEthernet) return { drop: "hardware" };
  if (reader.u16() !== protocolIPv4 || reader.u8() !== 6 || reader.u8() !== 4) return { drop: "protocol" };
  return {
    operation: reader.u16(),
    senderMac: reader.take(6).slice(),
    sender: reader.address(4),
    targetMac: reader.take(6).slice(),
    target: reader.address(4),
  };
}

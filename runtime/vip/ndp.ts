/**
 * Unsolicited neighbour advertisements, RFC 4861 §7.2.6, as whole Ethernet frames: pure.
 *
 * ```
 * | Ethernet: 14 | IPv6: 40 | 136 | 0 | checksum:16 | R S O flags:32 | target:128 | option 2, 1 | MAC:48 |   86 bytes
 * ```
 */
import type { Address } from "../bytes/address.ts";
import { add, finish, pseudoHeader } from "../bytes/checksum.ts";
import { Writer } from "../bytes/cursor.ts";

const frameLength = 86;
const etherTypeIPv6 = 0x86dd;
const icmpv6 = 58;
const messageLength = 32;
const messageStart = frameLength - messageLength;
const neighbourAdvertisement = 136;
const overrideFlag = 0x20000000;
const targetLinkLayerAddress = 2;

/** ff02::1, all nodes of the link, and the MAC that it maps to. */
const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const allNodesMac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);

/** "`address` is at `mac`", to all nodes, overriding what they remember. The source is the address itself. */
export function encodeNeighbourAdvertisement(address: Address, mac: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const writer = new Writer(new Uint8Array(frameLength))
    .put(allNodesMac).put(mac).u16(etherTypeIPv6)
    // Hop limit 255 proves to receivers that no router passed it on (RFC 4861 §7.1.2).
    .u32(0x60000000).u16(messageLength).u8(icmpv6).u8(255).put(address).put(allNodes)
    .u8(neighbourAdvertisement).u8(0).u16(0).u32(overrideFlag).put(address)
    .u8(targetLinkLayerAddress).u8(1).put(mac);
  const message = writer.bytes.subarray(messageStart);
  const checksum = finish(add(pseudoHeader(address, allNodes, icmpv6, messageLength), message));
  return writer.patchU16(messageStart + 2, checksum).bytes;
}

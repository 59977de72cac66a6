/** One virtual address of one instance, and how it stands with it: pure. */
import { parseAddress } from "../bytes/address.ts";
import { addressProtocol, type InterfaceAddress, type Link } from "../os/rtnetlink.ts";
import type { AnnouncementSchedule } from "./announcer.ts";
import { ArpOperation, encodeGratuitousArp } from "./arp.ts";
import type { VirtualAddress } from "./holding.ts";
import { encodeNeighbourAdvertisement } from "./ndp.ts";

export type Standing =
  | { readonly at: "held"; readonly index: number; readonly frames: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly at: "foreign"; readonly index: number; readonly frames: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly at: "waiting"; readonly reason: string };

export interface Tenure {
  /** A reload may give it another name. */
  instance: string;
  readonly wanted: VirtualAddress;
  readonly lease: number;
  readonly schedule: AnnouncementSchedule;
  standing: Standing;
  /** When the lease began, the last time; monotonic ms. */
  leasedAt: number;
}

/** How long the kernel keeps a virtual address of a router that is gone, in ms: about as long as its peers wait. */
export function leaseFor(advertInterval: number): number {
  return advertInterval <= 1000 ? 3000 : 3 * advertInterval;
}

export function keyOf(instance: string, { address, prefix, interface: name }: VirtualAddress): string {
  return `${instance} ${address}/${prefix} ${name}`;
}

export function nameOf({ address, prefix, interface: name }: VirtualAddress): string {
  return `${address}/${prefix} on "${name}"`;
}

export function isAt({ standing, wanted }: Tenure, { index, address }: InterfaceAddress): boolean {
  return standing.at !== "waiting" && standing.index === index && wanted.address === address;
}

export function leaseOf({ wanted, lease }: Tenure) {
  return { address: wanted.address, prefix: wanted.prefix, label: wanted.label, lease };
}

/**
 * Whether a run of ours put the address there: never without a lifetime. A DHCP client's has one too, which only who
 * configured it tells apart.
 */
export function isOurs({ validFor, protocol }: InterfaceAddress, keepsProtocol: boolean): boolean {
  return validFor !== null && (!keepsProtocol || protocol === addressProtocol);
}

/** How someone else configured it, for a sentence. */
export function manner({ validFor }: InterfaceAddress): string {
  return validFor === null ? "permanently" : "with a lifetime, as DHCP does,";
}

/** One round: what tells everyone on the link where the address is now. */
export function announcementOf(text: string, { mac }: Link): readonly Uint8Array<ArrayBuffer>[] {
  // A link without Ethernet addresses has nobody to tell.
  if (mac.length !== 6) return [];
  const address = parseAddress(text);
  if (address.length === 16) return [encodeNeighbourAdvertisement(address, mac)];
  return [
    encodeGratuitousArp(ArpOperation.request, address, mac),
    encodeGratuitousArp(ArpOperation.reply, address, mac),
  ];
}

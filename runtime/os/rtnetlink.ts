/** Links and addresses as rtnetlink messages and back: pure, no socket. */
import { type Address, formatAddress, parseAddress } from "../bytes/address.ts";
import {
  type Attributes,
  decodeAddress,
  decodeAttributes,
  decodeText,
  decodeU32,
  type Message,
  type MessageWriter,
  viewOf,
} from "./netlink.ts";

export const RouteMessage = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  newNeighbour: 28,
  getNeighbour: 30,
} as const;

/** Multicast groups of announcements, as bits of the bind address. */
export const RouteGroup = { link: 0x1, ipv4Address: 0x10, ipv6Address: 0x100 } as const;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;

const IFA_F_NODAD = 0x2;
const forever = 0xffffffff;

/**
 * Who configured an address, for `ip address` and for a later run of ours: "T". Numbers from 4 on are free for
 * programs; kernels before 5.18 do not keep it.
 */
export const addressProtocol = 0x54;

/** Whether a kernel of this release ("6.1.0-13-amd64") keeps who configured an address. */
export function keepsProtocol(release: string): boolean {
  const [major, minor] = release.split(".").map((part) => parseInt(part));
  return major > 5 || major === 5 && minor >= 18;
}

/** A network interface of this network namespace. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Link-layer address, 6 bytes; empty where the interface has none. */
  readonly mac: Uint8Array<ArrayBuffer>;
  /** Administratively up and with carrier (IFF_UP and IFF_RUNNING): frames can leave. */
  readonly up: boolean;
  readonly mtu: number;
  /** IFF_* as the kernel gave them. */
  readonly flags: number;
}

/** An address on an interface of this network namespace. */
export interface InterfaceAddress {
  readonly family: 4 | 6;
  readonly index: number;
  /** In canonical text form, without prefix. */
  readonly address: string;
  readonly prefix: number;
  readonly label: string | null;
  /** IFA_F_*: 0x01 secondary, 0x08 dadfailed, 0x40 tentative, 0x80 permanent. */
  readonly flags: number;
  /** What is left of the lease in ms, by whole seconds; null = for ever. */
  readonly validFor: number | null;
  /** IFA_PROTO: who configured it; 0 where nobody said so or the kernel is older than 5.18. */
  readonly protocol: number;
}

/** A change that the kernel announced, or that a dump after lost announcements showed. */
export type NetworkEvent =
  /** A link is new here, or its name, MAC, MTU or flags changed. `before` is null when it is new. */
  | { readonly type: "link"; readonly link: Link; readonly before: Link | null }
  | { readonly type: "linkGone"; readonly link: Link }
  /** An address is new here or was renewed or relabelled. `before` is null when it is new. */
  | { readonly type: "address"; readonly address: InterfaceAddress; readonly before: InterfaceAddress | null }
  | { readonly type: "addressGone"; readonly address: InterfaceAddress }
  /**
   * Announcements were lost before these: what differs is told, but a link may have left this namespace and come back
   * under the same index, which shows nowhere.
   */
  | { readonly type: "lost" };

/**
 * Whether the event tells what this program does not know: a lease that is renewed, by us or by a DHCP client, is there
 * already, and what comes with our mark we have just added.
 */
export function isNews(event: NetworkEvent): boolean {
  if (event.type !== "address") return true;
  const { address, before } = event;
  if (before === null) return address.validFor === null || address.protocol !== addressProtocol;
  // Flags tell which address is the primary one of its network.
  return before.flags !== address.flags;
}

/** An address to add to an interface, or to renew there. */
export interface AddressLease {
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
  readonly label?: string;
  /** Lifetime in ms, rounded up to whole seconds; null = for ever. */
  readonly lease: number | null;
  /** Valid on this machine only: never chosen as source towards others. @default false */
  readonly hostScope?: boolean;
}

/** `struct ifinfomsg`: family, type, index, flags, and which flags to change. */
export function writeLinkHeader(writer: MessageWriter, index: number, flags = 0, change = 0): MessageWriter {
  return writer.u8(AF_UNSPEC).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

/** The link of an RTM_NEWLINK or RTM_DELLINK; undefined for messages about bridge ports and other families. */
export function decodeLink(message: Message): Link | undefined {
  const { body } = message;
  if (body.length < 16 || body[0] !== AF_UNSPEC) return undefined;
  const attributes = decodeAttributes(body, 16);
  const flags = viewOf(body).getUint32(8, true);
  return {
    index: viewOf(body).getUint32(4, true),
    name: decodeText(attributes.get(IFLA_IFNAME)) ?? "",
    mac: attributes.get(IFLA_ADDRESS)?.slice() ?? new Uint8Array(0),
    up: (flags & (IFF_UP | IFF_RUNNING)) === (IFF_UP | IFF_RUNNING),
    mtu: decodeU32(attributes.get(IFLA_MTU)) ?? 0,
    flags,
  };
}

/** The body of an RTM_NEWADDR. IPv6 addresses skip duplicate detection: it would delay a takeover by seconds. */
export function writeAddressLease(writer: MessageWriter, lease: AddressLease): MessageWriter {
  const address = writeAddressHeader(writer, lease, lease.hostScope === true ? 254 : 0);
  if (lease.label !== undefined && address.length === 4) writer.attributeText(IFA_LABEL, lease.label);
  if (lease.lease !== null) {
    const seconds = Math.max(1, Math.ceil(lease.lease / 1000));
    // struct ifa_cacheinfo: preferred, valid, created, updated
    writer.attribute(IFA_CACHEINFO, new Uint8Array(Uint32Array.of(seconds, seconds, 0, 0).buffer));
  }
  if (address.length === 16) writer.attributeU32(IFA_FLAGS, IFA_F_NODAD);
  return writer.attributeU8(IFA_PROTO, addressProtocol);
}

/** The body of an RTM_DELADDR: the very address with this prefix, not the first one that is similar. */
export function writeAddressKey(
  writer: MessageWriter,
  key: { readonly index: number; readonly address: string; readonly prefix: number },
): MessageWriter {
  writeAddressHeader(writer, key, 0);
  return writer;
}

/** The address of an RTM_NEWADDR or RTM_DELADDR; undefined for families other than IP. */
export function decodeInterfaceAddress(message: Message): InterfaceAddress | undefined {
  const { body } = message;
  if (body.length < 8 || body[0] !== AF_INET && body[0] !== AF_INET6) return undefined;
  const attributes = decodeAttributes(body, 8);
  // On point-to-point links IFA_ADDRESS is the peer's; IFA_LOCAL is always ours, but IPv6 has it only there.
  const address = decodeAddress(attributes.get(IFA_LOCAL)) ?? decodeAddress(attributes.get(IFA_ADDRESS));
  if (address === undefined) return undefined;
  return {
    family: body[0] === AF_INET ? 4 : 6,
    index: viewOf(body).getUint32(4, true),
    address: formatAddress(address),
    prefix: body[1],
    label: decodeText(attributes.get(IFA_LABEL)) ?? null,
    flags: decodeU32(attributes.get(IFA_FLAGS)) ?? body[2],
    validFor: decodeValidFor(attributes),
    protocol: attributes.get(IFA_PROTO)?.[0] ?? 0,
  };
}

function decodeValidFor(attributes: Attributes): number | null {
  const seconds = decodeU32(attributes.get(IFA_CACHEINFO)?.subarray(4));
  return seconds === undefined || seconds === forever ? null : seconds * 1000;
}

/** `struct ifaddrmsg` and the address itself. */
function writeAddressHeader(
  writer: MessageWriter,
  key: { readonly index: number; readonly address: string; readonly prefix: number },
  scope: number,
): Address {
  const address = parseAddress(key.address);
  writer.u8(address.length === 4 ? AF_INET : AF_INET6).u8(key.prefix).u8(0).u8(scope).u32(key.index);
  writer.attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address);
  return address;
}

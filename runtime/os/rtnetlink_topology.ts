/** Builds networks out of bridges, veth pairs and namespaces: what a demonstration needs instead of the `ip` program. */
import { formatAddress, parseAddress } from "../bytes/address.ts";
import { Errno, OsError } from "./errno.ts";
import { decodeAddress, decodeAttributes, type Message, MessageFlag, type MessageWriter, viewOf } from "./netlink.ts";
import { NetlinkSocket, Protocol } from "./netlink_socket.ts";
import {
  AF_INET,
  AF_UNSPEC,
  decodeLink,
  IFF_UP,
  RouteMessage,
  writeAddressLease,
  writeLinkHeader,
} from "./rtnetlink.ts";

const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_BR_MCAST_SNOOPING = 23;

const AF_BRIDGE = 7;
const IFLA_PROTINFO = 12;
const IFLA_BRPORT_ISOLATED = 33;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

/** An entry of the neighbour table: who answers for an address on a link. */
export interface Neighbour {
  readonly index: number;
  readonly address: string;
  /** Null while nobody has answered. */
  readonly mac: string | null;
  /** NUD_*: 0x02 reachable, 0x04 stale, 0x20 failed. */
  readonly state: number;
}

/** Changes the network of the namespace that this thread was in when it was opened. */
export class Topology implements Disposable {
  readonly #socket = new NetlinkSocket(Protocol.route);

  /** Creates a bridge that is up and floods multicast. @throws {OsError} EEXIST */
  createBridge(name: string): void {
    const writer = this.#new();
    writeLinkHeader(writer, 0, IFF_UP, IFF_UP).attributeText(IFLA_IFNAME, name)
      .open(IFLA_LINKINFO).attributeText(IFLA_INFO_KIND, "bridge")
      // Nobody here queries for members, so that snooping would forget 224.0.0.18 after some minutes.
      .open(IFLA_INFO_DATA).attributeU8(IFLA_BR_MCAST_SNOOPING, 0).close().close().end();
    this.#socket.request(`Cannot create bridge "${name}"`);
  }

  /** Creates a pair of interfaces that are each other's cable; `namespace` is where the peer's end goes. @throws {OsError} */
  createVeth(name: string, peer: { readonly name: string; readonly namespace?: { readonly fd: number } }): void {
    const writer = this.#new();
    writeLinkHeader(writer, 0).attributeText(IFLA_IFNAME, name)
      .open(IFLA_LINKINFO).attributeText(IFLA_INFO_KIND, "veth").open(IFLA_INFO_DATA).open(VETH_INFO_PEER);
    writeLinkHeader(writer, 0).attributeText(IFLA_IFNAME, peer.name);
    if (peer.namespace !== undefined) writer.attributeU32(IFLA_NET_NS_FD, peer.namespace.fd);
    writer.close().close().close().end();
    this.#socket.request(`Cannot create veth pair "${name}" and "${peer.name}"`);
  }

  /** Removes the link; a veth takes its peer along. @throws {OsError} ENODEV */
  removeLink(name: string): void {
    const index = this.#indexOf(name);
    writeLinkHeader(this.#socket.begin(RouteMessage.deleteLink, MessageFlag.ack), index).end();
    this.#socket.request(`Cannot remove "${name}"`);
  }

  /** @throws {OsError} ENODEV */
  setUp(name: string): void {
    this.#set(name, IFF_UP, (writer) => writer, `Cannot set "${name}" up`);
  }

  /** @throws {OsError} ENODEV */
  setDown(name: string): void {
    this.#set(name, 0, (writer) => writer, `Cannot set "${name}" down`);
  }

  /** Makes the link a port of the bridge; `null` takes it out. @throws {OsError} ENODEV */
  setMaster(name: string, bridge: string | null): void {
    const index = bridge === null ? 0 : this.#indexOf(bridge);
    const action = `Cannot make "${name}" a port of ${bridge === null ? "no bridge" : `"${bridge}"`}`;
    this.#set(name, null, (writer) => writer.attributeU32(IFLA_MASTER, index), action);
  }

  /** Moves the link to another namespace: it loses its addresses and is down there. @throws {OsError} ENODEV */
  moveTo(name: string, namespace: { readonly fd: number }): void {
    const action = `Cannot move "${name}" to another network namespace`;
    this.#set(name, null, (writer) => writer.attributeU32(IFLA_NET_NS_FD, namespace.fd), action);
  }

  /**
   * Isolated ports of a bridge reach the others but not each other: a partition between two nodes that a client does
   * not notice. @throws {OsError}
   */
  setIsolated(name: string, isolated: "on" | "off"): void {
    const index = this.#indexOf(name);
    const writer = this.#socket.begin(RouteMessage.setLink, MessageFlag.ack);
    writer.u8(AF_BRIDGE).u8(0).u16(0).u32(index).u32(0).u32(0)
      .open(IFLA_PROTINFO).attributeU8(IFLA_BRPORT_ISOLATED, isolated === "on" ? 1 : 0).close().end();
    this.#socket.request(`Cannot set isolation of bridge port "${name}" ${isolated}`);
  }

  /** Adds an address for ever. @throws {OsError} EEXIST, ENODEV */
  addAddress(name: string, address: string, prefix: number): void {
    const index = this.#indexOf(name);
    const writer = this.#socket.begin(RouteMessage.newAddress, this.#createFlags);
    writeAddressLease(writer, { index, address, prefix, lease: null }).end();
    this.#socket.request(`Cannot add ${address}/${prefix} to "${name}"`);
  }

  /** Adds an IPv4 default route. @throws {OsError} ENETUNREACH when no link reaches the gateway */
  addDefaultRoute(gateway: string): void {
    const writer = this.#socket.begin(RouteMessage.newRoute, this.#createFlags);
    // struct rtmsg: family, destination and source prefix, tos, table, protocol, scope, type, flags
    writer.u8(AF_INET).u8(0).u8(0).u8(0).u8(RT_TABLE_MAIN).u8(RTPROT_STATIC).u8(0).u8(RTN_UNICAST).u32(0)
      .attribute(RTA_GATEWAY, parseAddress(gateway)).end();
    this.#socket.request(`Cannot add default route by ${gateway}`);
  }

  /** The whole neighbour table (ARP and neighbour discovery). @throws {OsError} */
  neighbours(): Neighbour[] {
    const neighbours: Neighbour[] = [];
    this.#socket.begin(RouteMessage.getNeighbour, MessageFlag.dump)
      .u8(AF_UNSPEC).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0).end();
    this.#socket.dump("Cannot list neighbours", (message) => {
      const neighbour = decodeNeighbour(message);
      if (neighbour !== undefined) neighbours.push(neighbour);
    });
    return neighbours;
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #createFlags(): number {
    return MessageFlag.ack | MessageFlag.create | MessageFlag.excl;
  }

  #new(): MessageWriter {
    return this.#socket.begin(RouteMessage.newLink, this.#createFlags);
  }

  #set(name: string, up: number | null, more: (writer: MessageWriter) => MessageWriter, action: string): void {
    const index = this.#indexOf(name);
    const writer = this.#socket.begin(RouteMessage.newLink, MessageFlag.ack);
    more(writeLinkHeader(writer, index, up ?? 0, up === null ? 0 : IFF_UP)).end();
    this.#socket.request(action);
  }

  #indexOf(name: string): number {
    let index: number | undefined;
    writeLinkHeader(this.#socket.begin(RouteMessage.getLink, MessageFlag.dump), 0).end();
    this.#socket.dump(`Cannot look up "${name}"`, (message) => {
      const link = decodeLink(message);
      if (link?.name === name) index = link.index;
    });
    if (index === undefined) throw new OsError("netlink", Errno.ENODEV, `Cannot find interface "${name}"`);
    return index;
  }
}

/** `struct ndmsg`: family, padding, index, state, flags, type. */
export function decodeNeighbour(message: Message): Neighbour | undefined {
  if (message.type !== RouteMessage.newNeighbour || message.body.length < 12) return undefined;
  const attributes = decodeAttributes(message.body, 12);
  const address = decodeAddress(attributes.get(NDA_DST));
  if (address === undefined) return undefined;
  const mac = attributes.get(NDA_LLADDR);
  return {
    index: viewOf(message.body).getUint32(4, true),
    address: formatAddress(address),
    mac: mac === undefined ? null : [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":"),
    state: viewOf(message.body).getUint16(8, true),
  };
}

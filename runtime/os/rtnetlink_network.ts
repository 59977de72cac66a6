/** The links and addresses of this network namespace: a table kept current by announcements, and changes to it. */
import { Errno, OsError } from "./errno.ts";
import { type Message, MessageFlag } from "./netlink.ts";
import { NetlinkSocket, Protocol } from "./netlink_socket.ts";
import {
  type AddressLease,
  AF_UNSPEC,
  decodeInterfaceAddress,
  decodeLink,
  type InterfaceAddress,
  keepsProtocol,
  type Link,
  type NetworkEvent,
  RouteGroup,
  RouteMessage,
  writeAddressKey,
  writeAddressLease,
  writeLinkHeader,
} from "./rtnetlink.ts";
import { SysctlLedger } from "./sysctl.ts";

/** Announcements that may wait unread, in bytes: some thousand. */
const announcementBuffer = 4 << 20;

/** Opens the sockets and reads both tables. @throws {OsError} */
export function openNetwork(): Network {
  return new Network();
}

export class Network implements Disposable {
  readonly #requests = new NetlinkSocket(Protocol.route);
  readonly #announcements = new NetlinkSocket(Protocol.route, {
    groups: RouteGroup.link | RouteGroup.ipv4Address | RouteGroup.ipv6Address,
    receiveBuffer: announcementBuffer,
  });
  readonly #sysctls = new SysctlLedger(null);
  /** The kernel tells who configured an address, so that 0 means: nobody who says so. */
  readonly keepsProtocol: boolean;
  /** Indexes of links whose setting was made: an interface that is created again has its own. */
  readonly #promoting = new Set<number>();
  #links = new Map<number, Link>();
  #addresses = new Map<string, InterfaceAddress>();

  constructor() {
    // Listening began before the first dump: what changes between the two is announced, never missed.
    this.#links = this.#dumpLinks();
    this.#addresses = this.#dumpAddresses();
    // Some distributions have it in older kernels; there the loopback address says that the kernel made it.
    this.keepsProtocol = keepsProtocol(Deno.osRelease()) ||
      this.#addresses.values().some(({ protocol }) => protocol !== 0);
  }

  /** Poll it for POLLIN and call `read` then. */
  get fd(): number {
    return this.#announcements.fd;
  }

  links(): Iterable<Link> {
    return this.#links.values();
  }

  link(name: string): Link | undefined {
    for (const link of this.#links.values()) {
      if (link.name === name) return link;
    }
    return undefined;
  }

  linkAt(index: number): Link | undefined {
    return this.#links.get(index);
  }

  addresses(index: number): readonly InterfaceAddress[] {
    return [...this.#addresses.values()].filter((address) => address.index === index);
  }

  /** Takes in what the kernel announced; what it lost is found by a new dump. Does not block. @throws {OsError} */
  read(): readonly NetworkEvent[] {
    const events: NetworkEvent[] = [];
    for (;;) {
      const received = this.#announcements.receive();
      if (received === null) return events;
      if (received === "lost") events.push(...this.#resynchronise());
      else for (const message of received) this.#take(message, events);
    }
  }

  /**
   * Adds the address, or renews its lease where it is there already.
   *
   * @throws {OsError} ENODEV when the interface is gone, EPERM without CAP_NET_ADMIN.
   */
  addAddress(lease: AddressLease): void {
    const action = `Cannot add ${lease.address}/${lease.prefix} to ${this.#nameOf(lease.index)}`;
    const flags = MessageFlag.ack | MessageFlag.create | MessageFlag.replace;
    writeAddressLease(this.#requests.begin(RouteMessage.newAddress, flags), lease).end();
    this.#requests.request(action);
  }

  /** Removes the address; one that is not there, or an interface that is gone, is no error. @throws {OsError} */
  removeAddress(key: { readonly index: number; readonly address: string; readonly prefix: number }): void {
    const action = `Cannot remove ${key.address}/${key.prefix} from ${this.#nameOf(key.index)}`;
    writeAddressKey(this.#requests.begin(RouteMessage.deleteAddress, MessageFlag.ack), key).end();
    try {
      this.#requests.request(action);
    } catch (error) {
      if (!(error instanceof OsError) || error.errno !== Errno.EADDRNOTAVAIL && error.errno !== Errno.ENODEV) {
        throw error;
      }
    }
  }

  /**
   * Without it the kernel removes all secondary addresses of a network together with its primary one, so that a virtual
   * address which came first would take its neighbours along. As it was again at `close`. @throws {Error}
   */
  promoteSecondaries(link: string): void {
    const index = this.link(link)?.index;
    if (index === undefined || this.#promoting.has(index)) return;
    this.#promoting.add(index);
    this.#sysctls.set(`net/ipv4/conf/${link}/promote_secondaries`, "1");
  }

  close(): void {
    this.#sysctls.restore();
    this.#requests.close();
    this.#announcements.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #nameOf(index: number): string {
    const name = this.#links.get(index)?.name;
    return name === undefined ? `interface ${index}` : `"${name}"`;
  }

  #take(message: Message, events: NetworkEvent[]): void {
    switch (message.type) {
      case RouteMessage.newLink:
      case RouteMessage.deleteLink: {
        const link = decodeLink(message);
        if (link === undefined) return;
        if (message.type === RouteMessage.newLink) this.#putLink(link, events);
        else this.#dropLink(link.index, events);
        return;
      }
      case RouteMessage.newAddress:
      case RouteMessage.deleteAddress: {
        const address = decodeInterfaceAddress(message);
        if (address === undefined) return;
        if (message.type === RouteMessage.newAddress) this.#putAddress(address, events);
        else this.#dropAddress(keyOf(address), events);
      }
    }
  }

  #putLink(link: Link, events: NetworkEvent[]): void {
    const before = this.#links.get(link.index) ?? null;
    this.#links.set(link.index, link);
    if (before === null || !sameLink(before, link)) events.push({ type: "link", link, before });
  }

  #dropLink(index: number, events: NetworkEvent[]): void {
    const link = this.#links.get(index);
    if (link === undefined) return;
    // Its addresses go with it; the kernel announces them before, but a dump would not.
    for (const [key, address] of this.#addresses) {
      if (address.index === index) this.#dropAddress(key, events);
    }
    this.#links.delete(index);
    // It may come back under the same index, with settings as new.
    this.#promoting.delete(index);
    events.push({ type: "linkGone", link });
  }

  #putAddress(address: InterfaceAddress, events: NetworkEvent[]): void {
    const key = keyOf(address);
    const before = this.#addresses.get(key) ?? null;
    this.#addresses.set(key, address);
    events.push({ type: "address", address, before });
  }

  #dropAddress(key: string, events: NetworkEvent[]): void {
    const address = this.#addresses.get(key);
    if (address === undefined) return;
    this.#addresses.delete(key);
    events.push({ type: "addressGone", address });
  }

  #resynchronise(): NetworkEvent[] {
    const events: NetworkEvent[] = [{ type: "lost" }];
    this.#promoting.clear();
    const links = this.#dumpLinks();
    const addresses = this.#dumpAddresses();
    for (const index of this.#links.keys()) {
      if (!links.has(index)) this.#dropLink(index, events);
    }
    for (const link of links.values()) this.#putLink(link, events);
    for (const key of this.#addresses.keys()) {
      if (!addresses.has(key)) this.#dropAddress(key, events);
    }
    for (const address of addresses.values()) this.#putAddress(address, events);
    return events;
  }

  #dumpLinks(): Map<number, Link> {
    const links = new Map<number, Link>();
    writeLinkHeader(this.#requests.begin(RouteMessage.getLink, MessageFlag.dump), 0).end();
    this.#requests.dump("Cannot list network interfaces", (message) => {
      const link = decodeLink(message);
      if (link !== undefined) links.set(link.index, link);
    });
    return links;
  }

  #dumpAddresses(): Map<string, InterfaceAddress> {
    const addresses = new Map<string, InterfaceAddress>();
    this.#requests.begin(RouteMessage.getAddress, MessageFlag.dump).u8(AF_UNSPEC).u8(0).u8(0).u8(0).u32(0).end();
    this.#requests.dump("Cannot list addresses", (message) => {
      const address = decodeInterfaceAddress(message);
      if (address !== undefined) addresses.set(keyOf(address), address);
    });
    return addresses;
  }
}

function keyOf(address: InterfaceAddress): string {
  return `${address.index} ${address.address}/${address.prefix}`;
}

function sameLink(one: Link, other: Link): boolean {
  return one.name === other.name && one.flags === other.flags && one.mtu === other.mtu &&
    one.mac.length === other.mac.length && one.mac.every((byte, at) => byte === other.mac[at]);
}

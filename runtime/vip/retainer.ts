/** The giver's side of keeping connections: copies of the addresses on `lo`, and how many connections are left. */
import { type Address, formatAddress, parseAddress } from "../bytes/address.ts";
import { ConnectionListing } from "../os/sock_diag.ts";
import { SysctlLedger } from "../os/sysctl.ts";
import type { NetworkPort } from "./holding.ts";
import type { KeeperEvent, KeeperOptions, Retention } from "./keeping.ts";
import { isOurs } from "./tenure.ts";

interface Retained {
  readonly retention: Retention;
  /** IPv4 only; the recipe has no other yet. */
  readonly addresses: readonly Address[];
  readonly names: readonly string[];
  readonly ports: ReadonlySet<number>;
  /** When the drain began and when it is over; null until `drain`. */
  draining: { readonly since: number; readonly end: number } | null;
  connections: number | null;
  /** Counted in the listing under way, and whether that can say that none is left. */
  counting: number;
  conclusive: boolean;
}

/** Connections are counted this often, in ms; leases last three seconds and are renewed each. */
const countInterval = 250;
const renewInterval = 1000;
/** How often it is looked whether an earlier run has ended, in ms. */
const lookInterval = 1000;
const lease = 3000;
/** Clients that missed the first announcements begin connections here for this long after the move, in ms. */
const settling = 500;
const ipv4HostPrefix = 32;

export class Retainer {
  readonly #network: NetworkPort;
  readonly #report: (event: KeeperEvent) => void;
  readonly #sysctls: SysctlLedger;
  readonly #listing: ConnectionListing | undefined;
  #retained = new Map<string, Retained>();
  #nextCount = Infinity;
  #nextRenewal = Infinity;
  /** What is to be cleaned when the earlier run that is still at work has ended. */
  #uncleaned: { readonly addresses: readonly string[]; at: number } | null = null;
  readonly #said: (text: string) => void;

  constructor({ network, report, said, ledger }: KeeperOptions) {
    this.#network = network;
    this.#report = report;
    this.#said = said;
    this.#sysctls = new SysctlLedger(ledger);
    try {
      this.#listing = new ConnectionListing();
    } catch {
      // Without sock_diag nobody knows when the last connection has gone: the drain always takes its full time.
    }
  }

  get fd(): number {
    return this.#listing?.fd ?? -1;
  }

  deadline(): number {
    let deadline = Math.min(this.#nextCount, this.#nextRenewal, this.#uncleaned?.at ?? Infinity);
    for (const { draining } of this.#retained.values()) deadline = Math.min(deadline, draining?.end ?? Infinity);
    return deadline;
  }

  run(now: number): void {
    if (this.#uncleaned !== null && now >= this.#uncleaned.at) this.#cleanLate(this.#uncleaned.addresses, now);
    if (now >= this.#nextRenewal) {
      this.#nextRenewal = now + renewInterval;
      for (const retained of this.#retained.values()) this.#renew(retained);
    }
    for (const [instance, retained] of this.#retained) {
      if (retained.draining !== null && now >= retained.draining.end) {
        this.#finish(instance, retained, "the drain is over");
      }
    }
    if (now >= this.#nextCount) this.#startCount(now);
  }

  /** One piece of the listing. */
  read(now: number): void {
    if (this.#listing === undefined || !this.#listing.busy) return;
    try {
      if (this.#listing.read((connection) => this.#count(connection)) === "complete") this.#concludeCount(now);
    } catch {
      this.#nextCount = now + countInterval;
    }
  }

  retain(instance: string, retention: Retention, now: number): string | null {
    const addresses = this.#carried(retention).map(parseAddress).filter((address) => address.length === 4);
    if (addresses.length === 0) {
      return `Connections are kept over IPv4 only, and there is none on "${retention.interface}"`;
    }
    if (retention.ports.length === 0) return "No TCP port is served at these addresses";
    const retained: Retained = {
      retention,
      addresses,
      names: addresses.map(formatAddress),
      ports: new Set(retention.ports),
      draining: null,
      connections: null,
      counting: 0,
      conclusive: false,
    };
    const before = this.#retained.get(instance);
    if (before !== undefined) this.letGo(instance);
    // Before anything is changed: else what is ours now could not be told from what the earlier run left.
    if (this.#uncleaned !== null) this.#cleanLate(this.#uncleaned.addresses, now);
    this.#retained.set(instance, retained);
    this.#sysctls.claim();
    try {
      // First the settings: with the copies in place the kernel would answer ARP for them on every interface, of which
      // another may be on the same segment. It takes the larger value of an interface and of "all".
      for (const where of ["all", retention.interface]) {
        this.#sysctls.raise(`net/ipv4/conf/${where}/arp_ignore`, 1);
        this.#sysctls.raise(`net/ipv4/conf/${where}/arp_announce`, 2);
      }
      this.#addCopies(retained);
    } catch (cause) {
      this.letGo(instance);
      return cause instanceof Error ? cause.message : String(cause);
    }
    this.#nextCount = Math.min(this.#nextCount, now);
    this.#nextRenewal = Math.min(this.#nextRenewal, now + renewInterval);
    return null;
  }

  drain(instance: string, now: number): void {
    const retained = this.#retained.get(instance);
    if (retained === undefined || retained.draining !== null) return;
    retained.draining = { since: now, end: now + retained.retention.drain };
  }

  connections(instance: string): number | null {
    return this.#retained.get(instance)?.connections ?? null;
  }

  retaining(instance: string): boolean {
    return this.#retained.has(instance);
  }

  rename(names: ReadonlyMap<string, string>): void {
    this.#retained = new Map([...this.#retained].map(([name, retained]) => [names.get(name) ?? name, retained]));
  }

  letGo(instance: string): void {
    const retained = this.#retained.get(instance);
    if (retained === undefined) return;
    this.#retained.delete(instance);
    this.#removeCopies(retained.names);
    const device = retained.retention.interface;
    const shared = [...this.#retained.values()].some(({ retention }) => retention.interface === device);
    if (!shared) this.#sysctls.restore(`net/ipv4/conf/${device}/`);
    if (this.#retained.size > 0) return;
    this.#sysctls.release();
    this.#nextCount = this.#nextRenewal = Infinity;
  }

  clean(addresses: readonly string[]): string[] {
    const pid = this.#sysctls.heldBy();
    if (pid !== null) {
      // Copies would come back with the next renewal, the settings would not: two nodes would answer ARP.
      this.#uncleaned = { addresses, at: -Infinity };
      return [`An earlier vrrp process (pid ${pid}) still serves its connections: what it changed stays until it ends`];
    }
    const said = this.#sysctls.recover().map((path) => `Setting ${path} of an earlier run restored`);
    const lo = this.#network.link("lo");
    if (lo === undefined) return said;
    const ours = new Set([...this.#retained.values()].flatMap(({ names }) => names));
    const wanted = new Set(addresses.filter((address) => !ours.has(address)));
    for (const found of this.#network.addresses(lo.index)) {
      // Others are someone else's, as for direct routing.
      if (!wanted.has(found.address) || !isOurs(found, this.#network.keepsProtocol)) continue;
      this.#removeCopies([found.address]);
      said.push(`Copy of ${found.address} on "lo" of an earlier run removed`);
    }
    return said;
  }

  #cleanLate(addresses: readonly string[], now: number): void {
    if (this.#sysctls.heldBy() !== null) {
      this.#uncleaned = { addresses, at: now + lookInterval };
      return;
    }
    this.#uncleaned = null;
    for (const text of this.clean(addresses)) this.#said(text);
  }

  close(): void {
    for (const instance of [...this.#retained.keys()]) this.letGo(instance);
    this.#listing?.close();
  }

  /** Without those on other interfaces: there the kernel would answer ARP for the copies, beside the new owner. */
  #carried({ interface: device, addresses }: Retention): readonly string[] {
    const link = this.#network.link(device);
    if (link === undefined) return [];
    const here = new Set(this.#network.addresses(link.index).map(({ address }) => address));
    return addresses.filter((address) => here.has(address));
  }

  #renew(retained: Retained): void {
    try {
      this.#addCopies(retained);
    } catch {
      // Tried again in a second; if it goes on the lease ends, and with it what could not be served anyway.
    }
  }

  #addCopies({ names }: Retained): void {
    const lo = this.#network.link("lo");
    if (lo === undefined) throw new Error(`Cannot keep connections: interface "lo" does not exist`);
    for (const address of names) {
      this.#network.addAddress({ index: lo.index, address, prefix: ipv4HostPrefix, lease, hostScope: true });
    }
  }

  #removeCopies(names: readonly string[]): void {
    const lo = this.#network.link("lo");
    if (lo === undefined) return;
    for (const address of names) {
      try {
        this.#network.removeAddress({ index: lo.index, address, prefix: ipv4HostPrefix });
      } catch {
        // The lease ends within three seconds.
      }
    }
  }

  #startCount(now: number): void {
    this.#nextCount = now + countInterval;
    if (this.#listing === undefined || this.#listing.busy) return;
    for (const retained of this.#retained.values()) {
      retained.counting = 0;
      retained.conclusive = retained.draining !== null && now >= retained.draining.since + settling;
    }
    try {
      this.#listing.start([...this.#retained.values()].flatMap(({ addresses }) => addresses));
    } catch {
      // Next time.
    }
  }

  #count(connection: { readonly local: Address; readonly localPort: number }): void {
    for (const retained of this.#retained.values()) {
      if (retained.ports.has(connection.localPort) && hasAddress(retained.addresses, connection.local)) {
        retained.counting++;
      }
    }
  }

  #concludeCount(now: number): void {
    for (const [instance, retained] of this.#retained) {
      const connections = retained.counting;
      if (retained.conclusive && connections === 0) {
        retained.connections = 0;
        this.#finish(instance, retained, "the last connection has ended");
      } else if (connections !== retained.connections) {
        retained.connections = connections;
        const text = `"${instance}" keeps ${connections} connections that began here`;
        this.#report({ type: "connections", instance, connections, text });
      }
    }
    if (this.#retained.size > 0) this.#nextCount = Math.min(this.#nextCount, now + countInterval);
  }

  #finish(instance: string, retained: Retained, why: string): void {
    const connections = retained.connections ?? 0;
    this.letGo(instance);
    const rest = connections === 0 ? "none is left" : `${connections} are cut`;
    const text = `Connections of "${instance}" are drained: ${why}, ${rest}`;
    this.#report({ type: "drained", instance, connections, text });
  }
}

function hasAddress(addresses: readonly Address[], address: Address): boolean {
  return addresses.some((one) =>
    one[0] === address[0] && one[1] === address[1] && one[2] === address[2] && one[3] === address[3]
  );
}

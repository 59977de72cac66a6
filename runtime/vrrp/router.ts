/** All virtual routers of this node: applies the wanted set, gives each its packets, its interface and its time. */
import { type Address, equalAddresses, parseAddress } from "../bytes/address.ts";
import { decodeIPv4 } from "../bytes/ipv4.ts";
import { OsError } from "../os/errno.ts";
import type { Device, Received } from "../os/socket.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Surroundings } from "./conditions.ts";
import { routerOf } from "./handover_message.ts";
import { type InterfaceView, outlookOf, trackInterfaces } from "./outlook.ts";
import type { AddressPort, ConnectionPort, InstancePorts, WirePort } from "./ports.ts";
import type { Hold, InstanceOptions, Tracking, VrrpCommand, VrrpReport } from "./protocol.ts";
import { VirtualRouter } from "./virtual_router.ts";
import type { Arrival } from "./wire.ts";

/** The interfaces and addresses of this machine. */
export interface InterfacePort {
  /** null = there is none of that name. `ours`: virtual addresses, which are never sent from. */
  view(name: string, ours: readonly Address[]): InterfaceView | null;
  isLocal(address: Address): boolean;
  /** Whether the address belongs to a network that the interface is in. */
  isNear(name: string, address: Address): boolean;
}

/** The sockets of one interface. */
export interface OpenWire extends WirePort, Disposable {
  readonly device: Device;
  converseOn(addresses: readonly Address[]): void;
}

export interface WireListener {
  packet(bytes: Uint8Array<ArrayBuffer>): void;
  datagram(received: Received, arrived: Arrival): void;
  problem(text: string): void;
}

export interface RouterOptions {
  readonly interfaces: InterfacePort;
  readonly addresses: AddressPort;
  readonly connections: ConnectionPort;
  /** @throws {OsError} */
  readonly openWire: (device: Device, listener: WireListener) => OpenWire;
  /** Removes what a dead run left of these addresses, except what has been acquired. */
  readonly reconcile: (addresses: InstanceOptions["addresses"], now: number) => void;
  readonly log: Logger;
  readonly report: (report: VrrpReport) => void;
  /** Control has taken all that was reported; until then a status would be old before it is read. */
  readonly listening: () => boolean;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly wallClock: () => number;
  readonly randomId: () => string;
}

const untracked: Tracking = { effect: "none", causes: [] };
const statusEvery = 1000;

export class Router {
  readonly #options: RouterOptions;
  #routers = new Map<string, VirtualRouter>();
  /** The same by interface and virtual router ID, as packets name them. */
  readonly #byDevice = new Map<string, Map<number, VirtualRouter>>();
  readonly #wires = new Map<string, OpenWire>();
  /** Why an interface has no wire, told once. */
  readonly #broken = new Map<string, string>();
  #reconciled = false;
  #changed = false;
  #statusAt = 0;
  #stopping = false;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Told to stop, and every hand-over and drain is over. */
  get stopped(): boolean {
    return this.#stopping && this.#routers.size === 0;
  }

  obey(command: VrrpCommand, now: number): void {
    switch (command.type) {
      case "apply":
        return this.#apply(command, now);
      case "track":
        return this.#routers.get(command.instance)?.track(command.tracking, now);
      case "failover":
      case "failback":
        return this.#move(command, now);
      case "stop":
        return this.stop(now);
    }
  }

  /**
   * Hands everything over; `stopped` tells when that is done. Told again, it waits neither for connections to end nor for
   * somebody to take the addresses: whoever said it kills what is not gone soon, and a lease outlives its process.
   */
  stop(now: number): void {
    if (this.#stopping) {
      for (const router of [...this.#routers.values()]) this.#abandon(router, "this node stops at once", now);
      return;
    }
    this.#stopping = true;
    for (const router of this.#routers.values()) router.stop(now);
    this.#bury();
  }

  /** Links or addresses changed: interfaces are looked at again. */
  look(now: number): void {
    this.#connect();
    for (const router of this.#routers.values()) router.see(this.#surroundings(router.options), now);
    this.#converse();
  }

  /**
   * The link of this index left this machine, null: any of them may have. It may be back under the same index, but
   * membership of the multicast group went with it: sockets of before are deaf. `look` opens new ones.
   */
  linkGone(index: number | null): void {
    for (const [name, wire] of this.#wires) {
      if (index === null || wire.device.index === index) this.#close(name, wire);
    }
  }

  /** The keeper says that an instance's kept connections, or the rules for them, have ended. */
  connectionsEnded(instance: string, how: "drained" | "expired", now: number): void {
    this.#routers.get(instance)?.connectionsEnded(how, now);
  }

  deadline(): number {
    let deadline = this.#statusAt;
    for (const router of this.#routers.values()) deadline = Math.min(deadline, router.deadline());
    return deadline;
  }

  run(now: number): void {
    for (const router of this.#routers.values()) {
      if (now >= router.deadline()) router.run(now);
    }
    this.#bury();
    if (now >= this.#statusAt) {
      // A hold may be over by the clock on the wall, which no deadline knows.
      for (const router of this.#routers.values()) router.tick();
      // A process that has not ended yet may hold a channel, and its end is no event of the network.
      this.#converse();
      this.#statusAt = now + statusEvery;
      this.#changed = true;
    }
    if (!this.#changed || !this.#options.listening()) return;
    this.#changed = false;
    const instances = [...this.#routers.values()].map((router) => router.status(now));
    this.#options.report({ type: "status", at: this.#options.wallClock(), instances });
  }

  #apply(command: Extract<VrrpCommand, { type: "apply" }>, now: number): void {
    if (this.#stopping) return;
    const wanted = new Map(command.instances.map((options) => [options.name, options]));
    this.#rename(command.instances, now);
    for (const [name, router] of this.#routers) {
      const options = wanted.get(name);
      if (options === undefined) router.stop(now);
      else if (!sameWire(router.options, options)) this.#abandon(router, "removed", now);
    }
    const fresh: InstanceOptions[] = [];
    for (const options of wanted.values()) {
      const router = this.#routers.get(options.name);
      // One that was told to stop before and is wanted again begins anew.
      if (router !== undefined && router.stopping) this.#abandon(router, "removed", now);
      if (!this.#routers.has(options.name)) fresh.push(options);
      else if (!isEqual(router?.options, options)) router?.reconfigure(options, now);
    }
    for (const options of fresh) this.#routers.set(options.name, new VirtualRouter(options, this.#portsFor(options)));
    this.#connect();
    for (const options of fresh) this.#begin(options, command, now);
    for (const [name, tracking] of Object.entries(command.tracking)) this.#routers.get(name)?.track(tracking, now);
    this.#reconcile(command, now);
    this.look(now);
    this.#bury();
    this.#changed = true;
    this.#options.report({ type: "applied", id: command.id, problems: [...this.#broken.values()] });
  }

  /** Peers know a virtual router by interface and ID: under another name it goes on as it is. */
  #rename(wanted: readonly InstanceOptions[], now: number): void {
    const names = new Map<string, string>();
    for (const [name, router] of this.#routers) {
      const same = wanted.find((options) => sameWire(options, router.options));
      if (same === undefined || same.name === name) continue;
      // What it leaves behind would answer in the place of the new one.
      if (router.stopping) this.#abandon(router, "its virtual router ID has another name now", now);
      else names.set(name, same.name);
    }
    if (names.size === 0) return;
    for (const name of names.values()) {
      const before = this.#routers.get(name);
      if (before !== undefined && !names.has(name)) this.#abandon(before, "its name is another's now", now);
    }
    const { addresses, connections, log } = this.#options;
    addresses.rename(names);
    connections.rename(names);
    // All at once: names may be swapped.
    this.#routers = new Map([...this.#routers].map(([name, router]) => [names.get(name) ?? name, router]));
    for (const [name, other] of names) log.notice(`${other}: was ${name} until now, on the same virtual router ID`);
  }

  #begin(options: InstanceOptions, command: Extract<VrrpCommand, { type: "apply" }>, now: number): void {
    const { name } = options;
    const tracking = command.tracking[name] ?? untracked;
    const hold: Hold | null = command.holds[name] ?? null;
    const vouched = command.vouched.includes(name);
    this.#routers.get(name)?.start(this.#surroundings(options), tracking, hold, vouched, now);
  }

  /** Once, when it is known what is held again: a dead run may have left addresses that nobody vouches for. */
  #reconcile(command: Extract<VrrpCommand, { type: "apply" }>, now: number): void {
    if (this.#reconciled) return;
    this.#reconciled = true;
    this.#options.reconcile(command.instances.flatMap(({ addresses }) => addresses), now);
  }

  #move(command: Extract<VrrpCommand, { type: "failover" | "failback" }>, now: number): void {
    const { id, instance } = command;
    const router = this.#routers.get(instance);
    if (router === undefined) {
      return this.#options.report({
        type: "answer",
        id,
        outcome: "refused",
        text: `There is no instance "${instance}"`,
      });
    }
    if (command.type === "failover") router.failover(id, command.hold, now);
    else router.failback(id, now);
  }

  #abandon(router: VirtualRouter, reason: string, now: number): void {
    router.abandon(reason, now);
    this.#routers.delete(router.options.name);
  }

  /** Forgets the routers that have come to their end. */
  #bury(): void {
    const gone = [...this.#routers].filter(([, router]) => router.gone);
    if (gone.length === 0) return;
    for (const [name] of gone) this.#routers.delete(name);
    this.#changed = true;
    this.#connect();
  }

  /** A wire for each interface that is used and there; none for others. An interface that came back has another index. */
  #connect(): void {
    this.#index();
    const used = new Set(this.#byDevice.keys());
    for (const [name, wire] of this.#wires) {
      if (used.has(name) && this.#options.interfaces.view(name, [])?.index === wire.device.index) continue;
      this.#close(name, wire);
    }
    for (const name of used) {
      const view = this.#options.interfaces.view(name, []);
      if (view !== null && !this.#wires.has(name)) this.#open({ name, index: view.index });
    }
  }

  #index(): void {
    this.#byDevice.clear();
    for (const router of this.#routers.values()) {
      const { interface: device, virtualRouterId } = router.options;
      const here = this.#byDevice.get(device) ?? new Map<number, VirtualRouter>();
      this.#byDevice.set(device, here.set(virtualRouterId, router));
    }
  }

  #open(device: Device): void {
    const { log } = this.#options;
    try {
      const wire = this.#options.openWire(device, {
        packet: (bytes) => this.#receive(device.name, bytes),
        datagram: (received, arrived) => this.#converseWith(device.name, received, arrived),
        problem: (text) => log.warning(text),
      });
      this.#wires.set(device.name, wire);
      this.#broken.delete(device.name);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      if (this.#broken.get(device.name) !== error.message) log.error(error.message);
      this.#broken.set(device.name, error.message);
    }
  }

  #close(name: string, wire: OpenWire): void {
    wire[Symbol.dispose]();
    this.#wires.delete(name);
  }

  /** The hand-over channel listens on the addresses that adverts come from. */
  #converse(): void {
    for (const [name, wire] of this.#wires) {
      const sources: Address[] = [];
      for (const { options, primary } of this.#routers.values()) {
        if (options.interface !== name || primary === null) continue;
        if (!sources.some((source) => equalAddresses(source, primary))) sources.push(primary);
      }
      wire.converseOn(sources);
    }
  }

  #receive(device: string, bytes: Uint8Array<ArrayBuffer>): void {
    const packet = decodeIPv4(bytes);
    if (packet === undefined) return;
    const now = this.#options.now();
    const here = this.#byDevice.get(device);
    // A message without a second byte is for nobody, so it is everybody's.
    const id: number | undefined = packet.payload[1];
    const router = id === undefined ? undefined : here?.get(id);
    if (router !== undefined) return router.receive(packet, now);
    for (const one of here?.values() ?? []) {
      if (id === undefined) one.receive(packet, now);
      else one.foreign(id, packet.source, now);
    }
  }

  #converseWith(device: string, { bytes, source }: Received, arrived: Arrival): void {
    const id = routerOf(bytes);
    const router = id === null ? undefined : this.#byDevice.get(device)?.get(id);
    const now = this.#options.now();
    if (arrived === "here" || router === undefined || this.#mayDetour(router.options, source)) {
      router?.converse(bytes, source, now);
    } else {
      router.refuse(source, now);
    }
  }

  /** Whoever is on another segment of this machine has TTL 255 too: only a peer's address may come in by there. */
  #mayDetour(options: InstanceOptions, source: Address): boolean {
    if (options.unicast === null) return this.#options.interfaces.isNear(options.interface, source);
    return options.unicast.peers.some((peer) => equalAddresses(parseAddress(peer), source));
  }

  #surroundings(options: InstanceOptions): Surroundings {
    const { interfaces } = this.#options;
    const ours = [...this.#routers.values()].flatMap(({ options }) => options.addresses)
      .map(({ address }) => parseAddress(address));
    const view = interfaces.view(options.interface, ours);
    const broken = this.#broken.get(options.interface);
    const outlook = broken !== undefined && view !== null
      ? { usable: false, reason: broken, view } as const
      : outlookOf(options, view, (address) => interfaces.isLocal(address));
    return { outlook, interfaces: trackInterfaces(options, (name) => interfaces.view(name, [])) };
  }

  #portsFor({ interface: device }: InstanceOptions): InstancePorts {
    const { addresses, connections, log, report, now, wallClock, randomId } = this.#options;
    const wire: WirePort = {
      transmit: (packet, destination) => this.#wires.get(device)?.transmit(packet, destination) ?? 0,
      say: (bytes, source, destination) => this.#wires.get(device)?.say(bytes, source, destination) ?? 0,
    };
    const changed = () => void (this.#changed = true);
    return { addresses, connections, wire, log, report, changed, now, wallClock, randomId };
  }
}

/** Whether the same virtual router is meant: what is different may change while it runs. */
function sameWire(one: InstanceOptions, other: InstanceOptions): boolean {
  return one.interface === other.interface && one.virtualRouterId === other.virtualRouterId;
}

/** Equal by value; options are plain JSON, written by one hand, so the order of keys is the same. */
function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

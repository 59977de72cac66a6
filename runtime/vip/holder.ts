/** Holds virtual addresses on interfaces as leases, announces them, and puts back what others take away. */
import type { InterfaceAddress, Link, NetworkEvent } from "../os/rtnetlink.ts";
import { Announcer } from "./announcer.ts";
import type { FramePort, HolderEvent, Holding, NetworkPort, VirtualAddress } from "./holding.ts";
import {
  announcementOf,
  isAt,
  isOurs,
  keyOf,
  leaseFor,
  leaseOf,
  manner,
  nameOf,
  type Standing,
  type Tenure,
} from "./tenure.ts";

export { leaseFor } from "./tenure.ts";
export type { AddressKey, FramePort, HolderEvent, Holding, NetworkPort, VirtualAddress } from "./holding.ts";

export interface HolderOptions {
  readonly network: NetworkPort;
  readonly frames: FramePort;
  readonly report: (event: HolderEvent) => void;
}

/** The lease is renewed this often, in ms. */
const renewal = 1000;
/** Addresses that are announced in one call of `run`; the rest follows a millisecond later. */
const announcedAtOnce = 8;
/** Leases that are renewed in one call of `run`, likewise. */
const renewedAtOnce = 32;
const pause = 1;

interface Counters {
  garpSent: number;
  addressesRestored: number;
}

/**
 * Holder of this process's virtual addresses. Synchronous and non-blocking; every time is monotonic ms. In one wake-up
 * read the adverts first, then give the holder its events: after a stall the election decides before a lapsed
 * address is put back.
 */
export class Holder {
  readonly #network: NetworkPort;
  readonly #frames: FramePort;
  readonly #report: (event: HolderEvent) => void;
  readonly #announcer = new Announcer();
  #tenures = new Map<string, Tenure>();
  #counters = new Map<string, Counters>();
  /** When the next round of renewals begins, what is left of this one, and when it goes on. */
  #renewal = Infinity;
  #stale: Tenure[] = [];
  #renewalGoesOn = Infinity;

  constructor(options: HolderOptions) {
    this.#network = options.network;
    this.#frames = options.frames;
    this.#report = options.report;
  }

  /** When `run` wants to be called next; Infinity = not at all. */
  deadline(): number {
    return Math.min(this.#renewal, this.#renewalGoesOn, this.#announcer.deadline);
  }

  /** Renews leases and sends due announcements, a few frames a call. */
  run(now: number): void {
    if (now >= this.#renewal || now >= this.#renewalGoesOn) this.#renewSome(now);
    for (const key of this.#announcer.take(now, announcedAtOnce)) this.#announceOne(key);
  }

  /** Holds exactly `holding` for the instance. Again with another list: only the difference is touched. */
  acquire(instance: string, holding: Holding, now: number): void {
    const keys = new Set(holding.addresses.map((address) => keyOf(instance, address)));
    for (const [key, tenure] of this.#tenures) {
      if (tenure.instance === instance && !keys.has(key)) this.#give(key, tenure);
    }
    const lease = leaseFor(holding.advertInterval);
    for (const wanted of holding.addresses) {
      const key = keyOf(instance, wanted);
      const before = this.#tenures.get(key);
      const standing: Standing = before?.standing ?? { at: "waiting", reason: "" };
      const leasedAt = before?.leasedAt ?? now;
      const tenure: Tenure = { instance, wanted, lease, schedule: holding.garp, standing, leasedAt };
      this.#tenures.set(key, tenure);
      if (before === undefined || before.standing.at === "waiting") this.#take(key, tenure, now, "held");
    }
    this.#renewal = Math.min(this.#renewal, now + renewal);
    this.run(now);
  }

  /** Takes the instance's addresses off their interfaces and ends their announcements. */
  release(instance: string): void {
    // The first one is the primary address of its network: removed before the others, each of them would be promoted.
    for (const [key, tenure] of [...this.#tenures].reverse()) {
      if (tenure.instance === instance) this.#give(key, tenure);
    }
    if (this.#tenures.size === 0) this.#renewal = this.#renewalGoesOn = Infinity;
  }

  /** Instances have other names now, old to new: what they hold stays as it is. */
  rename(names: ReadonlyMap<string, string>): void {
    const keys = new Map<string, string>();
    for (const [key, tenure] of this.#tenures) {
      tenure.instance = names.get(tenure.instance) ?? tenure.instance;
      keys.set(key, keyOf(tenure.instance, tenure.wanted));
    }
    this.#tenures = new Map(
      [...this.#tenures.values()].map((tenure) => [keyOf(tenure.instance, tenure.wanted), tenure]),
    );
    this.#announcer.rename(keys);
    // What an instance of before counted under a name that is another's now is over.
    const counted = [...this.#counters].filter(([name]) => names.has(name) || ![...names.values()].includes(name));
    this.#counters = new Map(counted.map(([name, counters]) => [names.get(name) ?? name, counters]));
  }

  /** Evidence of a rival, or the peer has just released: a new burst starts now. */
  announce(instance: string, now: number): void {
    for (const [key, tenure] of this.#tenures) {
      if (tenure.instance === instance && tenure.standing.at !== "waiting") {
        this.#announcer.start(key, tenure.schedule, now);
      }
    }
    this.run(now);
  }

  /** Takes in what `Network.read()` returned, after all of it was read. */
  observe(event: NetworkEvent, now: number): void {
    switch (event.type) {
      case "link":
        return this.#linkChanged(event.link, event.before, now);
      case "linkGone":
        return this.#linkGone(event.link);
      case "address":
        return this.#addressSeen(event.address);
      case "addressGone":
        return this.#addressGone(event.address, now);
      case "lost":
        // Addresses that a link lost meanwhile are not in the new dump: each comes as "addressGone".
        return;
    }
  }

  /**
   * At start: removes those of `addresses` that a dead run left, except what is held already. What someone else
   * configured stays, and the report says what that means.
   */
  reconcile(addresses: readonly VirtualAddress[]): void {
    for (const wanted of addresses) {
      const link = this.#network.link(wanted.interface);
      if (link === undefined || this.#holds(link.index, wanted.address)) continue;
      for (const found of this.#network.addresses(link.index)) {
        if (found.address === wanted.address) this.#clear(found, wanted);
      }
    }
  }

  /** The instance's addresses that are on an interface now, as "192.0.2.1/24". */
  held(instance: string): readonly string[] {
    return [...this.#tenures.values()]
      .filter((tenure) => tenure.instance === instance && tenure.standing.at !== "waiting")
      .map(({ wanted }) => `${wanted.address}/${wanted.prefix}`);
  }

  counters(instance: string): Readonly<Counters> {
    return this.#countersOf(instance);
  }

  /** Puts the address on its interface, from whatever standing. */
  #take(key: string, tenure: Tenure, now: number, as: "held" | "restored" | "lapsed"): void {
    const { wanted } = tenure;
    const link = this.#network.link(wanted.interface);
    if (link === undefined) return this.#wait(key, tenure, `Interface "${wanted.interface}" does not exist`);
    const found = this.#network.addresses(link.index).find((one) => one.address === wanted.address);
    const frames = announcementOf(wanted.address, link);
    const shared = this.#holds(link.index, wanted.address);
    if (found !== undefined && !isOurs(found, this.#network.keepsProtocol)) {
      tenure.standing = { at: "foreign", index: link.index, frames };
      this.#say("foreign", tenure, `${nameOf(wanted)} is configured ${manner(found)} by someone else: used as it is`);
    } else {
      try {
        this.#network.promoteSecondaries(link.name);
      } catch {
        // Not supported or not allowed: it only matters when an address of the same network goes.
      }
      try {
        this.#network.addAddress({ index: link.index, ...leaseOf(tenure) });
      } catch (cause) {
        return this.#wait(key, tenure, messageOf(cause));
      }
      tenure.standing = { at: "held", index: link.index, frames };
      tenure.leasedAt = now;
      if (found !== undefined && !shared) {
        this.#say("adopted", tenure, `${nameOf(wanted)} was left by an earlier run: kept`);
      } else if (as === "held") this.#say("held", tenure, `${nameOf(wanted)} is held`);
    }
    if (as === "lapsed") {
      this.#say("restored", tenure, `${nameOf(wanted)} lapsed while this process was stalled: it is back`);
    } else if (as === "restored") {
      this.#countersOf(tenure.instance).addressesRestored++;
      this.#say("restored", tenure, `${nameOf(wanted)} was removed by someone else: it is back`);
    }
    this.#announcer.start(key, tenure.schedule, now);
  }

  /** Takes the address off its interface, unless it is someone else's, and forgets it. */
  #give(key: string, tenure: Tenure): void {
    this.#announcer.stop(key);
    this.#tenures.delete(key);
    const { standing, wanted } = tenure;
    if (standing.at === "waiting") return;
    if (standing.at === "foreign") {
      const text = `${nameOf(wanted)} stays: someone else configured it, so this node goes on answering for it`;
      return this.#say("foreign", tenure, text);
    }
    if (this.#holds(standing.index, wanted.address)) {
      return this.#say("released", tenure, `${nameOf(wanted)} stays: another instance holds it too`);
    }
    try {
      this.#network.removeAddress({ index: standing.index, address: wanted.address, prefix: wanted.prefix });
      this.#say("released", tenure, `${nameOf(wanted)} is released`);
    } catch (cause) {
      this.#say("released", tenure, `${messageOf(cause)}; its lease ends within ${tenure.lease / 1000} s`);
    }
  }

  #wait(key: string, tenure: Tenure, reason: string): void {
    this.#announcer.stop(key);
    const { standing } = tenure;
    tenure.standing = { at: "waiting", reason };
    // Tried each second, said once.
    if (standing.at === "waiting" && standing.reason === reason) return;
    this.#say("waiting", tenure, `${nameOf(tenure.wanted)} cannot be held: ${reason}`);
  }

  #renewSome(now: number): void {
    if (now >= this.#renewal) {
      this.#renewal = now + renewal;
      this.#stale = [...this.#tenures.values()];
    }
    for (const tenure of this.#stale.splice(0, renewedAtOnce)) {
      // Released meanwhile, or acquired anew.
      if (this.#tenures.get(keyOf(tenure.instance, tenure.wanted)) === tenure) this.#renew(tenure, now);
    }
    this.#renewalGoesOn = this.#stale.length > 0 ? now + pause : Infinity;
  }

  #renew(tenure: Tenure, now: number): void {
    const { standing, instance, wanted } = tenure;
    switch (standing.at) {
      case "foreign":
        return;
      case "waiting":
        return this.#take(keyOf(instance, wanted), tenure, now, "held");
      case "held":
        try {
          this.#network.addAddress({ index: standing.index, ...leaseOf(tenure) });
          tenure.leasedAt = now;
        } catch (cause) {
          this.#wait(keyOf(instance, wanted), tenure, messageOf(cause));
        }
    }
  }

  #linkChanged(link: Link, before: Link | null, now: number): void {
    for (const [key, tenure] of this.#tenures) {
      if (tenure.wanted.interface !== link.name) continue;
      const { standing } = tenure;
      if (standing.at === "waiting" || standing.index !== link.index) {
        this.#take(key, tenure, now, "held");
      } else {
        tenure.standing = { ...standing, frames: announcementOf(tenure.wanted.address, link) };
        // Whoever is behind a link that came back may have forgotten us, or be someone else now; and a link that has
        // another MAC takes nothing any more that comes to the one they know.
        const moved = before === null || before.mac.some((byte, at) => byte !== link.mac[at]);
        if (link.up && (before?.up !== true || moved)) this.#announcer.start(key, tenure.schedule, now);
      }
    }
  }

  #linkGone(link: Link): void {
    // Back already, under the same index: its addresses were put back as they went.
    if (this.#network.link(link.name)?.index === link.index) return;
    for (const [key, tenure] of this.#tenures) {
      if (tenure.standing.at !== "waiting" && tenure.standing.index === link.index) {
        this.#wait(key, tenure, `Interface "${link.name}" does not exist`);
      }
    }
  }

  #addressSeen(address: InterfaceAddress): void {
    if (isOurs(address, this.#network.keepsProtocol)) return;
    for (const tenure of this.#tenures.values()) {
      if (tenure.standing.at === "held" && isAt(tenure, address) && address.prefix === tenure.wanted.prefix) {
        // We may have renewed our lease since, and then it is ours again.
        const there = this.#network.addresses(address.index)
          .find((one) => one.address === address.address && one.prefix === address.prefix);
        if (there === undefined || isOurs(there, this.#network.keepsProtocol)) continue;
        tenure.standing = { ...tenure.standing, at: "foreign" };
        const made = there.validFor === null ? "was made permanent" : "was given another lifetime";
        this.#say("foreign", tenure, `${nameOf(tenure.wanted)} ${made} by someone else: left as it is`);
      }
    }
  }

  #addressGone(address: InterfaceAddress, now: number): void {
    for (const [key, tenure] of this.#tenures) {
      if (!isAt(tenure, address)) continue;
      const there = this.#network.addresses(address.index).some((one) => one.address === address.address);
      // It may have been removed and added again since, by us too.
      if (there) continue;
      // Only a lease of ours lapses by a stall of ours.
      const lapsed = tenure.standing.at === "held" && now >= tenure.leasedAt + tenure.lease;
      this.#take(key, tenure, now, lapsed ? "lapsed" : "restored");
    }
  }

  #announceOne(key: string): void {
    const tenure = this.#tenures.get(key);
    if (tenure === undefined || tenure.standing.at === "waiting") return;
    const { index, frames } = tenure.standing;
    for (const frame of frames) {
      if (this.#frames.send(index, frame)) this.#countersOf(tenure.instance).garpSent++;
    }
  }

  #clear(found: InterfaceAddress, wanted: VirtualAddress): void {
    if (!isOurs(found, this.#network.keepsProtocol)) {
      const text = `${nameOf(wanted)} is configured ${manner(found)} by someone else: ` +
        `this node answers for it even while another router is active, remove it there`;
      return this.#report({
        type: "foreign",
        instance: "",
        address: wanted.address,
        interface: wanted.interface,
        text,
      });
    }
    try {
      this.#network.removeAddress(found);
      const text = `${nameOf(wanted)} was left by an earlier run: removed`;
      this.#report({ type: "leftover", instance: "", address: wanted.address, interface: wanted.interface, text });
    } catch (cause) {
      const text = `${messageOf(cause)}; its lease ends within ${(found.validFor ?? 0) / 1000} s`;
      this.#report({ type: "leftover", instance: "", address: wanted.address, interface: wanted.interface, text });
    }
  }

  #holds(index: number, address: string): boolean {
    for (const { standing, wanted } of this.#tenures.values()) {
      if (standing.at !== "waiting" && standing.index === index && wanted.address === address) return true;
    }
    return false;
  }

  #countersOf(instance: string): Counters {
    let counters = this.#counters.get(instance);
    if (counters === undefined) this.#counters.set(instance, counters = { garpSent: 0, addressesRestored: 0 });
    return counters;
  }

  #say(type: HolderEvent["type"], { instance, wanted }: Tenure, text: string): void {
    this.#report({ type, instance, address: wanted.address, interface: wanted.interface, text });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** What a virtual router hears: advertisements and words of the hand-over channel, from whom, and what is not believed. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import type { IPv4Packet } from "../bytes/ipv4.ts";
import { type Advertisement, decode, sameAddresses } from "./advertisement.ts";
import type { Counters } from "./counters.ts";
import { decodeHandover, type HandoverMessage } from "./handover_message.ts";
import type { Drop, Inspection } from "./inspection.ts";
import { inspectionOf } from "./outlook.ts";
import { hearPeer, knowsPeer, type Peer } from "./peers.ts";
import type { InstanceOptions } from "./protocol.ts";
import type { Reporter } from "./reporter.ts";
import type { Event } from "./state.ts";

/** The virtual router that listens. */
export interface HearingHost {
  readonly counters: Counters;
  readonly reporter: Reporter;
  readonly step: (event: Event) => void;
  /** The router that it follows as backup. */
  readonly followed: () => Address | null;
  /** A word of a hand-over, from a router that may speak. */
  readonly told: (from: Address, message: HandoverMessage, now: number) => void;
  /** The status differs from the last one told. */
  readonly changed: () => void;
}

export class Hearing {
  #options: InstanceOptions;
  #inspection: Inspection;
  #peers: readonly Peer[] = [];

  constructor(options: InstanceOptions, private readonly host: HearingHost) {
    this.#options = options;
    this.#inspection = inspectionOf(options);
  }

  /** The other routers, as far as they were heard. */
  get peers(): readonly Peer[] {
    return this.#peers;
  }

  reconfigure(options: InstanceOptions): void {
    this.#options = options;
    this.#inspection = inspectionOf(options);
  }

  receive(packet: IPv4Packet, now: number): void {
    const decoded = decode(packet.payload, packet, this.#inspection);
    if (decoded.type === "drop") this.#drop(decoded, packet.source, now);
    else this.#hear(decoded.advertisement, packet.source, now);
  }

  /** An advertisement on our interface for a virtual router that nobody here runs. */
  foreign(virtualRouterId: number, source: Address, now: number): void {
    const text = `Virtual router ID is ${virtualRouterId}, ours is ${this.#options.virtualRouterId}`;
    this.#drop({ type: "drop", reason: "vrid", text, incompatible: null }, source, now);
  }

  /** A datagram of the hand-over channel. */
  converse(bytes: Uint8Array, from: Address, now: number): void {
    const { virtualRouterId, authentication } = this.#options;
    const keys = authentication === null ? null : [authentication.password, ...authentication.alsoAccept];
    const message = decodeHandover(bytes, virtualRouterId, keys);
    if ("drop" in message) {
      const text = `Hand-over message from ${formatAddress(from)} refused (${message.drop})`;
      return this.host.reporter.warn(`channel ${message.drop}`, text, now);
    }
    const known = knowsPeer(this.#peers, from);
    const heard = { address: from, heardAt: now, helloAt: now };
    if (message.type === "hello") {
      const { priority, takes } = message;
      this.#peers = hearPeer(this.#peers, { ...heard, priority, takes, incompatible: null });
      if (!known) this.host.changed();
    } else if (message.type === "request") {
      // One that has just started may ask before it has greeted; asking makes it as known as a greeting.
      this.#peers = hearPeer(this.#peers, { ...heard, priority: message.priority, takes: null, incompatible: null });
    } else if (known) {
      this.#peers = hearPeer(this.#peers, heard);
    }
    this.host.told(from, message, now);
  }

  refuse(from: Address, now: number): void {
    const text = `Hand-over message from ${formatAddress(from)} refused (it came in by another interface)`;
    this.host.reporter.warn("channel interface", text, now);
  }

  #hear(advertisement: Advertisement, source: Address, now: number): void {
    const { counters, reporter, followed } = this.host;
    counters.adverts_received++;
    const { priority, interval, addresses } = advertisement;
    if (priority === 0) counters.priority_zero_received++;
    if (!sameAddresses(addresses, this.#inspection.addresses)) {
      counters.vip_mismatch++;
      reporter.mismatch(addresses, this.#inspection.addresses, source);
    }
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible: null });
    const before = followed();
    this.host.step({ type: "advert", now, source, priority, interval });
    const after = followed();
    const same = before === null || after === null ? before === after : equalAddresses(before, after);
    if (!same) this.host.changed();
  }

  #drop(drop: Drop, source: Address, now: number): void {
    const { counters, reporter } = this.host;
    const { reason, incompatible } = drop;
    counters.dropped[reason]++;
    reporter.dropped(drop, source, now);
    if (incompatible === null) return;
    counters.incompatible++;
    const { priority, interval } = incompatible;
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible });
    reporter.incompatible(incompatible, source, now);
    this.host.step({ type: "incompatible", now, source, priority, interval });
  }
}

/** One virtual router at work: the pure machine with its timers, wire, addresses and peers. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import type { IPv4Packet } from "../bytes/ipv4.ts";
import { type Advertisement, decode, sameAddresses } from "./advertisement.ts";
import { Advertiser } from "./advertiser.ts";
import { Conditions, type Surroundings } from "./conditions.ts";
import { newCounters } from "./counters.ts";
import { Errand } from "./errand.ts";
import { decodeHandover } from "./handover_message.ts";
import type { Drop, Inspection } from "./inspection.ts";
import { deadline, initial, transition } from "./machine.ts";
import { Mover } from "./mover.ts";
import { inspectionOf, placeOf, sameOutlook } from "./outlook.ts";
import { describePeer, hearPeer, knowsPeer, type Peer, successor } from "./peers.ts";
import type { InstancePorts } from "./ports.ts";
import type { Hold, InstanceOptions, InstanceStatus, Tracking } from "./protocol.ts";
import { Reporter } from "./reporter.ts";
import type { Effect, Event, State } from "./state.ts";
import { downInterval } from "./timing.ts";

/** A failback that nobody grants is given up after this, in ms beyond Active_Down_Interval. */
const failbackPatience = 5000;

export class VirtualRouter {
  #options: InstanceOptions;
  #inspection: Inspection;
  #state: State = initial;
  readonly #conditions = new Conditions();
  /** As the machine was told last. */
  #yields = false;
  #since: number;
  #reason = "not started";
  /** Time as active router, in ms: until the last transition, and since when, where it is one. */
  #activeMs = 0;
  #activeSince: number | null = null;
  #peers: readonly Peer[] = [];
  #stopping = false;
  #stopped = false;
  readonly #counters = newCounters();
  readonly #advertiser: Advertiser;
  readonly #reporter: Reporter;
  readonly #errand: Errand;
  readonly #mover: Mover;
  readonly #pending: Event[] = [];
  #stepping = false;
  /** The event that is carried out came during a planned move away from here. */
  #planned = false;
  /** When `run` is due; NaN = to be worked out. */
  #due = NaN;

  constructor(options: InstanceOptions, private readonly ports: InstancePorts) {
    const { name } = options;
    this.#options = options;
    this.#inspection = inspectionOf(options);
    this.#since = ports.wallClock();
    this.#reporter = new Reporter({ name, log: ports.log, report: ports.report, wallClock: ports.wallClock });
    this.#errand = new Errand(ports.report);
    this.#advertiser = new Advertiser(
      ports.wire,
      this.#counters,
      (text) => this.#reporter.warn("transmit", text, ports.now()),
    );
    this.#mover = new Mover({
      options: () => this.#options,
      standing: () => ({
        state: this.#state.state,
        active: this.#followed(),
        priority: this.#priority(),
        yields: this.#conditions.yields,
        leaving: this.#state.state === "active" && this.#state.leaving !== null,
      }),
      place: () => placeOf(this.#conditions.outlook),
      takes: () => this.#conditions.inability,
      step: (event) => this.#step(event),
      announce: (now) => ports.addresses.announce(name, now),
      finished: () => this.#finished(),
      connections: ports.connections,
      wire: ports.wire,
      randomId: ports.randomId,
    });
  }

  get options(): InstanceOptions {
    return this.#options;
  }

  /** Own address on the wire; null while there is none. */
  get primary(): Address | null {
    return this.#conditions.primary;
  }

  /** Told to stop; hand-over or drain may still be under way. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Told to stop, and nothing of it is left to do. */
  get gone(): boolean {
    return this.#stopped && !this.#mover.busy;
  }

  start(surroundings: Surroundings, tracking: Tracking, hold: Hold | null, vouched: boolean, now: number): void {
    this.#conditions.see(surroundings);
    this.#conditions.track(tracking);
    this.#conditions.hold = hold;
    this.#yields = this.#conditions.yields;
    if (vouched && this.#conditions.combined.effect !== "fault") this.#step({ type: "start", vouched, now });
    else this.#assess(now);
  }

  /** The same virtual router with other options; interface and virtual router ID stay. */
  reconfigure(options: InstanceOptions, now: number): void {
    this.#options = options;
    this.#inspection = inspectionOf(options);
    this.#advertiser.forget();
    this.#reporter.forget();
    if (this.#state.state === "active") this.ports.addresses.acquire(options.name, options, now);
    this.#step({ type: "changed", now });
  }

  see(surroundings: Surroundings, now: number): void {
    if (!sameOutlook(this.#conditions.outlook, surroundings.outlook)) this.#advertiser.forget();
    this.#conditions.see(surroundings);
    this.#assess(now);
  }

  track(tracking: Tracking, now: number): void {
    this.#conditions.track(tracking);
    this.#assess(now);
    this.ports.changed();
  }

  receive(packet: IPv4Packet, now: number): void {
    if (this.#stopped) return;
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
      return this.#reporter.warn(`channel ${message.drop}`, text, now);
    }
    const known = knowsPeer(this.#peers, from);
    const heard = { address: from, heardAt: now, helloAt: now };
    if (message.type === "hello") {
      const { priority, takes } = message;
      this.#peers = hearPeer(this.#peers, { ...heard, priority, takes, incompatible: null });
      if (!known) this.ports.changed();
    } else if (message.type === "request") {
      // One that has just started may ask before it has greeted; asking makes it as known as a greeting.
      this.#peers = hearPeer(this.#peers, { ...heard, priority: message.priority, takes: null, incompatible: null });
    } else if (known) {
      this.#peers = hearPeer(this.#peers, heard);
    }
    this.#due = NaN;
    this.#mover.hear(from, message, now);
  }

  failover(id: number, hold: Hold | null, now: number): void {
    const { state } = this.#state;
    if (this.#state.state !== "active") return this.#errand.answer(id, "refused", `It is ${state} here, not active`);
    if (this.#state.leaving !== null) return this.#errand.answer(id, "refused", "A move is under way already");
    this.#errand.accept({ id, hold, until: Infinity }, "The peer is asked to take over");
    this.#step({ type: "leave", cause: "failover", reason: hold?.reason || "failover", now });
  }

  failback(id: number, now: number): void {
    const held = this.#conditions.hold !== null;
    this.#setHold(null);
    const { state } = this.#state;
    if (state === "active") return this.#errand.answer(id, "refused", "It is active here already");
    if (this.#state.state !== "backup") return this.#errand.answer(id, "refused", `It is ${state} here`);
    const { active, activeInterval } = this.#state;
    const patience = downInterval(this.#options.version, this.#priority(), activeInterval) + failbackPatience;
    this.#errand.accept({ id, hold: null, until: now + patience }, held ? "The hold is over" : "There was no hold");
    if (active !== null && active.priority >= this.#priority()) {
      const text = `${formatAddress(active.address)} keeps it: its priority ${active.priority} is not lower than ours`;
      return this.#errand.settle("drained", text);
    }
    this.#step({ type: "failback", now });
  }

  /** Hands over and ends; `gone` tells when that is done. */
  stop(now: number): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#step({ type: "leave", cause: "stop", reason: "this node stops", now });
  }

  /** Ends at once, without hand-over. */
  abandon(now: number): void {
    if (!this.#stopped) {
      this.#step({ type: "fault", reason: "removed", transmit: this.#conditions.outlook.usable, now });
    }
    this.#stopping = this.#stopped = true;
    this.#mover.abandon(this.#options.name);
  }

  deadline(): number {
    if (Number.isNaN(this.#due)) {
      this.#due = Math.min(deadline(this.#state), this.#mover.deadline(), this.#errand.deadline);
    }
    return this.#due;
  }

  run(now: number): void {
    this.#due = NaN;
    if (now >= deadline(this.#state)) this.#step({ type: "timer", now });
    this.#mover.run(now);
    this.#errand.expire(now);
  }

  /** What only the clock on the wall knows. */
  tick(): void {
    const until = this.#conditions.hold?.until ?? null;
    if (until === null || this.ports.wallClock() < until) return;
    this.#reporter.notice("The hold is over: its time has come");
    this.#setHold(null);
  }

  /** The connections that were kept here have ended, or the rules for those that the peer keeps have. */
  connectionsEnded(how: "drained" | "expired", now: number): void {
    this.#due = NaN;
    this.#mover.tell(how, now);
    this.ports.changed();
  }

  status(now: number): InstanceStatus {
    const { name, version, priority } = this.#options;
    const { garpSent, addressesRestored } = this.ports.addresses.counters(name);
    const state = this.#state;
    const activeRouter = state.state === "active" ? this.primary : this.#followed();
    const interval = state.state === "backup" ? state.activeInterval : this.#options.advertInterval;
    const patience = downInterval(version, this.#priority(), interval);
    return {
      name,
      state: state.state,
      since: this.#since,
      reason: this.#reason,
      priority: { configured: priority, effective: this.#priority() },
      activeRouter: activeRouter === null ? null : formatAddress(activeRouter),
      counters: { ...this.#counters, garp_sent: garpSent, addresses_restored: addressesRestored },
      tracking: this.#conditions.combined,
      hold: this.#conditions.hold,
      peer: describePeer(this.#peers, now, patience, name),
      handover: this.#mover.status(),
      held: this.ports.addresses.held(name),
      activeMs: this.#activeMs + (this.#activeSince === null ? 0 : now - this.#activeSince),
    };
  }

  /** The router that a backup follows; one that gave up is none. */
  #followed(): Address | null {
    if (this.#state.state !== "backup") return null;
    const { active } = this.#state;
    return active === null || active.priority === 0 ? null : active.address;
  }

  #priority(): number {
    return this.#conditions.priority(this.#options);
  }

  /** Interfaces or trackers are other ones: a fault begins or ends, the router yields or no longer does. */
  #assess(now: number): void {
    if (this.#stopping) return;
    const { effect, causes } = this.#conditions.combined;
    const reason = causes.join("; ");
    const yielded = this.#yields;
    this.#yields = effect === "yield";
    const { state } = this.#state;
    if (effect === "fault") {
      if (this.#state.state === "fault" && this.#state.reason !== reason) this.#retell(reason);
      return this.#step({ type: "fault", reason, transmit: this.#conditions.outlook.usable, now });
    }
    if (state === "initialize" || state === "fault") return this.#step({ type: "start", vouched: false, now });
    if (yielded === this.#yields) return;
    if (state === "active" && this.#yields) this.#step({ type: "leave", cause: "yield", reason, now });
    else this.#step({ type: "changed", now });
  }

  /** Still a fault, for other reasons. */
  #retell(reason: string): void {
    this.#reason = reason;
    this.ports.changed();
  }

  #step(event: Event): void {
    this.#due = NaN;
    // An effect may lead to the next event; it waits until this one is carried out in full.
    this.#pending.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        const [state, effects] = transition(this.#state, next, this.#conditions.parameters(this.#options));
        this.#planned = this.#state.state === "active" && this.#state.leaving !== null;
        this.#state = state;
        for (const effect of effects) this.#carryOut(effect, next.now);
      }
    } finally {
      this.#stepping = false;
    }
  }

  #carryOut(effect: Effect, now: number): void {
    const { addresses } = this.ports;
    const { name } = this.#options;
    switch (effect.type) {
      case "advertise":
        return this.#advertiser.advertise(effect.priority, this.#options, this.#conditions.outlook);
      case "acquire":
        this.#activeSince = now;
        return addresses.acquire(name, this.#options, now);
      case "release":
        this.#activeMs += now - (this.#activeSince ?? now);
        this.#activeSince = null;
        return addresses.release(name, now);
      case "announce":
        return addresses.announce(name, now);
      case "offer":
        return this.#mover.offer(effect.cause, successor(this.#peers, now)?.address ?? null, now);
      case "request":
        return this.#mover.ask(effect.active, now);
      case "settle":
        return this.#settle(effect, now);
      case "endHold":
        this.#reporter.notice(effect.text);
        return this.#setHold(null);
      case "transition":
        return this.#moved(effect, now);
      case "warn":
        return this.#reporter.warn("duplicate", effect.text, now);
    }
  }

  #hear(advertisement: Advertisement, source: Address, now: number): void {
    this.#counters.adverts_received++;
    const { priority, interval, addresses } = advertisement;
    if (priority === 0) this.#counters.priority_zero_received++;
    if (!sameAddresses(addresses, this.#inspection.addresses)) {
      this.#counters.vip_mismatch++;
      this.#reporter.mismatch(addresses, this.#inspection.addresses, source);
    }
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible: null });
    const before = this.#followed();
    this.#step({ type: "advert", now, source, priority, interval });
    const after = this.#followed();
    const same = before === null || after === null ? before === after : equalAddresses(before, after);
    if (!same) this.ports.changed();
  }

  #drop(drop: Drop, source: Address, now: number): void {
    const { reason, incompatible } = drop;
    this.#counters.dropped[reason]++;
    this.#reporter.dropped(drop, source, now);
    if (incompatible === null) return;
    this.#counters.incompatible++;
    const { priority, interval } = incompatible;
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible });
    this.#reporter.incompatible(incompatible, source, now);
    this.#step({ type: "incompatible", now, source, priority, interval });
  }

  #moved(effect: Extract<Effect, { type: "transition" }>, now: number): void {
    this.#counters.transitions++;
    this.#since = this.ports.wallClock();
    this.#reason = effect.reason;
    this.#reporter.transition(effect, this.#priority(), this.#planned ? this.#mover.keep : undefined);
    if (effect.to === "active") {
      this.#errand.moved("It is active here");
      this.#mover.tell("active", now);
    }
    if (effect.to === "fault") this.#mover.tell("lost", now);
    this.ports.changed();
  }

  #settle(effect: Extract<Effect, { type: "settle" }>, now: number): void {
    const { cause, outcome, text } = effect;
    if (cause === "stop") this.#stopped = true;
    this.#reporter.moved(effect);
    if (outcome === "moved") {
      const hold = this.#errand.moved(text);
      if (hold !== null) this.#setHold(hold);
      this.#mover.tell("moved", now);
    } else {
      this.#errand.settle("failed", text);
      this.#mover.tell(outcome === "kept" ? "kept" : "lost", now);
    }
    this.ports.changed();
  }

  #finished(): void {
    const { keep } = this.#mover;
    const text = keep === null ? "the last connection has ended" : `connections are not kept: ${keep}`;
    this.#errand.finish(`Moved; ${text}`);
    this.ports.changed();
  }

  #setHold(hold: Hold | null): void {
    this.#conditions.hold = hold;
    this.ports.changed();
  }
}

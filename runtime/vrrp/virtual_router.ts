/** One virtual router at work: the pure machine with its timers, wire, addresses and peers. */
import { type Address, formatAddress } from "../bytes/address.ts";
import type { IPv4Packet } from "../bytes/ipv4.ts";
import { Advertiser } from "./advertiser.ts";
import { Conditions, type Surroundings } from "./conditions.ts";
import { newCounters } from "./counters.ts";
import { Hearing } from "./hearing.ts";
import { Mover } from "./mover.ts";
import { Orders } from "./orders.ts";
import { placeOf, sameOutlook } from "./outlook.ts";
import { describePeer, successor } from "./peers.ts";
import type { InstancePorts } from "./ports.ts";
import type { Hold, InstanceOptions, InstanceStatus, Tracking } from "./protocol.ts";
import { Reporter } from "./reporter.ts";
import { RunningMachine } from "./running_machine.ts";
import type { Effect, Event } from "./state.ts";
import { Tenure } from "./tenure.ts";
import { downInterval } from "./timing.ts";

export class VirtualRouter {
  #options: InstanceOptions;
  readonly #machine: RunningMachine;
  readonly #conditions = new Conditions();
  /** As the machine was told last. */
  #yields = false;
  readonly #tenure: Tenure;
  #stopping = false;
  #stopped = false;
  readonly #counters = newCounters();
  readonly #advertiser: Advertiser;
  readonly #reporter: Reporter;
  readonly #hearing: Hearing;
  readonly #orders: Orders;
  readonly #mover: Mover;
  /** When `run` is due; NaN = to be worked out. */
  #due = NaN;

  constructor(options: InstanceOptions, private readonly ports: InstancePorts) {
    const name = () => this.#options.name;
    this.#options = options;
    this.#tenure = new Tenure(ports.wallClock());
    this.#reporter = new Reporter({ name, log: ports.log, report: ports.report, wallClock: ports.wallClock });
    this.#machine = new RunningMachine(
      () => this.#conditions.parameters(this.#options),
      (effect, now) => this.#carryOut(effect, now),
    );
    const step = (event: Event) => this.#step(event);
    const followed = () => this.#machine.followed;
    this.#hearing = new Hearing(options, {
      counters: this.#counters,
      reporter: this.#reporter,
      step,
      followed,
      told: (from, message, now) => {
        this.#due = NaN;
        this.#mover.hear(from, message, now);
      },
      changed: ports.changed,
    });
    this.#orders = new Orders({
      options: () => this.#options,
      state: () => this.#machine.state,
      conditions: this.#conditions,
      reporter: this.#reporter,
      step,
      changed: ports.changed,
      wallClock: ports.wallClock,
      report: ports.report,
    });
    this.#advertiser = new Advertiser(
      ports.wire,
      this.#counters,
      (text) => this.#reporter.warn("transmit", text, ports.now()),
    );
    this.#mover = new Mover({
      options: () => this.#options,
      standing: () => ({
        state: this.#machine.state.state,
        active: this.#machine.followed,
        priority: this.#priority(),
        yields: this.#conditions.yields,
        leaving: this.#machine.leaving,
      }),
      place: () => placeOf(this.#conditions.outlook),
      takes: () => this.#conditions.inability,
      step,
      announce: (now) => ports.addresses.announce(name(), now),
      finished: () => this.#orders.finished(this.#mover.keep),
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

  /** The same virtual router with other options, maybe under another name; interface and virtual router ID stay. */
  reconfigure(options: InstanceOptions, now: number): void {
    this.#options = options;
    this.#hearing.reconfigure(options);
    this.#advertiser.forget();
    this.#reporter.forget();
    if (this.#machine.state.state === "active") this.ports.addresses.acquire(options.name, options, now);
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
    if (!this.#stopped) this.#hearing.receive(packet, now);
  }

  /** An advertisement on our interface for a virtual router that nobody here runs. */
  foreign(virtualRouterId: number, source: Address, now: number): void {
    this.#hearing.foreign(virtualRouterId, source, now);
  }

  /** A datagram of the hand-over channel. */
  converse(bytes: Uint8Array, from: Address, now: number): void {
    this.#hearing.converse(bytes, from, now);
  }

  /** A datagram of that channel which came in by an interface where no peer is. */
  refuse(from: Address, now: number): void {
    this.#hearing.refuse(from, now);
  }

  failover(id: number, hold: Hold | null, now: number): void {
    this.#orders.failover(id, hold, now);
  }

  failback(id: number, now: number): void {
    this.#orders.failback(id, now);
  }

  /** Hands over and ends; `gone` tells when that is done. */
  stop(now: number): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#step({ type: "leave", cause: "stop", reason: "this node stops", now });
  }

  /** Ends at once, without hand-over. */
  abandon(reason: string, now: number): void {
    if (!this.#stopped) {
      this.#step({ type: "fault", reason, transmit: this.#conditions.outlook.usable, now });
    }
    this.#stopping = this.#stopped = true;
    this.#mover.abandon(this.#options.name);
  }

  deadline(): number {
    if (Number.isNaN(this.#due)) {
      this.#due = Math.min(this.#machine.deadline(), this.#mover.deadline(), this.#orders.deadline);
    }
    return this.#due;
  }

  run(now: number): void {
    this.#due = NaN;
    if (now >= this.#machine.deadline()) this.#step({ type: "timer", now });
    this.#mover.run(now);
    this.#orders.expire(now);
  }

  /** What only the clock on the wall knows. */
  tick(): void {
    this.#orders.tick();
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
    const state = this.#machine.state;
    const activeRouter = state.state === "active" ? this.primary : this.#machine.followed;
    const interval = state.state === "backup" ? state.activeInterval : this.#options.advertInterval;
    const patience = downInterval(version, this.#priority(), interval);
    return {
      name,
      state: state.state,
      since: this.#tenure.since,
      reason: this.#tenure.reason,
      priority: { configured: priority, effective: this.#priority() },
      activeRouter: activeRouter === null ? null : formatAddress(activeRouter),
      counters: { ...this.#counters, garp_sent: garpSent, addresses_restored: addressesRestored },
      tracking: this.#conditions.combined,
      hold: this.#conditions.hold,
      peer: describePeer(this.#hearing.peers, now, patience, name),
      handover: this.#mover.status(),
      held: this.ports.addresses.held(name),
      activeMs: this.#tenure.activeMs(now),
    };
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
    const state = this.#machine.state;
    if (effect === "fault") {
      if (state.state === "fault" && state.reason !== reason) this.#retell(reason);
      return this.#step({ type: "fault", reason, transmit: this.#conditions.outlook.usable, now });
    }
    if (state.state === "initialize" || state.state === "fault") {
      return this.#step({ type: "start", vouched: false, now });
    }
    if (yielded === this.#yields) return;
    if (state.state === "active" && this.#yields) this.#step({ type: "leave", cause: "yield", reason, now });
    else this.#step({ type: "changed", now });
  }

  /** Still a fault, for other reasons. */
  #retell(reason: string): void {
    this.#tenure.reason = reason;
    this.ports.changed();
  }

  #step(event: Event): void {
    this.#due = NaN;
    this.#machine.step(event);
  }

  #carryOut(effect: Effect, now: number): void {
    const { addresses } = this.ports;
    const { name } = this.#options;
    switch (effect.type) {
      case "advertise":
        return this.#advertiser.advertise(effect.priority, this.#options, this.#conditions.outlook);
      case "acquire":
        this.#tenure.acquired(now);
        return addresses.acquire(name, this.#options, now);
      case "release":
        this.#tenure.released(now);
        return addresses.release(name, now);
      case "announce":
        return addresses.announce(name, now);
      case "offer":
        return this.#mover.offer(effect.cause, successor(this.#hearing.peers, now)?.address ?? null, now);
      case "request":
        return this.#mover.ask(effect.active, effect.cause, now);
      case "settle":
        return this.#settle(effect, now);
      case "endHold":
        return this.#orders.endHold(effect.text);
      case "transition":
        return this.#moved(effect, now);
      case "warn":
        return this.#reporter.warn("duplicate", effect.text, now);
    }
  }

  #moved(effect: Extract<Effect, { type: "transition" }>, now: number): void {
    this.#counters.transitions++;
    this.#tenure.begin(effect.reason, this.ports.wallClock());
    this.#reporter.transition(effect, this.#priority(), this.#machine.planned ? this.#mover.keep : undefined);
    if (effect.to === "active") {
      this.#orders.arrived();
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
      this.#orders.left(text);
      this.#mover.tell("moved", now);
    } else {
      this.#orders.failed(text);
      this.#mover.tell(outcome === "kept" ? "kept" : "lost", now);
    }
    this.ports.changed();
  }
}

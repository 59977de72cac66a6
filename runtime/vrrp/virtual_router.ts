/** One virtual router at work: the pure machine with its timers, wire, addresses, counters and words. */
import { type Address, compareAddresses, formatAddress } from "../bytes/address.ts";
import { encodeIPv4, type IPv4Packet } from "../bytes/ipv4.ts";
import { type Advertisement, decode, encode, sameAddresses } from "./advertisement.ts";
import { type Counters, newCounters } from "./counters.ts";
import { decodeHandover } from "./handover_message.ts";
import type { Drop, Inspection } from "./inspection.ts";
import { Limiter } from "./limiter.ts";
import { deadline, initial, transition } from "./machine.ts";
import { protocolNumber } from "./message.ts";
import { Mover } from "./mover.ts";
import { combineTracking, inspectionOf, type Outlook } from "./outlook.ts";
import { describePeer, explainDifference, hearPeer, type Peer, successor } from "./peers.ts";
import type { InstancePorts } from "./ports.ts";
import type { Hold, InstanceOptions, InstanceStatus, Tracking, VrrpEvent } from "./protocol.ts";
import type { Effect, Event, Parameters, State } from "./state.ts";
import { downInterval } from "./timing.ts";

const untracked: Tracking = { effect: "none", causes: [] };
const nowhere: Address = new Uint8Array(4);
const internetworkControl = 0xc0;

/** A command of the operator that is answered when the move is over. */
interface Errand {
  readonly id: number;
  readonly hold: Hold | null;
  readonly until: number;
}

/** A failback that nobody grants is given up after this, in ms beyond Active_Down_Interval. */
const failbackPatience = 5000;

export interface Surroundings {
  readonly outlook: Outlook;
  /** What interfaces that the options track do to this router. */
  readonly interfaces: Tracking;
}

export class VirtualRouter {
  readonly counters: Counters = newCounters();
  #options: InstanceOptions;
  #inspection: Inspection;
  #state: State = initial;
  #outlook: Outlook = { usable: false, reason: "not started", view: null };
  #interfaces: Tracking = untracked;
  #tracking: Tracking = untracked;
  #yields = false;
  #hold: Hold | null = null;
  #since: number;
  #reason = "not started";
  #activeSince: number | null = null;
  #activeMs = 0;
  #peers: Peer[] = [];
  #errand: Errand | null = null;
  #stopping = false;
  #stopped = false;
  readonly #mover: Mover;
  readonly #limiter = new Limiter();
  /** Address lists of others that were told once. */
  readonly #mismatches = new Set<string>();
  readonly #packets = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #pending: Event[] = [];
  #stepping = false;

  constructor(options: InstanceOptions, private readonly ports: InstancePorts) {
    this.#options = options;
    this.#inspection = inspectionOf(options);
    this.#since = ports.wallClock();
    this.#mover = new Mover({
      options: () => this.#options,
      standing: () => ({
        state: this.#state.state,
        active: this.#state.state === "backup" ? this.#state.active?.address ?? null : null,
        priority: this.#priority(),
        yields: this.#yields,
        leaving: this.#state.state === "active" && this.#state.leaving !== null,
      }),
      place: () => placeOf(this.#outlook),
      takes: () => this.#yields ? this.#combined().causes.join("; ") || "it yields" : null,
      step: (event) => this.#step(event),
      announce: (now) => ports.addresses.announce(options.name, now),
      finished: (now) => this.#finished(now),
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
    return this.#outlook.usable ? this.#outlook.primary : null;
  }

  /** Told to stop, and nothing of it is left to do. */
  get gone(): boolean {
    return this.#stopped && !this.#mover.busy;
  }

  /** Told to stop; hand-over or drain may still be under way. */
  get stopping(): boolean {
    return this.#stopping;
  }

  start(surroundings: Surroundings, tracking: Tracking, hold: Hold | null, vouched: boolean, now: number): void {
    this.#outlook = surroundings.outlook;
    this.#interfaces = surroundings.interfaces;
    this.#tracking = tracking;
    this.#hold = hold;
    this.#yields = this.#combined().effect === "yield";
    if (vouched && this.#combined().effect !== "fault") this.#step({ type: "start", vouched, now });
    else this.#assess(now);
  }

  /** The same virtual router with other options; interface and virtual router ID stay. */
  reconfigure(options: InstanceOptions, now: number): void {
    this.#options = options;
    this.#inspection = inspectionOf(options);
    this.#packets.clear();
    this.#mismatches.clear();
    if (this.#state.state === "active") this.ports.addresses.acquire(options.name, options, now);
    this.#step({ type: "changed", now });
  }

  see(surroundings: Surroundings, now: number): void {
    if (!sameOutlook(this.#outlook, surroundings.outlook)) this.#packets.clear();
    this.#outlook = surroundings.outlook;
    this.#interfaces = surroundings.interfaces;
    this.#assess(now);
  }

  track(tracking: Tracking, now: number): void {
    this.#tracking = tracking;
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
      return this.#warn(`channel ${message.drop}`, `Hand-over message refused (${message.drop})`, now, from);
    }
    const known = this.#peers.some(({ address, helloAt }) => helloAt !== null && compareAddresses(address, from) === 0);
    if (message.type === "hello") {
      const { priority, takes } = message;
      this.#peers = hearPeer(this.#peers, {
        address: from,
        heardAt: now,
        helloAt: now,
        priority,
        takes,
        incompatible: null,
      });
    } else if (known) {
      this.#peers = hearPeer(this.#peers, { address: from, heardAt: now, helloAt: now });
    }
    this.#mover.hear(from, message, now);
    if (!known) this.ports.changed();
  }

  failover(id: number, hold: Hold | null, now: number): void {
    if (this.#state.state !== "active") {
      return this.#answer(id, "refused", `It is ${this.#state.state} here, not active`);
    }
    if (this.#state.leaving !== null) return this.#answer(id, "refused", "A move is under way already");
    this.#errand = { id, hold, until: Infinity };
    this.#answer(id, "accepted", "The peer is asked to take over");
    this.#step({ type: "leave", cause: "failover", reason: hold?.reason || "failover", now });
  }

  failback(id: number, now: number): void {
    const held = this.#hold !== null;
    this.#setHold(null);
    if (this.#state.state === "active") return this.#answer(id, "refused", "It is active here already");
    if (this.#state.state !== "backup") return this.#answer(id, "refused", `It is ${this.#state.state} here`);
    this.#answer(id, "accepted", held ? "Hold is over" : "There was no hold");
    const { active, activeInterval } = this.#state;
    if (active !== null && active.priority >= this.#priority()) {
      const text = `${formatAddress(active.address)} keeps it: its priority ${active.priority} is not lower than ours`;
      return this.#answer(id, "drained", text);
    }
    const patience = downInterval(this.#options.version, this.#priority(), activeInterval) + failbackPatience;
    this.#errand = { id, hold: null, until: now + patience };
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
    if (!this.#stopped) this.#step({ type: "fault", reason: "removed", transmit: this.#outlook.usable, now });
    this.#stopped = true;
    this.#mover.abandon(this.#options.name);
  }

  deadline(): number {
    return Math.min(deadline(this.#state), this.#mover.deadline(), this.#errand?.until ?? Infinity);
  }

  run(now: number): void {
    if (now >= deadline(this.#state)) this.#step({ type: "timer", now });
    this.#mover.run(now);
    if (this.#errand !== null && now >= this.#errand.until) {
      this.#settleErrand("failed", "The active router did not let go");
    }
    const until = this.#hold?.until ?? null;
    if (until !== null && this.ports.wallClock() >= until) this.#setHold(null);
  }

  /** The connections that were kept here have ended, or the rules for those that the peer keeps have. */
  connectionsEnded(how: "drained" | "expired", now: number): void {
    this.#mover.tell(how, now);
    this.ports.changed();
  }

  status(now: number): InstanceStatus {
    const { name, version, priority, addresses: _ } = this.#options;
    const { garpSent, addressesRestored } = this.ports.addresses.counters(name);
    const state = this.#state;
    const following = state.state === "backup" && state.active !== null && state.active.priority > 0;
    const activeRouter = state.state === "active" ? this.primary : following ? state.active.address : null;
    const interval = state.state === "backup" ? state.activeInterval : this.#options.advertInterval;
    return {
      name,
      state: state.state,
      since: this.#since,
      reason: this.#reason,
      priority: { configured: priority, effective: this.#priority() },
      activeRouter: activeRouter === null ? null : formatAddress(activeRouter),
      counters: {
        ...this.counters,
        dropped: { ...this.counters.dropped },
        garp_sent: garpSent,
        addresses_restored: addressesRestored,
      },
      tracking: this.#combined(),
      hold: this.#hold,
      peer: describePeer(this.#peers, now, downInterval(version, this.#priority(), interval), name),
      handover: this.#mover.status(),
      held: this.ports.addresses.held(name),
      activeMs: this.#activeMs + (this.#activeSince === null ? 0 : now - this.#activeSince),
    };
  }

  #priority(): number {
    return this.#yields ? 1 : this.#options.priority;
  }

  #parameters(): Parameters {
    const { version, advertInterval, preempt, preemptDelay } = this.#options;
    const primary = this.primary ?? nowhere;
    return {
      version,
      priority: this.#priority(),
      advertInterval,
      preempt,
      preemptDelay,
      primary,
      held: this.#hold !== null,
    };
  }

  #combined(): Tracking {
    const own: Tracking = this.#outlook.usable ? untracked : { effect: "fault", causes: [this.#outlook.reason] };
    return combineTracking([own, this.#interfaces, this.#tracking]);
  }

  /** Interfaces or trackers are other ones: a fault begins or ends, the router yields or no longer does. */
  #assess(now: number): void {
    if (this.#stopping) return;
    const { effect, causes } = this.#combined();
    const yielded = this.#yields;
    this.#yields = effect === "yield";
    const { state } = this.#state;
    if (effect === "fault") {
      if (this.#state.state !== "fault" || this.#state.reason !== causes.join("; ")) this.ports.changed();
      return this.#step({ type: "fault", reason: causes.join("; "), transmit: this.#outlook.usable, now });
    }
    if (state === "initialize" || state === "fault") return this.#step({ type: "start", vouched: false, now });
    if (yielded === this.#yields) return;
    if (state === "active" && this.#yields) {
      this.#step({ type: "leave", cause: "yield", reason: causes.join("; "), now });
    } else this.#step({ type: "changed", now });
  }

  #step(event: Event): void {
    // An effect may lead to the next event; it waits until this one is carried out in full.
    this.#pending.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        const [state, effects] = transition(this.#state, next, this.#parameters());
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
        return this.#advertise(effect.priority, now);
      case "acquire":
        this.#activeSince = now;
        addresses.acquire(name, this.#options, now);
        return;
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
        this.ports.log.notice(`${name}: ${effect.text}`);
        return this.#setHold(null);
      case "transition":
        return this.#tell(effect, now);
      case "warn":
        return this.#warn("duplicate", effect.text, now);
    }
  }

  #advertise(priority: number, now: number): void {
    if (!this.#outlook.usable) return;
    for (const destination of this.#outlook.destinations) {
      const failed = this.ports.wire.transmit(this.#packet(priority, destination), destination);
      if (failed === 0) {
        this.counters.adverts_sent++;
        if (priority === 0) this.counters.priority_zero_sent++;
      } else {
        const text = `Cannot send advertisement to ${formatAddress(destination)}: errno ${failed}`;
        this.#warn("transmit", text, now);
      }
    }
  }

  /** Adverts differ by priority and destination only, so each is encoded once. */
  #packet(priority: number, destination: Address): Uint8Array<ArrayBuffer> {
    const key = `${priority} ${destination.join(".")}`;
    const known = this.#packets.get(key);
    if (known !== undefined) return known;
    const { version, virtualRouterId, advertInterval: interval, authentication, checksum } = this.#options;
    const source = this.primary ?? nowhere;
    const message = encode(
      { version, virtualRouterId, priority, interval, addresses: this.#inspection.addresses },
      {
        source,
        destination,
        password: authentication?.password ?? null,
        checksum: checksum === "plain" ? "plain" : "pseudo",
      },
    );
    const header = { source, destination, protocol: protocolNumber, hopLimit: 255, tos: internetworkControl };
    const packet = encodeIPv4(header, message);
    this.#packets.set(key, packet);
    return packet;
  }

  #hear(advertisement: Advertisement, source: Address, now: number): void {
    this.counters.adverts_received++;
    const { priority, interval, addresses } = advertisement;
    if (priority === 0) this.counters.priority_zero_received++;
    if (!sameAddresses(addresses, this.#inspection.addresses)) this.#mismatch(addresses, source);
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible: null });
    const before = this.#followed();
    this.#step({ type: "advert", now, source, priority, interval });
    if (this.#followed() !== before) this.ports.changed();
  }

  #followed(): string {
    return this.#state.state === "backup" ? this.#state.active?.address.join(".") ?? "" : "";
  }

  /** A rolling change of addresses must not make two actives: counted, told once, never dropped. */
  #mismatch(addresses: readonly Address[], source: Address): void {
    this.counters.vip_mismatch++;
    const theirs = addresses.map(formatAddress).join(", ");
    const key = `${formatAddress(source)} ${theirs}`;
    if (this.#mismatches.has(key) || this.#mismatches.size > 100) return;
    this.#mismatches.add(key);
    const ours = this.#inspection.addresses.map(formatAddress).join(", ");
    const text = `${formatAddress(source)} advertises other addresses: ${theirs}; ours are ${ours}`;
    this.ports.log.warning(`${this.#options.name}: ${text}`);
    this.#event("peer.state", "warning", text, { peer: formatAddress(source), theirs, ours });
  }

  #drop(drop: Drop, source: Address, now: number): void {
    const { reason, text, incompatible } = drop;
    const { name } = this.#options;
    this.counters.dropped[reason]++;
    const left = this.#limiter.pass(reason, now);
    if (left !== null) {
      const address = formatAddress(source);
      const more = left > 0 ? `; ${left} more like it in the last minute` : "";
      this.ports.log.warning(`${name}: Advertisement from ${address} dropped: ${text}${more}`, { reason });
      this.#event("dropped", "warning", `${text} (from ${address})${more}`, { reason, source: address });
    }
    if (incompatible === null) return;
    this.counters.incompatible++;
    const known = this.#peers.some((peer) =>
      peer.incompatible !== null && compareAddresses(peer.address, source) === 0
    );
    const { priority, interval } = incompatible;
    this.#peers = hearPeer(this.#peers, { address: source, heardAt: now, priority, incompatible });
    if (!known && this.#limiter.pass(`incompatible ${source}`, now) !== null) {
      const explain = explainDifference(incompatible, formatAddress(source), name);
      this.ports.log.error(`${name}: Incompatible peer: ${explain}`);
      this.#event("peer.state", "error", explain, { peer: formatAddress(source), state: "incompatible" });
      this.ports.changed();
    }
    this.#step({ type: "incompatible", now, source, priority, interval });
  }

  #tell(effect: Extract<Effect, { type: "transition" }>, now: number): void {
    const { from, to, reason } = effect;
    this.counters.transitions++;
    this.#since = this.ports.wallClock();
    this.#reason = reason;
    const planned = from === "active" && this.#mover.busy;
    const connections = planned ? this.#mover.keep ?? "kept" : undefined;
    const note = planned && this.#mover.keep !== null ? `; connections are not kept: ${this.#mover.keep}` : "";
    const text = `${from} → ${to}: ${reason}${note}`;
    const severity = to === "fault" ? "error" : "notice";
    this.ports.log[severity](`${this.#options.name}: ${text}`, { from, to });
    this.#event("vrrp.transition", severity, text, { from, to, reason, connections });
    if (to === "active") {
      if (this.#errand !== null) {
        this.#errand = { ...this.#errand, until: Infinity };
        this.#answer(this.#errand.id, "moved", "It is active here");
      }
      this.#mover.tell("active", now);
    }
    if (to === "fault") this.#mover.tell("lost", now);
    this.ports.changed();
  }

  #settle(effect: Extract<Effect, { type: "settle" }>, now: number): void {
    const { cause, outcome, text } = effect;
    const { log } = this.ports;
    const said = `${this.#options.name}: Planned move (${cause}): ${text}`;
    if (cause === "stop") this.#stopped = true;
    if (outcome === "moved") {
      log.notice(said, { connections: this.#mover.keep ?? "kept" });
      if (this.#errand !== null) {
        if (this.#errand.hold !== null) this.#setHold(this.#errand.hold);
        this.#answer(this.#errand.id, "moved", text);
      }
      this.#mover.tell("moved", now);
    } else {
      if (outcome === "kept") log.warning(said);
      this.#settleErrand("failed", text);
      this.#mover.tell(outcome === "kept" ? "kept" : "lost", now);
    }
    this.ports.changed();
  }

  #finished(_now: number): void {
    const kept = this.#mover.keep === null
      ? "the last connection has ended"
      : `connections not kept: ${this.#mover.keep}`;
    this.#settleErrand("drained", `Moved; ${kept}`);
    this.ports.changed();
  }

  #settleErrand(outcome: "drained" | "failed", text: string): void {
    if (this.#errand === null) return;
    const { id } = this.#errand;
    this.#errand = null;
    this.#answer(id, outcome, text);
  }

  #answer(id: number, outcome: "accepted" | "refused" | "moved" | "drained" | "failed", text: string): void {
    this.ports.report({ type: "answer", id, outcome, text });
  }

  #setHold(hold: Hold | null): void {
    this.#hold = hold;
    this.ports.changed();
  }

  #warn(cause: string, text: string, now: number, source?: Address): void {
    const left = this.#limiter.pass(cause, now);
    if (left === null) return;
    const more = left > 0 ? `; ${left} more like it in the last minute` : "";
    this.ports.log.warning(`${this.#options.name}: ${text}${source ? ` from ${formatAddress(source)}` : ""}${more}`);
  }

  #event(type: VrrpEvent["type"], severity: VrrpEvent["severity"], text: string, fields: VrrpEvent["fields"]): void {
    const about = this.#options.name;
    this.ports.report({ type: "event", event: { type, severity, about, at: this.ports.wallClock(), text, fields } });
  }
}

function sameOutlook(one: Outlook, other: Outlook): boolean {
  if (!one.usable || !other.usable) return false;
  return compareAddresses(one.primary, other.primary) === 0 && sameAddresses(one.destinations, other.destinations);
}

function placeOf(outlook: Outlook): { primary: Address; mac: string; index: number } | null {
  if (!outlook.usable) return null;
  const { primary, view: { mac, index } } = outlook;
  return { primary, mac, index };
}

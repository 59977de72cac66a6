/** Carries out the hand-over of one virtual router: the pure machine of `handover.ts` with its kernel and its channel. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import { advance, handoverDeadline } from "./handover.ts";
import {
  type Handover,
  type HandoverEffect,
  type HandoverEvent,
  idle,
  type OfferTerms,
  type Standing,
} from "./handover_state.ts";
import { servedByBoth } from "./handover_terms.ts";
import { encodeHandover, type HandoverMessage } from "./handover_message.ts";
import type { ConnectionPort, WirePort } from "./ports.ts";
import type { InstanceOptions, InstanceStatus } from "./protocol.ts";
import type { Event, MoveCause, RequestCause } from "./state.ts";

/** The virtual router that moves. */
export interface MoverHost {
  readonly options: () => InstanceOptions;
  readonly standing: () => Standing;
  /** Own address, MAC and interface index; null while the interface is unusable. */
  readonly place: () => { readonly primary: Address; readonly mac: string; readonly index: number } | null;
  /** Why this router could not take the addresses now; null = it could. */
  readonly takes: () => string | null;
  readonly step: (event: Event) => void;
  readonly announce: (now: number) => void;
  /** The move is over down to the last connection. */
  readonly finished: (now: number) => void;
  readonly connections: ConnectionPort;
  readonly wire: WirePort;
  readonly randomId: () => string;
}

/** Rules outlive the giver's drain by this much, in ms: its "drained" ends them sooner. */
const drainMargin = 5000;
const helloEvery = 1000;
/** A peer that never answered is no Tandem, and is asked this seldom, in ms. */
const helloSeldom = 30_000;

/** Text of a duplicate "released" and "drained": one may get lost. */
const repeatAfter = 50;

export class Mover {
  readonly #host: MoverHost;
  #state: Handover = idle;
  /** What became of the connections of the last move; null = they are kept. */
  keep: string | null = null;
  #hello: { readonly to: Address; readonly at: number; readonly unanswered: number } | null = null;
  readonly #repeats: { readonly at: number; readonly to: Address; readonly message: HandoverMessage }[] = [];

  constructor(host: MoverHost) {
    this.#host = host;
  }

  /** Something of a move is still under way on this node. */
  get busy(): boolean {
    return this.#state.giving !== null;
  }

  deadline(): number {
    const hello = this.#helloTarget() === null ? Infinity : this.#hello?.at ?? 0;
    return Math.min(handoverDeadline(this.#state), hello, ...this.#repeats.map(({ at }) => at));
  }

  run(now: number): void {
    if (now >= handoverDeadline(this.#state)) this.#advance({ type: "timer", now });
    this.#greet(now);
    for (const repeat of this.#repeats.filter(({ at }) => now >= at)) {
      this.#repeats.splice(this.#repeats.indexOf(repeat), 1);
      this.#send(repeat.to, repeat.message);
    }
  }

  offer(cause: MoveCause, peer: Address | null, now: number): void {
    this.keep = "the peer does not answer";
    const place = this.#host.place();
    const terms = this.#terms(cause, place?.mac ?? "");
    this.#advance({ type: "offer", now, peer: place === null ? null : peer, terms });
  }

  ask(peer: Address, cause: RequestCause, now: number): void {
    const { priority } = this.#host.standing();
    this.#advance({ type: "ask", now, peer, id: this.#host.randomId(), priority, cause });
  }

  hear(from: Address, message: HandoverMessage, now: number): void {
    if (message.type === "hello") {
      if (!message.answer) this.#send(from, this.#helloMessage(true));
      if (this.#hello !== null && equalAddresses(this.#hello.to, from)) this.#hello = { ...this.#hello, unanswered: 0 };
    }
    this.#advance({ type: "message", now, from, message, standing: this.#host.standing() });
  }

  /** What happened to the virtual router or to its connections. */
  tell(type: "moved" | "kept" | "lost" | "active" | "drained" | "expired", now: number): void {
    this.#advance({ type, now });
  }

  /** Ends everything of this router at once: it is not run any more. */
  abandon(name: string): void {
    this.#host.connections.letGo(name);
    this.#host.connections.stopForwarding(name);
    this.#state = idle;
  }

  status(): InstanceStatus["handover"] {
    const { giving, taking } = this.#state;
    const { name } = this.#host.options();
    if (giving !== null) {
      const peer = formatAddress(giving.phase === "offering" ? giving.attempt.peer : giving.peer);
      const phase = giving.phase === "moving" ? "releasing" : giving.phase;
      return { phase, peer, connections: this.#host.connections.connections(name) };
    }
    if (taking?.phase !== "forwarding") return null;
    return { phase: "forwarding", peer: formatAddress(taking.peer), connections: null };
  }

  #terms(cause: MoveCause, mac: string): OfferTerms {
    const { addresses, ports, handover } = this.#host.options();
    return {
      id: this.#host.randomId(),
      cause,
      mac,
      addresses: addresses.map(({ address }) => address),
      ports,
      drain: handover.drain,
      keep: this.#cannotKeep(),
    };
  }

  #cannotKeep(): string | null {
    const { ports, handover } = this.#host.options();
    if (handover.connections === "none") return "handover.connections is none";
    if (ports.length === 0) return "no frontend has a port on these addresses";
    return this.#host.connections.missing();
  }

  #advance(event: HandoverEvent): void {
    const [next, effects] = advance(this.#state, event);
    this.#state = next;
    for (const effect of effects) this.#carryOut(effect, event.now);
  }

  #carryOut(effect: HandoverEffect, now: number): void {
    const { connections, step } = this.#host;
    const options = this.#host.options();
    switch (effect.type) {
      case "send":
        if (effect.message.type === "released" || effect.message.type === "drained") {
          this.#repeats.push({ at: now + repeatAfter, to: effect.to, message: effect.message });
        }
        this.#send(effect.to, effect.message);
        return;
      case "retain": {
        const addresses = options.addresses.map(({ address }) => address);
        const retention = {
          interface: options.interface,
          addresses,
          ports: options.ports,
          drain: options.handover.drain,
        };
        this.#unkept = connections.retain(options.name, retention, now);
        return;
      }
      case "drain":
        return connections.drain(options.name, now);
      case "proceed":
        this.keep = effect.keep ?? this.#unkept;
        this.#unkept = null;
        return step({ type: "proceed", now });
      case "cancel":
        return step({ type: "cancel", now, reason: effect.reason });
      case "leave":
        return step({ type: "leave", now, cause: "preemption", reason: effect.reason });
      case "forward":
        this.keep = this.#forward(effect.peer, effect.offer, now);
        return this.#advance({ type: "forwarded", now, keep: this.keep });
      case "agreed":
        return step({ type: "agreed", now, until: effect.until });
      case "refused":
        return step({ type: "refused", now });
      case "confirm":
        return connections.confirm(options.name, now);
      case "announce":
        return this.#host.announce(now);
      case "stopForwarding":
        return connections.stopForwarding(options.name);
      case "letGo":
        return connections.letGo(options.name);
      case "finished":
        return this.#host.finished(now);
    }
  }

  #unkept: string | null = null;

  /** Only what both sides have configured is forwarded: a peer cannot make us forward anything else. */
  #forward(peer: Address, offer: OfferTerms, now: number): string | null {
    const options = this.#host.options();
    const cannot = offer.keep ?? this.#cannotKeep();
    if (cannot !== null) return cannot;
    const own = { addresses: options.addresses.map(({ address }) => address), ports: options.ports };
    const served = servedByBoth(own, offer);
    if (served === null) {
      const difference = offer.digest === undefined ? "no address and port in common" : "different addresses or ports";
      return `the nodes have ${difference}`;
    }
    const mac = Uint8Array.fromHex(offer.mac.replaceAll(":", ""));
    return this.#host.connections.forward(options.name, {
      device: this.#host.place()?.index ?? 0,
      peer: { address: formatAddress(peer), mac },
      ...served,
      limit: offer.drain + drainMargin,
    }, now);
  }

  /** Whether it left. */
  #send(to: Address, message: HandoverMessage): boolean {
    const { authentication, virtualRouterId } = this.#host.options();
    const place = this.#host.place();
    if (place === null) return false;
    const bytes = encodeHandover(message, virtualRouterId, authentication?.password ?? null);
    return this.#host.wire.say(bytes, place.primary, to) === 0;
  }

  #helloMessage(answer: boolean): HandoverMessage {
    return { type: "hello", priority: this.#host.standing().priority, takes: this.#host.takes(), answer };
  }

  /** A backup greets the router that it follows, so that this one knows whom it may offer the addresses to. */
  #helloTarget(): Address | null {
    const { state, active } = this.#host.standing();
    return state === "backup" ? active : null;
  }

  #greet(now: number): void {
    const to = this.#helloTarget();
    if (to === null) return;
    if (this.#hello === null || !equalAddresses(this.#hello.to, to)) this.#hello = { to, at: now, unanswered: 0 };
    if (now < this.#hello.at) return;
    // What could not be said is no question left unanswered: nobody shall wait for the seldom one when it can be.
    const unanswered = this.#hello.unanswered + (this.#send(to, this.#helloMessage(false)) ? 1 : 0);
    this.#hello = { to, at: now + (unanswered > 3 ? helloSeldom : helloEvery), unanswered };
  }
}

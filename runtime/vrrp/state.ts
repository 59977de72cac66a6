/** What the state machine of a virtual router knows, hears and answers. */
import type { Address } from "../bytes/address.ts";
import type { InstanceState } from "./protocol.ts";

/** What holds for a virtual router now; may differ from one event to the next. */
export interface Parameters {
  readonly version: 2 | 3;
  /** Effective priority: 1 while the router yields. */
  readonly priority: number;
  /** Own advertisement interval in ms. */
  readonly advertInterval: number;
  readonly preempt: boolean;
  /** In ms, from the first advertisement of a lower priority. */
  readonly preemptDelay: number;
  /** Own primary address: breaks ties. */
  readonly primary: Address;
  /** An operator moved the addresses away: taken only when the peer falls silent (contract 2.2). */
  readonly held: boolean;
}

/** Monotonic ms. */
type Time = number;

export interface Initialize {
  readonly state: "initialize";
}

export interface Fault {
  readonly state: "fault";
  readonly reason: string;
}

export interface Backup {
  readonly state: "backup";
  /** When the active router counts as down. */
  readonly downAt: Time;
  /** Interval of the active router in ms, as it says. */
  readonly activeInterval: number;
  /** The router that is followed; null until one is heard. */
  readonly active: { readonly address: Address; readonly priority: number; readonly at: Time } | null;
  /** When this state began. */
  readonly since: Time;
  /** We woke too late to trust our own silence and have granted one interval more. */
  readonly granted: boolean;
  /** First advertisement of the row of lower priorities that preempt_delay counts from. */
  readonly lowerSince: Time | null;
  /** We asked the active router to hand over: plain preemption, or asking for the same again, waits until then. */
  readonly asked: { readonly cause: RequestCause; readonly until: Time } | null;
  /** We agreed to take over at priority 0 until then. */
  readonly agreedUntil: Time | null;
  /** failback: preempt without `preempt` and without delay. */
  readonly summoned: boolean;
  /** An incompatible peer that holds the addresses, believed until then. */
  readonly rival: { readonly address: Address; readonly until: Time } | null;
}

/** Why the addresses leave this node by plan. */
export type MoveCause = "failover" | "yield" | "preemption" | "stop";

/**
 * Why a backup asks for the addresses: it may preempt, the operator wants them back, or the active router seems to yield,
 * which it knows better: priority 1 may also be what it was given.
 */
export type RequestCause = "preemption" | "failback" | "rescue";

export type Leaving =
  /** The peer is asked to get ready; until then nothing has changed for anyone. */
  | { readonly phase: "offering"; readonly cause: MoveCause; readonly reason: string; readonly until: Time }
  /** Priority 0 is being sent, the addresses are still here. */
  | {
    readonly phase: "relinquishing";
    readonly cause: MoveCause;
    readonly reason: string;
    readonly until: Time;
    readonly zerosLeft: number;
    readonly zeroAt: Time;
  };

export interface Active {
  readonly state: "active";
  readonly since: Time;
  /** When the next advertisement is due. */
  readonly advertAt: Time;
  /** When evidence of another active router is answered with an announcement; Infinity = there is none. */
  readonly announceAt: Time;
  readonly announcedAt: Time;
  /** After a stall without `preempt`: we listen until then whether somebody took over. */
  readonly doubtUntil: Time | null;
  readonly leaving: Leaving | null;
  /** An incompatible peer that we give in to when it is still heard at `patience`. */
  readonly rival: { readonly address: Address; readonly patience: Time } | null;
}

/**
 *                    ┌── fault ◄─────────────┐
 *                    ▼                       │
 *     initialize ─► backup ── silence ─► active
 *                    ▲  ◄── outranked, moved ─┘
 */
export type State = Initialize | Fault | Backup | Active;

export type Event =
  & { readonly now: Time }
  & (
    /** The router may run: at start, and when a fault is over. `vouched`: it was active until a moment ago. */
    | { readonly type: "start"; readonly vouched: boolean }
    | { readonly type: "timer" }
    | {
      readonly type: "advert";
      readonly source: Address;
      readonly priority: number;
      /** In ms. */
      readonly interval: number;
    }
    /** A peer that means the same addresses and is configured differently. */
    | {
      readonly type: "incompatible";
      readonly source: Address;
      readonly priority: number;
      readonly interval: number;
    }
    /** `transmit`: an advertisement can still leave. */
    | { readonly type: "fault"; readonly reason: string; readonly transmit: boolean }
    /** The parameters are other ones than at the last event. */
    | { readonly type: "changed" }
    | { readonly type: "leave"; readonly cause: MoveCause; readonly reason: string }
    /** The peer is ready, or cannot be asked. */
    | { readonly type: "proceed" }
    /** The peer had better not take over. */
    | { readonly type: "cancel"; readonly reason: string }
    /** We told the active router that we are ready. */
    | { readonly type: "agreed"; readonly until: Time }
    /** The active router does not hand over on request. */
    | { readonly type: "refused" }
    | { readonly type: "failback" }
  );

export type Effect =
  | { readonly type: "advertise"; readonly priority: number }
  /** Put the addresses on their interfaces and announce them. */
  | { readonly type: "acquire" }
  | { readonly type: "release" }
  /** Announce them again. */
  | { readonly type: "announce" }
  /** Ask the peer to get ready for the addresses. */
  | { readonly type: "offer"; readonly cause: MoveCause }
  /** Ask the active router for the addresses. */
  | { readonly type: "request"; readonly active: Address; readonly cause: RequestCause }
  /** A planned move is over: the peer has the addresses, they stayed here, or nobody has them. */
  | {
    readonly type: "settle";
    readonly cause: MoveCause;
    readonly outcome: "moved" | "kept" | "left";
    readonly text: string;
  }
  | { readonly type: "endHold"; readonly text: string }
  | {
    readonly type: "transition";
    readonly from: InstanceState;
    readonly to: InstanceState;
    readonly reason: string;
  }
  | { readonly type: "warn"; readonly text: string };

/** The next state and what to do now, in this order: the order is part of the contract. */
export type Step = readonly [state: State, effects: readonly Effect[]];

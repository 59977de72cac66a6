/** What the hand-over of a virtual router knows, hears and answers. */
import type { Address } from "../bytes/address.ts";
import type { HandoverMessage } from "./handover_message.ts";
import type { InstanceState } from "./protocol.ts";

export type Offer = Extract<HandoverMessage, { type: "offer" }>;

export type Request = Extract<HandoverMessage, { type: "request" }>;

/** Everything a move needs said; made when it begins. */
export type OfferTerms = Omit<Offer, "type">;

export interface Attempt {
  readonly peer: Address;
  readonly tries: number;
  /** Monotonic ms. */
  readonly nextAt: number;
}

export type Giving =
  | { readonly phase: "offering"; readonly terms: OfferTerms; readonly attempt: Attempt }
  /** Priority 0 is out. `keep`: why connections are not kept. */
  | { readonly phase: "moving"; readonly id: string; readonly peer: Address; readonly keep: string | null }
  | { readonly phase: "draining"; readonly id: string; readonly peer: Address };

export type Taking =
  | {
    readonly phase: "agreed";
    readonly id: string;
    readonly peer: Address;
    readonly until: number;
    /** Why connections are not kept; null = rules are loaded. */
    readonly keep: string | null;
  }
  /** The addresses are here, and so are rules for what the giver still serves. */
  | { readonly phase: "forwarding"; readonly id: string; readonly peer: Address }
  /** The addresses are here, no rules; only "released" is awaited. */
  | { readonly phase: "taken"; readonly id: string; readonly peer: Address };

export interface Handover {
  readonly giving: Giving | null;
  readonly taking: Taking | null;
  readonly asking: { readonly request: Omit<Request, "type">; readonly attempt: Attempt } | null;
}

export const idle: Handover = { giving: null, taking: null, asking: null };

/** What the virtual router is at the moment a message comes. */
export interface Standing {
  readonly state: InstanceState;
  /** The router that a backup follows. */
  readonly active: Address | null;
  readonly priority: number;
  readonly yields: boolean;
  readonly leaving: boolean;
}

export type HandoverEvent =
  & { readonly now: number }
  & (
    /** The machine wants to leave; `peer` is null where no Tandem router is known. */
    | { readonly type: "offer"; readonly terms: OfferTerms; readonly peer: Address | null }
    | ({ readonly type: "ask"; readonly peer: Address } & Omit<Request, "type">)
    | {
      readonly type: "message";
      readonly from: Address;
      readonly message: HandoverMessage;
      readonly standing: Standing;
    }
    /** The taker's kernel work is done; `keep` says why connections are not kept. */
    | { readonly type: "forwarded"; readonly keep: string | null }
    | { readonly type: "timer" }
    /** Giver: the peer has the addresses; they stayed here; nobody may have them. */
    | { readonly type: "moved" }
    | { readonly type: "kept" }
    | { readonly type: "lost" }
    /** This node became active. */
    | { readonly type: "active" }
    /** The last kept connection ended or the drain is over. */
    | { readonly type: "drained" }
    /** The taker's rules reached their end without "drained". */
    | { readonly type: "expired" }
  );

export type HandoverEffect =
  | { readonly type: "send"; readonly to: Address; readonly message: HandoverMessage }
  /** Giver: keep connections, then priority 0. `keep`: why not. */
  | { readonly type: "retain" }
  /** Giver: the addresses are off the interface; the last connections have the time of the drain. */
  | { readonly type: "drain" }
  | { readonly type: "proceed"; readonly keep: string | null }
  | { readonly type: "cancel"; readonly reason: string }
  /** Giver: somebody asked for the addresses and may have them. */
  | { readonly type: "leave"; readonly reason: string }
  /** Taker: load the rules, then report `forwarded`. */
  | { readonly type: "forward"; readonly peer: Address; readonly offer: OfferTerms }
  | { readonly type: "agreed"; readonly until: number }
  | { readonly type: "refused" }
  | { readonly type: "confirm" }
  | { readonly type: "announce" }
  | { readonly type: "stopForwarding" }
  | { readonly type: "letGo" }
  /** The move is over, down to the last connection. */
  | { readonly type: "finished" };

export type HandoverStep = readonly [state: Handover, effects: readonly HandoverEffect[]];

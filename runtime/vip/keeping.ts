/** What keeping connections means: offers, and what is reported. */
import type { NetworkPort } from "./holding.ts";

/** What the taker forwards and to whom. */
export interface Forwarding {
  /** Index of the interface on which the giver is reached. */
  readonly device: number;
  readonly peer: { readonly address: string; readonly mac: Uint8Array };
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** Time in ms within which `confirm` must come, else the rules go. @default 5000 */
  readonly unconfirmed?: number;
  /** Longest life of the rules after `confirm`, in ms: the peer's drain and a margin. */
  readonly limit: number;
}

/** What the giver keeps serving. */
export interface Retention {
  /** Interface that carried the addresses: its ARP settings and those of all are changed for the time. */
  readonly interface: string;
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** Longest time in ms, from `drain`, that connections are kept for. */
  readonly drain: number;
}

export interface KeeperEvent {
  readonly type:
    /** The number of connections that the giver still has changed. */
    | "connections"
    /** The giver has none left, or the drain is over; its copies on `lo` are gone. */
    | "drained"
    /** The taker's rules reached their end without being told. */
    | "expired";
  readonly instance: string;
  /** Connections that are left. */
  readonly connections: number;
  readonly text: string;
}

export interface KeeperOptions {
  readonly network: NetworkPort;
  readonly report: (event: KeeperEvent) => void;
  /** Something of an earlier run was put right that could not be at the start. */
  readonly said: (text: string) => void;
  /** File that remembers changed ARP settings over a crash; null = only this process restores them. */
  readonly ledger: string | null;
}

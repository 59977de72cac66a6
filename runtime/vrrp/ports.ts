/** What a virtual router needs of the rest of the process. */
import type { Address } from "../bytes/address.ts";
import type { Logger } from "../telemetry/log.ts";
import type { VirtualAddress, VrrpReport } from "./protocol.ts";

/** Holds and announces virtual addresses. Every time is monotonic ms. */
export interface AddressPort {
  /** Puts them on their interfaces and announces them. */
  acquire(instance: string, holding: Holding, now: number): void;
  release(instance: string, now: number): void;
  /** Instances have other names now, old to new: what they hold stays as it is. */
  rename(names: ReadonlyMap<string, string>): void;
  /** Announces again now. */
  announce(instance: string, now: number): void;
  held(instance: string): readonly string[];
  counters(instance: string): { readonly garpSent: number; readonly addressesRestored: number };
}

export interface Holding {
  readonly addresses: readonly VirtualAddress[];
  readonly advertInterval: number;
  readonly garp: { readonly repeat: number; readonly delay: number; readonly refresh: number };
}

/** Keeps established connections over a planned move. Methods that may fail return a reason, null = done. */
export interface ConnectionPort {
  /** Why this machine cannot pass connections on; null = it can. */
  missing(): string | null;
  forward(instance: string, forwarding: Forwarding, now: number): string | null;
  confirm(instance: string, now: number): void;
  stopForwarding(instance: string): void;
  forwarding(instance: string): boolean;
  retain(instance: string, retention: Retention, now: number): string | null;
  /** The addresses are off their interface: the time of the drain runs. */
  drain(instance: string, now: number): void;
  connections(instance: string): number | null;
  letGo(instance: string): void;
  /** Instances have other names now, old to new. */
  rename(names: ReadonlyMap<string, string>): void;
}

export interface Forwarding {
  /** Index of the interface on which the giver is reached. */
  readonly device: number;
  readonly peer: { readonly address: string; readonly mac: Uint8Array<ArrayBuffer> };
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** In ms. */
  readonly limit: number;
}

export interface Retention {
  readonly interface: string;
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** In ms. */
  readonly drain: number;
}

/** The wire of one interface, as one virtual router uses it. The number is the errno; 0 = it left. */
export interface WirePort {
  /** An IP packet with its header. */
  transmit(packet: Uint8Array<ArrayBuffer>, destination: Address): number;
  /** A message on the hand-over channel. */
  say(bytes: Uint8Array<ArrayBuffer>, source: Address, destination: Address): number;
}

export interface InstancePorts {
  readonly addresses: AddressPort;
  readonly connections: ConnectionPort;
  readonly wire: WirePort;
  readonly log: Logger;
  readonly report: (report: VrrpReport) => void;
  /** The status differs from the last one told. */
  readonly changed: () => void;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly randomId: () => string;
}

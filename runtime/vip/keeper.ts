/**
 * Keeps established TCP connections over a planned move.
 *
 * The giver moves the addresses to `lo` and goes on serving what it holds; the taker passes on to it every segment that
 * is not its own, until the giver has drained. No connection tracking: it would cost every packet for ever.
 */

/** What the taker forwards and to whom. */
export interface Forwarding {
  /** Interface on which the giver is reached. */
  readonly interface: string;
  readonly peer: { readonly address: string; readonly mac: Uint8Array };
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** Time in ms within which `confirm` must come, else the rules go by themselves. @default 5000 */
  readonly unconfirmed?: number;
  /** Longest life of the rules after `confirm`, in ms: the peer's drain and a margin. */
  readonly limit: number;
}

/** What the giver keeps serving. */
export interface Retention {
  /** Interface that carried the addresses: its ARP settings are changed for the time. */
  readonly interface: string;
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** Longest time in ms that connections are kept for. */
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
  readonly connections: number;
  readonly text: string;
}

export interface KeeperOptions {
  readonly report: (event: KeeperEvent) => void;
  /** File that remembers changed ARP settings over a crash; null = they are only restored by this process. */
  readonly ledger: string | null;
}

/** Synchronous and non-blocking; every time is monotonic ms. Methods that may fail return a reason, null = done. */
export interface Keeper {
  /** Poll it for POLLIN and call `read` then. */
  readonly fd: number;
  /** When `run` wants to be called next; Infinity = not at all. */
  deadline(): number;
  /** Renews leases, counts connections, ends what is over. */
  run(now: number): void;
  /** Takes in one piece of the socket listing; never the whole of a long one. */
  read(now: number): void;
  /** Why this machine cannot keep connections; null = it can. Asked of the kernel once. */
  missing(): string | null;

  /** Taker, at the offer: loads the rules. Again for the same instance: replaces them. */
  forward(instance: string, forwarding: Forwarding, now: number): string | null;
  /** Taker, when it became active: the rules stay until `stopForwarding` or their limit. */
  confirm(instance: string, now: number): void;
  stopForwarding(instance: string): void;
  /** Is anything forwarded for the instance? */
  forwarding(instance: string): boolean;

  /** Giver, before its first priority 0: puts the addresses on `lo` and begins to count. */
  retain(instance: string, retention: Retention, now: number): string | null;
  /** Connections that are left; null = not retaining, or not counted yet. */
  connections(instance: string): number | null;
  /** Removes the copies on `lo`: drained, or the instance is active here again (after `Holder.acquire`). */
  letGo(instance: string): void;

  /** At start: removes tables, copies on `lo` and settings that a dead run left; says what it found. */
  clean(addresses: readonly string[]): readonly string[];
  /** Removes everything that this keeper made. */
  close(): void;
}

export declare function openKeeper(options: KeeperOptions): Keeper;

/**
 * The contract between Tandem and code that extends it, imported as `tandem/plugin`. All data is plain JSON; `ctx` is the
 * only capability. Durations are milliseconds.
 *
 * @module
 */

/** One server that is checked. */
export interface Target {
  readonly backend: string;
  readonly server: string;
  /** Literal IP address. */
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a check found. `reason` is a short sentence for the operator: "200 in 1.2 ms". */
export type Verdict =
  | { readonly state: "up"; readonly reason: string; readonly weightPercent?: number }
  | { readonly state: "standby" | "drain"; readonly reason: string }
  | {
    readonly state: "down";
    readonly reason: string;
    /** Where it failed: "connect", "send", "status", "body". */
    readonly phase?: string;
    readonly got?: string;
    readonly wanted?: string;
  };

/** A TCP connection to the target of a check. Every call rejects when the check's deadline passes. */
export interface Connection extends AsyncDisposable {
  /** Bytes that arrived, or null after the end of the stream. */
  read(): Promise<Uint8Array | null>;
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for measuring. */
  monotonic(): number;
  sleep(ms: number): Promise<void>;
}

export interface Log {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void;
  error(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What every kind of plugin is given. */
export interface Context<Config> {
  readonly config: Config;
  readonly host: {
    readonly node: string;
    readonly cluster: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly api: 1;
  };
  /** Aborted with reason `Deadline` when the answer comes too late, `Unload` when the plugin is stopped. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CheckerContext<Config> extends Context<Config> {
  /** Connects to the target, and only there. `port` for a check on another port. Rejects with a message like "connect refused". */
  connect(options?: { readonly port?: number; readonly tls?: boolean }): Promise<Connection>;
}

export interface Checker<Config> {
  readonly kind: "checker";
  init?(ctx: Context<Config>): void | Promise<void>;
  check(target: Target, ctx: CheckerContext<Config>): Verdict | Promise<Verdict>;
  /** The target is no longer checked. */
  forget?(target: Target): void;
}

/** Declares a health checker. Throwing is *down* with the message; no answer in time is *unknown*. */
export function defineChecker<Config>(checker: Omit<Checker<Config>, "kind">): Checker<Config> {
  return { kind: "checker", ...checker };
}

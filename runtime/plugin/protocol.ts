/**
 * What control and the process of a plugin say to each other, frame by frame.
 *
 *     control                                plugin process
 *        │◀── confined {measures} ───────────────┤ stage 1, before it executes stage 2
 *        │◀── ready ─────────────────────────────┤ stage 2: trusted host, no plugin code yet
 *        ├── load {directory, entry, host} ─────▶│
 *        │◀── loaded {kind, schema} ─────────────┤ or failed {phase, error}
 *        ├── call {id, method, argument} ───────▶│
 *        │◀── ask {id, call, what, …} ───────────┤ at most ASK_CREDITS unanswered
 *        ├── reply {id, value | error} ─────────▶│
 *        │◀── answer {id, value | error} ────────┤ exactly one for each call
 *        ├── cancel {id, reason} ───────────────▶│ the deadline passed: the host answers for the plugin
 *        ├── ping {n} ──────────────────────────▶│ every second; a busy loop misses it
 *        │◀── pong {n, abandoned} ───────────────┤
 *
 * Bytes travel as base64. Types only, and the limits both sides keep.
 */
import type { Measure } from "../os/confine.ts";

export type PluginKind = "checker" | "policy" | "notifier" | "app";

/** Questions a plugin may have open; more is a violation, the SDK queues them. */
export const ASK_CREDITS = 256;
/** Connections one call may hold. */
export const CONNECTIONS_PER_CALL = 4;
/** Most bytes of one read or write. */
export const CHUNK_LIMIT = 64 * 1024;

/**
 * Characters of a text that travel: twice as many as are shown. What is hidden in a text is seen whole then, and never shown in
 * part because the text was cut in the middle of it.
 */
export const TEXT_LIMIT = 16 * 1024;
/** Most bytes of the body of a request to an endpoint. As base64 it fits a frame, with what is said about it. */
export const BODY_LIMIT = 180 * 1024;

/** An error that crossed the pipe. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  /** The author's own files and lines. */
  readonly stack?: string;
  /** Where in the author's files it was made: "main.ts:14:9". */
  readonly at?: string;
  /** Of `Retry`: when to try again, ms. */
  readonly afterMs?: number;
}

export type ToPlugin =
  | {
    readonly type: "load";
    /** Where the plugin is, as a path. */
    readonly directory: string;
    readonly entry: string;
    readonly kind: PluginKind;
    readonly host: HostInfo;
    readonly granted: GrantedNames;
  }
  | {
    readonly type: "call";
    readonly id: number;
    /** The use whose config this is; its `init` was called with the same. */
    readonly use: string;
    readonly method: Method;
    readonly argument: unknown;
    /** Sent with `init` and kept by the host for later calls of this use. */
    readonly config?: unknown;
  }
  | { readonly type: "cancel"; readonly id: number; readonly reason: WireError }
  | { readonly type: "reply"; readonly id: number; readonly value: unknown }
  | { readonly type: "reply"; readonly id: number; readonly error: WireError }
  | { readonly type: "ping"; readonly n: number };

/** `serve` takes requests from its socket until `drain`, which answers when those that run are answered. */
export type Method = "init" | "check" | "forget" | "plan" | "notify" | "serve" | "drain";

export interface HostInfo {
  readonly node: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What `ctx` has beside what every plugin has; of a list that is empty it has nothing. A name that is not here is refused. */
export interface GrantedNames {
  /** Endpoints that requests go to, and those that datagrams go to. */
  readonly fetch: readonly string[];
  readonly send: readonly string[];
  readonly run: readonly string[];
  readonly store: boolean;
}

export type FromPlugin =
  /** `directory`: where the plugin's files are for stage 2. */
  | { readonly type: "confined"; readonly measures: readonly Measure[]; readonly directory: string }
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly kind: string; readonly schema: unknown }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "answer"; readonly id: number; readonly error: WireError }
  /** The deadline passed and the plugin's code has not finished: the host answers in its place. */
  | { readonly type: "answer"; readonly id: number; readonly abandoned: true }
  | { readonly type: "ask"; readonly id: number; readonly call: number; readonly ask: Ask }
  | { readonly type: "log"; readonly level: LogLevel; readonly text: string; readonly fields?: unknown }
  | { readonly type: "metric"; readonly name: string; readonly kind: "count" | "gauge"; readonly value: number }
  | { readonly type: "pong"; readonly n: number; readonly abandoned: number };

export type LogLevel = "debug" | "info" | "warn" | "error";

export type Ask =
  | { readonly what: "connect"; readonly port?: number; readonly tls?: boolean; readonly transport?: "tcp" | "udp" }
  | { readonly what: "read"; readonly connection: number }
  | { readonly what: "write"; readonly connection: number; readonly data: string }
  | { readonly what: "close"; readonly connection: number }
  | {
    readonly what: "fetch";
    readonly endpoint: string;
    readonly method: string;
    readonly path: string;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: string | null;
  }
  | { readonly what: "send"; readonly endpoint: string; readonly data: string }
  | {
    readonly what: "run";
    readonly command: string;
    readonly args: readonly string[];
    readonly input: string;
    readonly env: Readonly<Record<string, string>>;
  }
  | { readonly what: "get"; readonly key: string }
  | { readonly what: "set"; readonly key: string; readonly value: string | null };

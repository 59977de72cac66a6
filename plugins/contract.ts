/**
 * The contract between Tandem and code that extends it, imported as `tandem/plugin`. All data is plain JSON; `ctx` is the
 * only capability. Durations are milliseconds.
 *
 * @module
 */

import type { Declaration } from "./declaration.ts";

export { type Declaration, type Field, type JsonSchema, s, schemaOf } from "./declaration.ts";

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

/** A TCP connection or a UDP socket to the target of a check. Every call rejects when the check's deadline passes. */
export interface Connection extends AsyncDisposable {
  /** Bytes that arrived, or null after the end of the stream. By UDP: the next datagram. */
  read(): Promise<Uint8Array | null>;
  /** By UDP: sends one datagram. */
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
  /** Exported with the plugin's name. Absent where the host keeps none. */
  readonly metrics?: Metrics;
  /** This node's memory for the plugin, of the size that was granted. Absent where nothing was. */
  readonly store?: Store;
  /** Sends a request to an endpoint the operator granted by name. Absent where none was. */
  readonly fetch?: (endpoint: string, options?: FetchOptions) => Promise<Response>;
  /** Sends one datagram to an endpoint the operator granted by name, such as a syslog server. Absent where none was. */
  readonly send?: (endpoint: string, message: string | Uint8Array) => Promise<void>;
  /** Runs a command the operator granted by name. Absent where none was. Rejects when it cannot be started. */
  readonly run?: (command: string, options?: RunOptions) => Promise<RunResult>;
}

/** The program and its first arguments are the operator's. */
export interface RunOptions {
  /** Added after the operator's own arguments. No shell sees them. */
  readonly args?: readonly string[];
  /** Given on its standard input. */
  readonly input?: string;
  /** Added to its environment, which holds no more than a PATH and a LANG. Names begin with TANDEM_ or HAPROXY_. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunResult {
  /** Exit code, 128 and more where a signal ended it. */
  readonly code: number;
  /** The beginning of what it wrote on stdout and stderr. */
  readonly output: string;
}

/**
 * Exported by `GET /metrics` as `tandem_plugin_count_total{plugin, name}` and `tandem_plugin_gauge{plugin, name}`: up to 64
 * names of a plugin, of 64 characters.
 *
 * @throws {RangeError} at a number that is not finite, or a negative count
 */
export interface Metrics {
  /** @param by 0 or more. @default 1 */
  count(name: string, by?: number): void;
  gauge(name: string, value: number): void;
}

/** Survives restarts and swaps of the plugin. Keys and values count toward the granted bytes, as JSON. */
export interface Store {
  get(key: string): Promise<string | null>;
  /**
   * null removes the key. On the disk within a second. A key and its value may have 240 KiB together, as JSON: what is longer is kept in parts.
   *
   * @throws {RangeError} when it is longer, or the grant is used up
   * @throws {Error} when the disk took nothing of late; it is tried again
   */
  set(key: string, value: string | null): Promise<void>;
}

/** The URL, the headers that prove who we are, and the signature are added by Tandem; redirects are answers. */
export interface FetchOptions {
  /** @default "GET", or "POST" with a body */
  readonly method?: string;
  /** Appended to the endpoint's URL: "/v2/enqueue", "?a=b". */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes as they are, anything else as JSON. Up to 180 KiB. */
  readonly body?: unknown;
}

export interface CheckerContext<Config> extends Context<Config> {
  /** Connects to the target, and only there. Rejects with a message like "connect refused". */
  connect(options?: ConnectOptions): Promise<Connection>;
}

export interface ConnectOptions {
  /** For a check on another port. @default the server's own */
  readonly port?: number;
  readonly tls?: boolean;
  /** By UDP nothing is told of a port where nobody listens: no answer comes. @default "tcp" */
  readonly transport?: "tcp" | "udp";
}

export interface Checker<Config> {
  readonly kind: "checker";
  /** The keys of `with:`; see {@linkcode s}. A plugin without any has no configuration. */
  readonly config?: Declaration<Config>;
  /** Its verdict depends on the names of backend and server. Without it servers at one address and port share a check. */
  readonly named?: boolean;
  init?(ctx: Context<Config>): void | Promise<void>;
  check(target: Target, ctx: CheckerContext<Config>): Verdict | Promise<Verdict>;
  /** The target is no longer checked. */
  forget?(target: Target): void;
}

/** Declares a health checker. Throwing is *down* with the message; no answer in time is *unknown*. */
export function defineChecker<Config>(checker: Omit<Checker<Config>, "kind">): Checker<Config> {
  return { kind: "checker", ...checker };
}

/** A server as a policy sees it. Only servers that may get requests are listed. */
export interface PolicyServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** As configured or set by the operator, scaled by slow start and checks. */
  readonly weight: number;
  readonly backup: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly queued: number;
  /** Smoothed time to the head of a response, ms; null before the first, and for connections (`mode: tcp`). */
  readonly latencyMs: number | null;
  /** Part of the recent requests that failed, 0 to 1: not connected, no usable response, or 5xx. */
  readonly errorRate: number;
}

export interface PolicyInput {
  readonly backend: string;
  /** Rises with every change of the servers. */
  readonly generation: number;
  /** Why the plan is asked for. */
  readonly because: "start" | "health" | "weights" | "interval";
  readonly servers: readonly PolicyServer[];
}

/** How the engine picks servers until the next plan. */
export interface Plan {
  /** How long it holds without a new one, ms; then the backend's `fallback` picks. */
  readonly ttlMs: number;
  /** By name of server, 0 or more; a server that is not named gets 0. */
  readonly weights: Readonly<Record<string, number>>;
  /**
   * `smooth`: weighted round robin. `random2`: the less busy of two by chance. `first`: the first in the order of `weights`
   * that is not full.
   *
   * @default "smooth"
   */
  readonly pick?: "smooth" | "random2" | "leastconn" | "first";
  /** The same key goes to the same server as long as that one may be used. */
  readonly key?: {
    readonly from: "client_ip" | "header" | "cookie" | "path" | "query";
    /** Of the header, cookie or query parameter. */
    readonly name?: string;
    readonly table: "maglev" | "ring";
    /**
     * Above 1, at most 100: at most so many times its share of the requests under way at one server; the rest go to the next.
     *
     * @default none
     */
    readonly bound?: number;
  };
  /** One sentence for `status`. */
  readonly explain?: string;
}

export interface Policy<Config> {
  readonly kind: "policy";
  readonly config?: Declaration<Config>;
  init?(ctx: Context<Config>): void | Promise<void>;
  /** Asked on every change of health and at most ten times a second. */
  plan(input: PolicyInput, ctx: Context<Config>): Plan | Promise<Plan>;
}

/** Declares a balancing policy. The engine applies its plan; no request waits for plugin code. */
export function definePolicy<Config>(policy: Omit<Policy<Config>, "kind">): Policy<Config> {
  return { kind: "policy", ...policy };
}

export type Severity = "info" | "notice" | "warning" | "error";

/** Something that happened. The same `id` comes again when a delivery is repeated. */
export interface Event {
  readonly v: 1;
  readonly id: string;
  /** Counts this node's events. */
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly node: string;
  readonly cluster: string;
  readonly type:
    | "vrrp.transition"
    | "server.state"
    | "backend.state"
    | "peer.state"
    | "config.reload"
    | "plugin.state"
    | "process.state"
    | "dropped";
  readonly severity: Severity;
  /** What it is about, alike for the event that opens and the one that resolves: "VI_1", "web/node01". */
  readonly about: string;
  /** `id` of the event that this one ends; null where it ends none. */
  readonly resolves: string | null;
  /** One sentence. */
  readonly text: string;
  /** Which delivery this is, from 1. */
  readonly attempt: number;
  /** Facts for machines, by type of event. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Notifier<Config> {
  readonly kind: "notifier";
  readonly config?: Declaration<Config>;
  init?(ctx: Context<Config>): void | Promise<void>;
  /** Throw `Retry` or `GiveUp` to say what becomes of a failed delivery; anything else is tried three times. */
  notify(event: Event, ctx: Context<Config>): void | Promise<void>;
}

/** Declares a notifier. Events come in order, each at least once. */
export function defineNotifier<Config>(notifier: Omit<Notifier<Config>, "kind">): Notifier<Config> {
  return { kind: "notifier", ...notifier };
}

/** The event could not be delivered now: again after `afterMs`. */
export class Retry extends Error {
  override readonly name = "Retry";
  constructor(message: string, readonly afterMs: number, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The event can never be delivered: go on with the next. */
export class GiveUp extends Error {
  override readonly name = "GiveUp";
}

/** What an application is given, beside the request. In a Hono application it is `c.env`. */
export interface AppContext<Config = unknown> extends Context<Config> {
  /**
   * Sends `request` on through the balancer, to a server of `backend`: with its policy, limits, retries and time-outs. Bodies
   * stream both ways.
   *
   * @throws when the balancer cannot be reached, or the connection ends in the middle of a head
   */
  forward(backend: string, request: Request): Promise<Response>;
}

/** What a handler of Hono is given, as far as {@linkcode forward} needs it. */
interface HandlerInput {
  readonly env: unknown;
  readonly req: { readonly raw: Request };
}

/**
 * A handler for Hono that sends the request on through the balancer.
 *
 * @param change What to change of the request's fields before.
 * @example
 * ```ts
 * import { forward } from "tandem/plugin";
 * import { Hono } from "hono";
 *
 * const app = new Hono();
 * app.all("/shop/*", forward("shop", (headers) => headers.set("x-shop", "1")));
 * export default app;
 * ```
 */
export function forward(
  backend: string,
  change: (headers: Headers) => void = () => {},
): (input: HandlerInput) => Promise<Response> {
  return ({ env, req: { raw } }) => {
    const headers = new Headers(raw.headers);
    change(headers);
    return (env as AppContext).forward(backend, new Request(raw, { headers }));
  };
}

export interface App<Config> {
  readonly kind: "app";
  readonly config?: Declaration<Config>;
  init?(ctx: Context<Config>): void | Promise<void>;
  /** Answers a request of the route: the `fetch` of a Hono application fits. */
  fetch(request: Request, ctx: AppContext<Config>): Response | Promise<Response>;
}

/** Declares an application for a route. */
export function defineApp<Config>(app: Omit<App<Config>, "kind">): App<Config> {
  return { kind: "app", ...app };
}

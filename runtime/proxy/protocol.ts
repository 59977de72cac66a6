/**
 * What control and the proxy process say to each other: one JSON value a line, commands on its stdin, reports on its
 * stdout. Closing stdin is the command to drain and stop. Durations are milliseconds, `at` is milliseconds since the
 * epoch.
 */
import type { Plan } from "../../plugins/contract.ts";

import type { ProxyVersion } from "./proxy_protocol.ts";
import type { RoutingOptions } from "./routes/options.ts";
import type { TcpRouteOptions } from "./tcp_routes.ts";

/** One listening address of a frontend. `address` may belong to nobody yet (IP_FREEBIND); "0.0.0.0" or "::" = every. */
export interface BindOptions {
  readonly address: string;
  readonly port: number;
  /** Connections begin with a PROXY header (v1 or v2), and those that do not are closed. @default false */
  readonly proxyProtocol?: boolean;
}

export interface FrontendOptions extends Partial<RoutingOptions> {
  readonly name: string;
  readonly mode: "http" | "tcp";
  readonly binds: readonly BindOptions[];
  readonly forwardfor: boolean;
  /** CIDRs whose own X-Forwarded-* are kept and appended to. */
  readonly trustedProxies: readonly string[];
  readonly defaultBackend: string | null;
  /** Routes in `mode: tcp`. @default none */
  readonly tcpRoutes?: readonly TcpRouteOptions[];
  readonly maxconn: number;
  /** Its connections are not among those that `ProxyOptions.maxconn` limits, as long as it exists. @default false */
  readonly apart?: boolean;
  readonly timeouts: {
    /** Whole request head, from its first byte. */
    readonly httpRequest: number;
    /** Idle between requests. */
    readonly keepAlive: number;
    /** No progress from or to the client within a message. */
    readonly client: number;
    readonly tunnel: number;
  };
}

export interface ServerOptions {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** 0–256; 0 takes no new requests. */
  readonly weight: number;
  readonly maxconn: number | null;
  readonly backup: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Connections to it begin with a PROXY header of this version. @default none */
  readonly sendProxy?: ProxyVersion | null;
}

/** The policy that plans how servers are picked. */
export interface BalanceOptions {
  /** Name of a built-in policy. */
  readonly use: string;
  /** The policy's own configuration, complete. */
  readonly with: Readonly<Record<string, unknown>>;
  /** Built-in policy that picks while `use` has no plan. @default "random" */
  readonly fallback?: string;
}

export interface EmptyAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PassiveOptions {
  readonly errors: number;
  /** Ranges of statuses that are failures too, both ends included. @default none */
  readonly statuses?: readonly (readonly [from: number, to: number])[];
}

/** What a server did to requests: not a verdict, which is control's to find. */
export interface Evidence {
  readonly backend: string;
  readonly server: string;
  /** Requests in a row that it failed. */
  readonly errors: number;
  /** How it failed the last one. */
  readonly cause: string;
}

export interface CookieStickinessOptions {
  readonly by: "cookie";
  /** Its name. */
  readonly cookie: string;
  /** "; Path=/; HttpOnly; SameSite=Lax" */
  readonly attributes: string;
  /** The cookie's value for each server. */
  readonly values: Readonly<Record<string, string>>;
}

export interface BackendOptions {
  readonly name: string;
  readonly balance: BalanceOptions;
  /** How clients come back to their server. @default none */
  readonly stickiness?: CookieStickinessOptions | { readonly by: "client_ip" } | null;
  readonly servers: readonly ServerOptions[];
  /** Further connections tried after one was refused or not made in time; the same server only after a pause. */
  readonly retries: number;
  readonly onDown: "keep" | "close";
  /** The answer while no server takes requests. @default a plain 503 */
  readonly whenEmpty?: EmptyAnswer | null;
  /** Requests failed in a row that are reported as evidence. @default none are */
  readonly passive?: PassiveOptions | null;
  readonly timeouts: { readonly connect: number; readonly server: number; readonly queue: number };
}

/** Where lines of the access log go: a pipe that this process inherited, and who reads it keeps them. */
export interface AccessLogOptions {
  readonly format: "json" | "text";
  /** A descriptor for writing that does not block. */
  readonly fd: number;
}

export interface ProxyOptions {
  readonly threads: number;
  readonly maxconn: number;
  readonly frontends: readonly FrontendOptions[];
  readonly backends: readonly BackendOptions[];
  /** @default null, nothing is logged */
  readonly accessLog?: AccessLogOptions | null;
}

export type ServerState = "up" | "down" | "standby" | "drain" | "maint" | "unresolved";

/** What checks and operators decided of one server. */
export interface ServerVerdict {
  readonly backend: string;
  readonly server: string;
  readonly state: ServerState;
  readonly weight: number;
  /** Why it is not up, for those who read the access log. */
  readonly reason?: string;
}

export type ProxyCommand =
  /** The whole wanted set; what did not change is not touched. */
  | {
    readonly type: "apply";
    readonly id: number;
    readonly options: ProxyOptions;
    readonly verdicts: readonly ServerVerdict[];
  }
  | { readonly type: "verdicts"; readonly verdicts: readonly ServerVerdict[] }
  /** What the backend's policy planned, where that is a plugin; null: it has no plan, and the fallback picks. */
  | { readonly type: "plan"; readonly backend: string; readonly plan: Plan | null }
  /** Virtual addresses handed over: connections to them get `Connection: close` with their next response. */
  | { readonly type: "retire"; readonly addresses: readonly string[] }
  /** Virtual addresses this node holds again. */
  | { readonly type: "reinstate"; readonly addresses: readonly string[] }
  /** The whole set of virtual addresses that this node holds now, for monitors that require it. */
  | { readonly type: "held"; readonly addresses: readonly string[] }
  /** Answered with `settled` when every engine thread goes by what it was told before; unanswered where one does not turn. */
  | { readonly type: "settle"; readonly id: number }
  /** Stop accepting, finish what runs, at most `drain` ms, exit. Said again, the shorter `drain` counts. */
  | { readonly type: "stop"; readonly drain: number };

/** Responses by class of status. */
export type ResponseClasses = Readonly<Record<"1xx" | "2xx" | "3xx" | "4xx" | "5xx", number>>;

export interface FrontendCounters {
  readonly name: string;
  readonly connections: { readonly current: number; readonly total: number };
  readonly requests_total: number;
  readonly responses: ResponseClasses;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

export interface BackendCounters {
  readonly name: string;
  /** Requests that wait for any server. */
  readonly queued: number;
}

export interface ServerCounters {
  readonly backend: string;
  readonly server: string;
  readonly connections: number;
  /** Requests that wait for this server and no other. */
  readonly queued: number;
  readonly requests_total: number;
  readonly connect_failures: number;
  /** Final ones only; a 101 is among 1xx. */
  readonly responses: ResponseClasses;
  /** Requests that got no usable response: none in time, none at all, no HTTP, or one that broke off. */
  readonly response_failures: number;
  /** Time from sending requests to the heads of their final responses, added up. */
  readonly response_seconds_total: number;
}

/** One engine thread; control judges a frontend by `listening` and by `turnAgeMs` (no turn for 1 s = failed). */
export interface ThreadStatus {
  readonly thread: number;
  readonly alive: boolean;
  readonly turnAgeMs: number;
  /** Pieces of buffer memory in use; grows with slow clients, and falls back when they are gone. */
  readonly buffers?: number;
  /** Lines of the access log that nobody took in time. */
  readonly droppedLines?: number;
}

/** `error` is one sentence for the operator: `Cannot listen on 192.0.2.1:80: EADDRINUSE, another program holds the port`. */
export interface ListenerStatus {
  readonly frontend: string;
  readonly address: string;
  readonly listening: boolean;
  readonly error: string | null;
}

export type ProxyReport =
  | {
    readonly type: "ready";
    readonly pid: number;
    readonly io: "io_uring" | "epoll";
    readonly user: string;
    readonly missing: readonly string[];
  }
  | { readonly type: "applied"; readonly id: number; readonly listeners: readonly ListenerStatus[] }
  | { readonly type: "settled"; readonly id: number }
  | { readonly type: "listeners"; readonly listeners: readonly ListenerStatus[] }
  /** Every 250 ms, from the proxy's main isolate. */
  | {
    readonly type: "status";
    readonly at: number;
    readonly threads: readonly ThreadStatus[];
    readonly frontends: readonly FrontendCounters[];
    readonly servers: readonly ServerCounters[];
    readonly backends: readonly BackendCounters[];
  }
  | { readonly type: "evidence"; readonly evidence: Evidence }
  /** Something an engine thread says to the operator. */
  | { readonly type: "thread"; readonly thread: number; readonly text: string }
  | { readonly type: "stopped" };

/**
 * The configuration of one node after overlays, defaults and checks: typed, frozen, durations in milliseconds, names
 * resolved. `load()` makes it; control maps it to the options of each concept.
 */

import type { GrantedConfig, PluginFacts } from "./plugin_facts.ts";
import type { RoutingConfig } from "./route_model.ts";

export interface Config {
  readonly version: 1;
  readonly source: { readonly file: string; readonly sha256: string };
  /** This node's name, address and labels; every node's are in `nodes`. */
  readonly node: string;
  readonly nodes: Readonly<Record<string, NodeConfig>>;
  /** `secret`: the key that the nodes share; null = none was given. Never shown. */
  readonly cluster: { readonly name: string; readonly secret: string | null };
  readonly vrrp: readonly InstanceConfig[];
  readonly frontends: readonly FrontendConfig[];
  readonly backends: readonly BackendConfig[];
  readonly proxy: { readonly threads: number | "auto"; readonly maxconn: number; readonly user: string };
  /** `strict`: no plugin runs where the kernel offers less than full confinement. */
  readonly isolation: "available" | "strict";
  readonly plugins: readonly PluginConfig[];
  readonly notify: readonly NotifyConfig[];
  readonly admin: AdminConfig;
  /** null = only the admin API tells them. */
  readonly metrics: MetricsConfig | null;
  readonly log: {
    readonly level: "debug" | "info" | "notice" | "warning" | "error";
    /** null = requests are not logged. */
    readonly access: AccessLogConfig | null;
  };
}

/** A listener for GET /metrics alone. */
export interface MetricsConfig {
  /** "" = every address. */
  readonly host: string;
  readonly port: number;
  /** Networks that may ask; null = everybody. */
  readonly allow: readonly string[] | null;
}

export interface AccessLogConfig {
  readonly format: "json" | "text";
  readonly to:
    | { readonly type: "stdout" }
    | {
      readonly type: "file";
      readonly path: string;
      readonly rotate: { readonly size: number; readonly keep: number } | null;
    }
    | {
      readonly type: "syslog";
      /** "IP:PORT" or the path of a socket. */
      readonly address: string;
      readonly transport: "udp" | "tcp";
      readonly facility: number;
    };
}

export interface PluginConfig {
  /** What `use:` names. */
  readonly name: string;
  /** As written: a directory or packed file. */
  readonly source: string;
  readonly kind: PluginFacts["kind"];
  /** "acme/pg-role 1.2.0". */
  readonly plugin: string;
  readonly sha256: string;
  /** `tandem.lock` holds that sha256. */
  readonly locked: boolean;
  readonly grants: GrantedConfig;
  readonly limits: PluginFacts["limits"];
  /** Of an application, its secrets resolved; what other kinds are told belongs to a use. */
  readonly with: Readonly<Record<string, unknown>>;
}

export interface NotifyConfig {
  /** "notify.0". */
  readonly id: string;
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly minSeverity: "info" | "notice" | "warning" | "error";
  /** `active`: only the node that holds an address tells, but for its own transitions. */
  readonly from: "active" | "all";
  readonly flap: number;
}

export interface NodeConfig {
  readonly address: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

export interface InstanceConfig {
  readonly name: string;
  readonly interface: string;
  readonly virtualRouterId: number;
  readonly version: 2 | 3;
  readonly priority: number;
  readonly advertInterval: number;
  readonly preempt: boolean;
  readonly preemptDelay: number;
  readonly authentication:
    | { readonly type: "pass"; readonly password: string; readonly alsoAccept: readonly string[] }
    | null;
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly interface: string;
    readonly label?: string;
  }[];
  readonly unicast:
    | { readonly source: string | null; readonly peers: readonly string[]; readonly minTtl: number }
    | null;
  readonly checksum: "auto" | "pseudo" | "plain";
  readonly garp: { readonly repeat: number; readonly delay: number; readonly refresh: number };
  readonly track: {
    readonly frontends: readonly TrackConfig[];
    readonly backends: readonly TrackConfig[];
    readonly interfaces: readonly { readonly name: string; readonly effect: "yield" | "fault" }[];
  };
  readonly handover: { readonly connections: "auto" | "none"; readonly drain: number };
}

/** `minUp`: servers (backend) that must be up. `effect: none` turns an implicit tracker off. */
export interface TrackConfig {
  readonly name: string;
  readonly effect: "yield" | "fault" | "none";
  readonly minUp: number;
}

export interface FrontendConfig extends RoutingConfig {
  readonly name: string;
  readonly mode: "http" | "tcp";
  /** Resolved: "VI_1:80" is one entry for every address of VI_1, with its `instance`. */
  readonly binds: readonly {
    readonly address: string;
    readonly port: number;
    readonly instance: string | null;
    /** Connections begin with a PROXY header. */
    readonly proxyProtocol?: true;
  }[];
  readonly forwardfor: boolean;
  readonly trustedProxies: readonly string[];
  readonly defaultBackend: string | null;
  readonly maxconn: number;
  readonly timeouts: {
    readonly httpRequest: number;
    readonly keepAlive: number;
    readonly client: number;
    readonly tunnel: number;
  };
}

export interface BackendConfig {
  readonly name: string;
  readonly balance: BalanceConfig;
  readonly check: CheckConfig | null;
  readonly onDown: "keep" | "close";
  readonly stickiness: StickinessConfig | null;
  /** The answer while no server takes requests; null = a plain 503. */
  readonly whenEmpty: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  } | null;
  /** Servers that fail `errors` requests in a row are left alone for `eject`, and longer each time; null = never. */
  readonly passive: {
    readonly errors: number;
    readonly eject: number;
    /** Ranges of statuses that are failures too. */
    readonly statuses: readonly (readonly [from: number, to: number])[];
  } | null;
  /** How long a server that came up takes to get its full share; 0 = none. */
  readonly slowStart: number;
  readonly servers: readonly ServerConfig[];
  readonly retries: number;
  /** Connections to the servers, those of checks too, begin with a PROXY header; null = they do not. */
  readonly sendProxy: "v1" | "v2" | null;
  readonly timeouts: { readonly connect: number; readonly server: number; readonly queue: number };
}

/** `value`: what the cookie holds, a signature that says nothing to others or the server's plain name. */
export type StickinessConfig =
  | { readonly by: "client_ip" }
  | {
    readonly by: "cookie";
    readonly cookie: string;
    readonly path: string;
    readonly sameSite: "lax" | "strict" | "none";
    readonly value: "signed" | "name";
  };

/** `use` chooses the policy, `with` holds what its own schema defines, `fallback` picks while it has no plan. */
export interface BalanceConfig {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly fallback: string;
  /** Planned by a plugin. */
  readonly plugin: boolean;
}

export interface ServerConfig {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly maxconn: number | null;
  readonly backup: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** The backend's check, or that with what differs for this server; null = it is not checked. */
  readonly check: "shared" | CheckConfig | null;
}

/** `use` chooses the checker, `with` holds what its own schema defines. `initial`: what a server is before its first verdict. */
export interface CheckConfig {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  /** Id of the use where a plugin answers; null = a built-in does. */
  readonly plugin: string | null;
  /** Servers that a plugin cannot take out. */
  readonly panic: number;
  readonly interval: number;
  /** Instead of `interval` while answers speak against what the server is. */
  readonly fastInterval: number;
  readonly timeout: number;
  readonly rise: number;
  readonly fall: number;
  readonly initial: "wait" | "up" | "down";
}

export interface AdminConfig {
  /** "127.0.0.1:9700" or "unix:PATH"; null = off. */
  readonly bind: string | null;
  /** Unix socket for the local command line; null = off. */
  readonly socket: string | null;
}

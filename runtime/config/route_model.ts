/** Routes of a frontend, resolved: what the proxy is told of them, in its words. Lists are *or*, an empty one is all. */

/** A field or a parameter of the query; no values = it must only be there. */
export interface NamedValuesConfig {
  readonly name: string;
  readonly values: readonly string[];
}

export interface MatchConfig {
  /** Lower case, without port; "*.example" = any name below it. */
  readonly hosts: readonly string[];
  /** Hono patterns. */
  readonly paths: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly NamedValuesConfig[];
  readonly query: readonly NamedValuesConfig[];
  readonly clients: readonly string[];
}

/** Values are templates. */
export interface FieldsConfig {
  readonly set: Readonly<Record<string, string>>;
  readonly add: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

export type ActionConfig =
  /** null = `default_backend`. */
  | { readonly type: "backend"; readonly backend: string | null; readonly rewrite: string | null }
  /** A module, as the file names it: relative to the file. Without it, requests are refused or go to `default_backend`. */
  /** `app` is the path of a module, or the name of a plugin: see {@linkcode isAppFile}. */
  | { readonly type: "app"; readonly app: string; readonly onFailure: "block" | "pass" }
  | { readonly type: "redirect"; readonly to: string; readonly status: number }
  | {
    readonly type: "respond";
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };

export interface RouteConfig {
  readonly match: MatchConfig;
  readonly action: ActionConfig;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly basicAuth: { readonly realm: string; readonly users: Readonly<Record<string, string>> } | null;
  /** `rate` is a second's. */
  readonly rateLimit:
    | { readonly key: "client_ip" | { readonly header: string }; readonly rate: number; readonly burst: number }
    | null;
  readonly forwardAuth:
    | { readonly backend: string; readonly path: string; readonly copyHeaders: readonly string[] }
    | null;
  readonly bodyLimit: number | null;
  /** null = as the backend or the frontend has it. */
  readonly timeouts: {
    readonly connect: number | null;
    readonly server: number | null;
    readonly client: number | null;
    readonly tunnel: number | null;
  };
  readonly retry: {
    readonly attempts: number | null;
    readonly repeat: "never" | "safe" | "idempotent";
    /** Statuses of servers that are not passed on while another server may be asked. */
    readonly on: readonly number[];
  };
  readonly requestHeaders: FieldsConfig;
  readonly responseHeaders: FieldsConfig;
}

export interface MonitorConfig {
  readonly path: string;
  readonly active: boolean;
  readonly backends: readonly string[];
}

/** A route in `mode: tcp`. */
export interface TcpRouteConfig {
  /** Lower case; "*.example" = any name below it. */
  readonly names: readonly string[];
  readonly clients: readonly string[];
  readonly backend: string;
}

/** What a frontend does beside passing everything to its default backend. */
export interface RoutingConfig {
  readonly routes: readonly RouteConfig[];
  /** In `mode: tcp`, where there are any. */
  readonly tcpRoutes?: readonly TcpRouteConfig[];
  readonly monitor: MonitorConfig | null;
  readonly requestHeaders: FieldsConfig;
  readonly responseHeaders: FieldsConfig;
}

/** Whether an application is a file of the operator's own, and not a plugin. */
export function isAppFile(app: string): boolean {
  return /^\.{0,2}\//.test(app);
}

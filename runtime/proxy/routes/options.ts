/** Routes of a frontend, as control hands them to the proxy: plain JSON, already checked. Durations are milliseconds. */

/** A field or a parameter of the query; no values = it must only be there. */
export interface NamedValues {
  readonly name: string;
  readonly values: readonly string[];
}

/** Keys are *and*, lists are *or*; an empty list matches all. */
export interface MatchOptions {
  /** Lower case, without port; "*.example" = any name below it. */
  readonly hosts: readonly string[];
  /** Hono patterns. */
  readonly paths: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly NamedValues[];
  readonly query: readonly NamedValues[];
  /** CIDRs. */
  readonly clients: readonly string[];
}

/** Changes of fields; values are templates. */
export interface FieldOptions {
  readonly set: Readonly<Record<string, string>>;
  readonly add: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

export type ActionOptions =
  /** null = the frontend's default backend. */
  | {
    readonly type: "backend";
    readonly backend: string | null;
    readonly rewrite: string | null;
    /** Where requests go while no server of `backend` may be used. @default nowhere */
    readonly otherwise?: string | null;
  }
  | { readonly type: "redirect"; readonly to: string; readonly status: number }
  | {
    readonly type: "respond";
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };

export interface RateLimitOptions {
  /** "client_ip", or the name of a field; requests without it share one bucket. */
  readonly key: "client_ip" | { readonly header: string };
  /** Requests per second. */
  readonly rate: number;
  /** Requests at once after a pause. */
  readonly burst: number;
}

export interface BasicAuthOptions {
  readonly realm: string;
  /** Hashes by user, of bcrypt or SHA-crypt. */
  readonly users: Readonly<Record<string, string>>;
}

export interface ForwardAuthOptions {
  readonly backend: string;
  /** Target of the question. */
  readonly path: string;
  /** Fields of the answer that the request takes along, instead of its own. */
  readonly copyHeaders: readonly string[];
}

/** Which requests may be delivered a second time when a connection died without an answer. */
export type Repeat = "never" | "safe" | "idempotent";

export interface RouteOptions {
  readonly match: MatchOptions;
  readonly action: ActionOptions;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly basicAuth: BasicAuthOptions | null;
  readonly rateLimit: RateLimitOptions | null;
  readonly forwardAuth: ForwardAuthOptions | null;
  /** Most octets of a request's body. */
  readonly bodyLimit: number | null;
  /** Instead of the backend's and the frontend's; null = theirs. */
  readonly timeouts: {
    readonly connect: number | null;
    readonly server: number | null;
    readonly client: number | null;
    readonly tunnel: number | null;
  };
  readonly retry: {
    readonly attempts: number | null;
    readonly repeat: Repeat;
    /** Statuses with which a request that may be repeated goes to another server. @default none */
    readonly on?: readonly number[];
  };
  readonly requestHeaders: FieldOptions;
  readonly responseHeaders: FieldOptions;
}

/** A path that the balancer answers itself: 200 where all is well, else 503. */
export interface MonitorOptions {
  readonly path: string;
  /** The frontend's virtual address must be held here. */
  readonly active: boolean;
  /** Backends that must have a server. */
  readonly backends: readonly string[];
}

/** What a frontend does beside passing everything to its default backend. */
export interface RoutingOptions {
  readonly routes: readonly RouteOptions[];
  readonly monitor: MonitorOptions | null;
  readonly requestHeaders: FieldOptions;
  readonly responseHeaders: FieldOptions;
}

/** Whether options ask for anything that routing does; the rest is served without it. */
export function routingOf(options: Partial<RoutingOptions>): RoutingOptions | null {
  const { routes = [], monitor = null, requestHeaders = NO_CHANGES, responseHeaders = NO_CHANGES } = options;
  const changes = [requestHeaders, responseHeaders].some(({ set, add, remove }) =>
    remove.length > 0 || Object.keys(set).length > 0 || Object.keys(add).length > 0
  );
  return routes.length > 0 || monitor !== null || changes ? { routes, monitor, requestHeaders, responseHeaders } : null;
}

const NO_CHANGES: FieldOptions = { set: {}, add: {}, remove: [] };

/** What the proxy is told of applications: each is a backend of one server on a Unix socket; each forwards by a frontend. */
import type { RouteConfig } from "../config/route_model.ts";
import { BACKEND_FIELD } from "../app/forwarder.ts";
import type { BackendOptions, FrontendOptions, ServerVerdict } from "../proxy/protocol.ts";
import type { ActionOptions, RouteOptions } from "../proxy/routes/options.ts";

const APP = "app:";
/** Names of the frontends that only applications reach begin so; no configured one can. */
const BALANCER = "app:forward";
const NO_FIELDS = { set: {}, add: {}, remove: [] };

/** Name of an application's backend; no configured one can have it. */
export function appBackendName(app: string): string {
  return `${APP}${app}`;
}

/** The application that an action of the proxy's goes to; null where it goes elsewhere. */
export function appOf(action: ActionOptions): string | null {
  return action.type === "backend" && action.backend?.startsWith(APP) ? action.backend.slice(APP.length) : null;
}

/** The backend that is the application listening at `socket`. */
export function appBackend(app: string, socket: string): BackendOptions {
  return {
    name: appBackendName(app),
    balance: { use: "roundrobin", with: {} },
    servers: [
      {
        name: "app",
        address: `unix:${socket}`,
        port: 0,
        weight: 1,
        maxconn: null,
        backup: false,
        labels: {},
      },
    ],
    retries: 0,
    onDown: "keep",
    timeouts: { connect: 5000, server: 30_000, queue: 5000 },
  };
}

/** What its backend is worth: an application that does not run takes no requests. */
export function appVerdict(app: string, running: boolean): ServerVerdict {
  return { backend: appBackendName(app), server: "app", state: running ? "up" : "down", weight: 1 };
}

/** A route as the proxy is told it. */
export function routeOptions(route: RouteConfig, defaultBackend: string | null): RouteOptions {
  const { action } = route;
  if (action.type !== "app") return { ...route, action };
  const otherwise = action.onFailure === "pass" ? defaultBackend : null;
  return { ...route, action: { type: "backend", backend: appBackendName(action.app), rewrite: null, otherwise } };
}

/** Part of `proxy.maxconn` that one application may have under way, and how many in any case. */
const SHARE = 0.5, LEAST_SHARE = 256;
/** An application writes what it forwards at once: whoever takes longer holds a place and says nothing, ms. */
const HEAD_DEADLINE = 5000;

/** Where an application forwards: its name makes its frontend another than those of the rest. */
export interface Forwarding {
  readonly name: string;
  readonly socket: string;
}

/**
 * The frontends by which applications forward, to each of `backends` by its name. Each has a room of its own, beside that of
 * the clients: what one application holds is lost to itself, and to nobody else.
 */
export function balancerFrontends(
  forwarding: readonly Forwarding[],
  { backends, maxconn }: { readonly backends: readonly { readonly name: string }[]; readonly maxconn: number },
): FrontendOptions[] {
  const routes = [...backends.map(({ name }) => toBackend(name)), UNKNOWN];
  return forwarding.map(({ name, socket }) => ({
    name: `${BALANCER}/${name}`,
    mode: "http",
    // Whom a request is for is told in front of it.
    binds: [{ address: `unix:${socket}`, port: 0, proxyProtocol: true }],
    // The first frontend has written them, and the application may have changed them.
    forwardfor: false,
    trustedProxies: [],
    defaultBackend: null,
    maxconn: Math.max(LEAST_SHARE, Math.floor(maxconn * SHARE)),
    apart: true,
    timeouts: { httpRequest: HEAD_DEADLINE, keepAlive: HEAD_DEADLINE, client: 30_000, tunnel: 3_600_000 },
    routes,
    requestHeaders: { set: {}, add: {}, remove: [BACKEND_FIELD] },
  }));
}

function toBackend(backend: string): RouteOptions {
  const headers = [{ name: BACKEND_FIELD, values: [backend] }];
  return { ...ANY, match: { ...ANY.match, headers }, action: { type: "backend", backend, rewrite: null } };
}

const ANY: RouteOptions = {
  match: { hosts: [], paths: [], methods: [], headers: [], query: [], clients: [] },
  action: { type: "backend", backend: null, rewrite: null },
  allow: [],
  deny: [],
  basicAuth: null,
  rateLimit: null,
  forwardAuth: null,
  bodyLimit: null,
  timeouts: { connect: null, server: null, client: null, tunnel: null },
  retry: { attempts: null, repeat: "safe", on: [] },
  requestHeaders: NO_FIELDS,
  responseHeaders: NO_FIELDS,
};
const UNKNOWN: RouteOptions = {
  ...ANY,
  action: { type: "respond", status: 502, headers: {}, body: "The application forwards to a backend that is none.\n" },
};

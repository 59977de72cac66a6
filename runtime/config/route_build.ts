/** Routes of a draft without problems, made into what the proxy is told. */
import type { Complete } from "./build.ts";
import type { FrontendDraft } from "./frontend_schema.ts";
import type { ActionConfig, FieldsConfig, MatchConfig, MonitorConfig } from "./route_model.ts";
import type { NamedValuesConfig, RouteConfig, RoutingConfig, TcpRouteConfig } from "./route_model.ts";
import { type Bodies, bodyKey } from "./route_rules.ts";
import type { MatchDraft, MonitorDraft, RouteDraft } from "./route_schema.ts";

export function buildRouting(name: string, draft: Complete<FrontendDraft>, bodies: Bodies): RoutingConfig {
  const routes = draft.routes ?? [];
  const tcp = draft.mode === "tcp";
  return {
    routes: tcp ? [] : routes.map((route, index) => buildRoute(route, bodies.get(bodyKey(name, index)))),
    ...(tcp && routes.length > 0 && { tcpRoutes: routes.map((route) => buildTcpRoute(route, draft.default_backend)) }),
    monitor: draft.monitor && buildMonitor(draft.monitor),
    requestHeaders: buildFields(draft.request_headers),
    responseHeaders: buildFields(draft.response_headers),
  };
}

function buildTcpRoute({ match, backend }: Complete<RouteDraft>, otherwise: string | null): TcpRouteConfig {
  return { names: match?.sni ?? [], clients: match?.client ?? [], backend: backend ?? otherwise ?? "" };
}

/** @param body text of the file that `respond.body` names */
function buildRoute(draft: Complete<RouteDraft>, body: string | undefined): RouteConfig {
  const { basic_auth: basicAuth, rate_limit: limit, forward_auth: forwardAuth, timeouts, retry } = draft;
  return {
    match: buildMatch(draft.match),
    action: buildAction(draft, body),
    allow: draft.allow ?? [],
    deny: draft.deny ?? [],
    basicAuth: basicAuth && { realm: basicAuth.realm, users: Object.fromEntries(basicAuth.users) },
    // A bucket of less than one token would never let anybody pass.
    rateLimit: limit && { key: limit.key, rate: limit.rate, burst: limit.burst ?? Math.max(1, Math.ceil(limit.rate)) },
    forwardAuth: forwardAuth && {
      backend: forwardAuth.backend,
      path: forwardAuth.path,
      copyHeaders: forwardAuth.copy_headers ?? [],
    },
    bodyLimit: draft.body_limit,
    timeouts: timeouts ?? { connect: null, server: null, client: null, tunnel: null },
    retry: { attempts: retry?.attempts ?? null, repeat: retry?.repeat ?? "safe", on: retry?.on ?? [] },
    requestHeaders: buildFields(draft.request_headers),
    responseHeaders: buildFields(draft.response_headers),
  };
}

function buildAction(
  { app, backend, on_failure: onFailure, redirect, respond, rewrite }: Complete<RouteDraft>,
  body = "",
): ActionConfig {
  if (app !== null) return { type: "app", app, onFailure: onFailure ?? "block" };
  if (redirect !== null) return { type: "redirect", ...redirect };
  if (respond === null) return { type: "backend", backend, rewrite: rewrite?.path ?? null };
  const text = respond.body !== null && "text" in respond.body ? respond.body.text : body;
  return { type: "respond", status: respond.status, headers: Object.fromEntries(respond.headers ?? []), body: text };
}

function buildMatch(draft: Complete<MatchDraft> | null): MatchConfig {
  return {
    hosts: draft?.host ?? [],
    // "every path" is no condition, and then no path is looked at.
    paths: (draft?.path ?? []).some((path) => path === "*" || path === "/*") ? [] : draft?.path ?? [],
    methods: draft?.method ?? [],
    headers: buildNamed(draft?.header ?? null),
    query: buildNamed(draft?.query ?? null),
    clients: draft?.client ?? [],
  };
}

function buildNamed(values: ReadonlyMap<string, readonly string[]> | null): readonly NamedValuesConfig[] {
  return [...values ?? []].map(([name, values]) => ({ name, values: values.includes("*") ? [] : values }));
}

function buildFields(draft: Complete<FrontendDraft>["request_headers"]): FieldsConfig {
  if (draft === null) return { set: {}, add: {}, remove: [] };
  return { set: Object.fromEntries(draft.set), add: Object.fromEntries(draft.add), remove: draft.remove };
}

function buildMonitor({ path, require }: Complete<MonitorDraft>): MonitorConfig {
  const wanted = require ?? [];
  const prefix = "backend:";
  return {
    path,
    active: wanted.includes("active"),
    backends: wanted.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length)),
  };
}

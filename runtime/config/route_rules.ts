/** Routes and monitors: references, one action each, effects that can be had, routes that can be reached. */
import type { Report } from "./decoder.ts";
import type { FrontendDraft } from "./frontend_schema.ts";
import { hint } from "./nearest.ts";
import { judgeRoutesOfMode } from "./mode_rules.ts";
import { covers } from "./route_cover.ts";
import { isAppFile } from "./route_model.ts";
import { type BodyDraft, match as matchSchema, route as routeSchema, type RouteDraft } from "./route_schema.ts";
import type { Case } from "./rules.ts";
import { capturesOf, judgeLocation, judgeTemplate } from "./template_rules.ts";
import { child, reach, type Tree } from "./tree.ts";

/** Routes that later ones are compared with: each pair is looked at, and thousands of routes have millions of pairs. */
const MOST_COMPARED = 200;
/** Most octets of an answer's body. */
const MOST_BODY = 262_144;

/** Texts of files by the path of the route that answers with them: "frontends.web.routes[2]". */
export type Bodies = ReadonlyMap<string, string>;

export function bodyKey(frontend: string, index: number): string {
  return `frontends.${frontend}.routes[${index}]`;
}

/** Reports what is wrong with routes and monitors. Answers the bodies that are in files. */
export function judgeRoutes(subject: Case): Bodies {
  const bodies = new Map<string, string>();
  for (const [name, draft] of subject.draft.frontends ?? []) {
    const tree = reach(subject.tree, "frontends", name);
    if (draft === undefined) continue;
    judgeRoutesOfMode(draft, tree, subject.report);
    for (const key of ["request_headers", "response_headers"] as const) {
      judgeFields(draft[key], reach(tree, key), [], draft, subject.report);
    }
    judgeMonitor(draft, tree, subject);
    for (const [index, route] of (draft.routes ?? []).entries()) {
      if (route === undefined) continue;
      const at = reach(tree, "routes", index);
      judgeRoute(route, at, draft, subject);
      const body = readBody(route.respond, at, subject);
      if (body !== undefined) bodies.set(bodyKey(name, index), body);
    }
    judgeReach(draft.routes ?? [], reach(tree, "routes"), subject.report);
  }
  return bodies;
}

const ACTIONS = ["backend", "redirect", "respond", "app"] as const;

function judgeRoute(route: RouteDraft, tree: Tree, frontend: FrontendDraft, subject: Case): void {
  const { draft, report } = subject;
  const actions = ACTIONS.filter((key) => route[key] !== null);
  for (const second of actions.slice(1)) {
    report(reach(tree, second), `is a second action beside ${actions[0]}: a route has one`);
  }
  if (actions.length === 0 && frontend.default_backend === null) {
    report(tree, "needs an action (backend, redirect, respond or app), as the frontend has no default_backend");
  }
  const backends = draft.backends?.keys() ?? [];
  for (
    const [name, at] of [[route.backend, ["backend"]], [route.forward_auth?.backend, [
      "forward_auth",
      "backend",
    ]]] as const
  ) {
    if (typeof name !== "string" || draft.backends?.has(name)) continue;
    report(reach(tree, ...at), `unknown backend "${name}"${hint(name, backends)}`);
  }
  judgeCopied(route, tree, frontend, report);
  judgeApp(route, tree, frontend, subject);
  const answers = actions.find((action) => action !== "backend" && action !== "app");
  for (const key of answers === undefined ? [] : ["rewrite", "timeouts", "retry"]) {
    const value = child(tree, key);
    if (value !== undefined) report(value, `has no effect with ${answers}: no server is asked`);
  }
  if (route.retry?.repeat === "never" && (route.retry.on?.length ?? 0) > 0) {
    report(reach(tree, "retry", "on"), "has no effect with repeat: never: a server that answered was sent the request");
  }
  judgeTemplates(route, tree, frontend, report);
}

/** Another server's word may add to a request, but not make it another host's, nor say where it comes from. */
function judgeCopied({ forward_auth: asked }: RouteDraft, tree: Tree, frontend: FrontendDraft, report: Report): void {
  for (const [index, name] of (asked?.copy_headers ?? []).entries()) {
    if (name === undefined) continue;
    const at = reach(tree, "forward_auth", "copy_headers", index);
    if (name.toLowerCase() === "host") report(at, "must not have host: a request has one Host, and keeps it");
    if (isForwarded(name, frontend)) {
      report(at, "is written by forwardfor: set forwardfor: false to take the answer's instead");
    }
  }
}

/** Whether `forwardfor` writes this field. */
function isForwarded(name: string, { forwardfor }: FrontendDraft): boolean {
  return forwardfor !== false && /^x[-_]forwarded[-_](for|proto|host)$/i.test(name);
}

function judgeApp(
  { app, on_failure: onFailure, rewrite }: RouteDraft,
  tree: Tree,
  frontend: FrontendDraft,
  { report, plugins }: Case,
) {
  if (app === null && onFailure !== null) report(reach(tree, "on_failure"), "has no effect without app");
  if (app === null) return;
  if (rewrite !== null) {
    report(reach(tree, "rewrite"), "has no effect with app: the application forwards what it wants");
  }
  const problem = app !== undefined && isAppFile(app) ? plugins.appProblem(app) : null;
  if (problem !== null) report(reach(tree, "app"), problem);
  if (onFailure === "pass" && frontend.default_backend === null) {
    report(reach(tree, "on_failure"), "needs a default_backend: that is where requests pass to");
  }
}

function judgeTemplates(route: RouteDraft, tree: Tree, frontend: FrontendDraft, report: Report): void {
  const captures = capturesOf(route.match);
  const { redirect, respond, rewrite } = route;
  if (redirect?.to !== undefined) {
    const at = reach(tree, "redirect", "to");
    const template = judgeTemplate(redirect.to, at, captures, report);
    if (template !== null) judgeLocation(redirect.to, template, at, report);
  }
  if (rewrite?.path !== undefined) {
    const at = reach(tree, "rewrite", "path");
    const template = judgeTemplate(rewrite.path, at, captures, report);
    const path = template === null || /^(\/|\{(uri|path)\})/.test(rewrite.path);
    if (!path || rewrite.path.includes("#")) report(at, 'must be a path: begin with "/", without "#"');
  }
  for (const [name, value] of respond?.headers ?? []) {
    if (value !== undefined) judgeTemplate(value, reach(tree, "respond", "headers", name), captures, report);
  }
  for (const key of ["request_headers", "response_headers"] as const) {
    judgeFields(route[key], reach(tree, key), captures, frontend, report);
  }
}

function judgeFields(
  changes: RouteDraft["request_headers"],
  tree: Tree,
  captures: readonly string[],
  frontend: FrontendDraft,
  report: Report,
): void {
  const ofRequest = tree.path.endsWith("request_headers");
  for (const [index, name] of (changes?.remove ?? []).entries()) {
    if (name === undefined || !ofRequest) continue;
    const at = reach(tree, "remove", index);
    if (name.toLowerCase() === "host") {
      report(at, "must not have host: a request without it is none; set another one instead");
    }
    if (isForwarded(name, frontend)) {
      report(at, "has no effect, as forwardfor writes this field: set forwardfor: false to send none");
    }
  }
  for (const key of ["set", "add"] as const) {
    for (const [name, value] of changes?.[key] ?? []) {
      const at = reach(tree, key, name);
      if (value !== undefined) judgeTemplate(value, at, captures, report);
      if (!ofRequest) continue;
      if (key === "add" && name.toLowerCase() === "host") report(at, "must be in set: a request has one Host");
      if (isForwarded(name, frontend)) {
        report(at, "is written by forwardfor: set forwardfor: false to write it yourself");
      }
    }
  }
}

function judgeMonitor({ monitor, bind }: FrontendDraft, tree: Tree, { draft, report }: Case): void {
  for (const [index, wanted] of (monitor?.require ?? []).entries()) {
    if (wanted === undefined) continue;
    const list = reach(tree, "monitor", "require");
    const at = reach(list, index);
    if (wanted !== "active") {
      const name = wanted.slice("backend:".length);
      if (!draft.backends?.has(name)) {
        report(at, `unknown backend "${name}"${hint(name, draft.backends?.keys() ?? [])}`);
      }
      continue;
    }
    const held = [...draft.vrrp ?? []].flatMap(([name, instance]) => [
      name,
      ...(instance?.virtual_addresses ?? []).map((address) => address?.address?.address),
    ]);
    if ((bind ?? []).some((endpoint) => endpoint !== undefined && held.includes(endpoint.host))) continue;
    report(at, "can never be met: the frontend listens on no address of a vrrp instance");
  }
}

/** The text of a body that is in a file; `tree` is what has `respond:`. */
export function readBody(
  respond: { readonly body: BodyDraft | null | undefined } | null | undefined,
  tree: Tree,
  { readSecret, report }: Case,
): string | undefined {
  const body = respond?.body;
  if (!body || !("file" in body)) return undefined;
  const at = reach(tree, "respond", "body", "file");
  try {
    const text = readSecret({ file: body.file });
    if (text.length <= MOST_BODY) return text;
    report(at, `must be at most ${MOST_BODY / 1024} KiB, got ${Math.ceil(text.length / 1024)} KiB`);
  } catch (cause) {
    report(at, (cause instanceof Error ? cause.message : String(cause)).replace("the secret file", "the file"));
  }
  return undefined;
}

/** A route that every request it would match is taken from, by one before it. */
/** A route with an unknown key matches less than it seems to, if only its author had written "match" in the right way. */
function judgeReach(routes: readonly (RouteDraft | undefined)[], tree: Tree, report: Report): void {
  const matches = routes.map((route, index) => isSpelled(reach(tree, index)) ? route?.match : undefined);
  for (const [index, match] of matches.entries()) {
    if (match === undefined) continue;
    const before = matches.slice(0, Math.min(index, MOST_COMPARED)).findIndex((other) =>
      other !== undefined && covers(other, match)
    );
    if (before < 0) continue;
    const all = covers(matches[before] ?? null, null);
    const what = all ? "matches everything" : "matches all that this one would";
    report(reach(tree, index), `can never be reached: routes[${before}] before it ${what}`);
  }
}

function isSpelled(tree: Tree): boolean {
  return knowsAll(tree, routeSchema.known) && knowsAll(child(tree, "match"), matchSchema.known);
}

function knowsAll(tree: Tree | undefined, known: object): boolean {
  return tree?.kind !== "map" || [...tree.entries.keys()].every((key) => Object.hasOwn(known, key));
}

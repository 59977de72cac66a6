/** What routes may ask and do in the mode of their frontend: `tcp` knows names and addresses, `http` knows requests. */
import type { Report } from "./decoder.ts";
import type { FrontendDraft } from "./frontend_schema.ts";
import { child, reach, type Tree } from "./tree.ts";

const TCP_MATCHES: ReadonlySet<string> = new Set(["sni", "client"]);
const TCP_ROUTES: ReadonlySet<string> = new Set(["match", "backend"]);

export function judgeRoutesOfMode(draft: FrontendDraft, tree: Tree, report: Report): void {
  if (draft.mode !== "tcp") return judgeNames(draft, tree, report);
  for (const key of ["monitor", "request_headers", "response_headers"]) {
    const value = child(tree, key);
    if (value !== undefined) report(value, "needs mode: http; tcp has no requests");
  }
  for (const index of (draft.routes ?? []).keys()) {
    const route = reach(tree, "routes", index);
    judgeKeys(route, TCP_ROUTES, report);
    const match = child(route, "match");
    if (match !== undefined) judgeKeys(match, TCP_MATCHES, report);
  }
}

function judgeNames({ routes }: FrontendDraft, tree: Tree, report: Report): void {
  for (const [index, route] of (routes ?? []).entries()) {
    if (!route?.match?.sni) continue;
    const at = reach(tree, "routes", index, "match", "sni");
    report(at, "needs mode: tcp; in http the name is in the request: use host");
  }
}

function judgeKeys(tree: Tree, known: ReadonlySet<string>, report: Report): void {
  if (tree.kind !== "map") return;
  for (const [key, { value }] of tree.entries) {
    if (known.has(key)) continue;
    report(value, `needs mode: http; tcp has no requests, its routes go by match.sni and match.client to a backend`);
  }
}

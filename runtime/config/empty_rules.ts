/** `backends.NAME.when_empty`: an answer that is made before there is a request. */
import { readBody } from "./route_rules.ts";
import type { Case } from "./rules.ts";
import { reach } from "./tree.ts";

/** Bodies that are in files, by backend. */
export function judgeEmpty(subject: Case): ReadonlyMap<string, string> {
  const { draft, tree, report } = subject;
  const bodies = new Map<string, string>();
  for (const [name, backend] of draft.backends ?? []) {
    const respond = backend?.when_empty?.respond;
    if (!respond) continue;
    const at = reach(tree, "backends", name, "when_empty");
    const body = readBody(respond, at, subject);
    if (body !== undefined) bodies.set(name, body);
    for (const [field, value] of respond.headers ?? []) {
      if (!/\{\w+\}|\{\*\}/.test(value ?? "")) continue;
      report(reach(at, "respond", "headers", field), "is the same for every request: placeholders are not filled here");
    }
  }
  return bodies;
}

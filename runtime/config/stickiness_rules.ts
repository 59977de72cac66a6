/** Backends that go by something in a request, before frontends that have none. */
import type { Case } from "./rules.ts";
import { reach } from "./tree.ts";

/** Policies that read the head of a request. */
const ofHttp: readonly string[] = ["uri", "header", "cookie"];

/** A tunnel has no cookies and no path: what goes by them would go by nothing, and nobody would be told. */
export function judgeStickiness({ draft, tree, report }: Case): void {
  for (const [name, backend] of draft.backends ?? []) {
    const sticky = backend?.stickiness?.by === "cookie";
    const policy = backend?.balance?.use ?? "";
    const frontend = frontendOfTunnels(draft, name);
    if (frontend === null) continue;
    if (sticky) {
      report(reach(tree, "backends", name, "stickiness"), `needs mode: http, but frontend "${frontend}" is mode: tcp`);
    }
    if (ofHttp.includes(policy)) {
      report(
        reach(tree, "backends", name, "balance"),
        `${policy} needs mode: http, but frontend "${frontend}" is mode: tcp; use source`,
      );
    }
  }
}

function frontendOfTunnels({ frontends }: Case["draft"], backend: string): string | null {
  for (const [name, frontend] of frontends ?? []) {
    if (frontend?.mode === "tcp" && frontend.default_backend === backend) return name;
  }
  return null;
}

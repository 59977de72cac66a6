/** Trackers: what is tracked exists, and can fail. */
import type { Tracked } from "./instance_schema.ts";
import { hint } from "./nearest.ts";
import type { Case } from "./rules.ts";
import { child, reach, type Tree } from "./tree.ts";

export function judgeTracking({ draft, tree, report }: Case): void {
  for (const [name, instance] of draft.vrrp ?? []) {
    const track = reach(tree, "vrrp", name, "track");
    if (!instance?.track) continue;
    const { frontends, backends, interfaces } = instance.track;
    const known = {
      frontends: [...draft.frontends?.keys() ?? []],
      backends: [...draft.backends?.keys() ?? []],
    };
    for (const kind of ["frontends", "backends"] as const) {
      for (const { entry, at } of each(kind === "frontends" ? frontends : backends, reach(track, kind))) {
        if (entry.name === undefined || known[kind].includes(entry.name)) continue;
        report(at("name"), `unknown ${kind.slice(0, -1)} "${entry.name}"${hint(entry.name, known[kind])}`);
      }
    }
    for (const { entry, at } of each(backends, reach(track, "backends"))) judgeBackend(entry, at, draft, report);
    for (const { entry, at } of each(interfaces, reach(track, "interfaces"))) {
      if (entry.effect === "none" && entry.name === instance.interface) {
        report(
          at("effect"),
          `cannot be none for ${entry.name}: without its own interface an instance cannot advertise`,
        );
      }
    }
    for (const list of ["frontends", "backends", "interfaces"] as const) {
      const seen = new Set<string>();
      for (const { entry, at } of each(instance.track[list], reach(track, list))) {
        if (entry.name === undefined) continue;
        if (seen.has(entry.name)) report(at("name"), `"${entry.name}" is tracked twice`);
        seen.add(entry.name);
      }
    }
  }
}

type At = (key: string) => Tree;

function judgeBackend(entry: Tracked, at: At, draft: Case["draft"], report: Case["report"]): void {
  const backend = entry.name === undefined ? undefined : draft.backends?.get(entry.name);
  if (backend === undefined || entry.effect === "none") return;
  if (backend.check === null) {
    const why = `backend "${entry.name}" has no check, so its servers are always up`;
    report(at("name"), `can never cause a failover: ${why}; give it one (check: {})`);
  }
  const servers = backend.servers?.size;
  if (servers !== undefined && entry.min_up !== undefined && entry.min_up > servers) {
    report(at("min_up"), `can never be met: backend "${entry.name}" has ${servers} servers, got ${entry.min_up}`);
  }
}

function* each(entries: readonly (Tracked | undefined)[] | undefined, list: Tree) {
  for (const [index, entry] of (entries ?? []).entries()) {
    if (entry === undefined) continue;
    const node = reach(list, index);
    yield { entry, at: (key: string) => child(node, key) ?? node };
  }
}

/** Which node of the file this machine is, and what a node entry may hold. */
import type { Report } from "./decoder.ts";
import { nearest } from "./nearest.ts";
import { nodeKeys } from "./overlay.ts";
import { root } from "./schema.ts";
import { child, type MapTree } from "./tree.ts";

export type ChosenNode = { readonly ok: true; readonly node: string } | {
  readonly ok: false;
  readonly message: string;
};

/** The names under `nodes:`, or null where there is no such section. */
export function nodeNames(file: MapTree): readonly string[] | null {
  const nodes = child(file, "nodes");
  return nodes?.kind === "map" ? [...nodes.entries.keys()] : null;
}

/** The name asked for, else the hostname in full, else its first label. Without `nodes:` any name is right. */
export function chooseNode(names: readonly string[] | null, asked: string | null, hostname: string): ChosenNode {
  if (names === null) return { ok: true, node: asked ?? hostname };
  const found = (asked !== null ? [asked] : [hostname, hostname.split(".")[0]]).find((name) => names.includes(name));
  if (found !== undefined) return { ok: true, node: found };
  const known = `there is ${names.join(", ")}`;
  if (asked === null) {
    return { ok: false, message: `no node is named like this machine, "${hostname}"; ${known}: name one with --node` };
  }
  const meant = nearest(asked, names);
  const hint = meant === null ? known : `did you mean "${meant}"? (${known})`;
  return { ok: false, message: `no node is named "${asked}"; ${hint}` };
}

/** Sections that are what they are on every node. */
const commonKeys: readonly string[] = ["version", "nodes"];

/** Whether a key of a node entry is merged over the file. */
export function isSection(key: string): boolean {
  return key.startsWith("x-") || (Object.hasOwn(root.known, key) && !commonKeys.includes(key));
}

/** Sections that no node may have for itself. The rest of a node entry is judged where it was merged. */
export function examineNodes(file: MapTree, report: Report): void {
  const nodes = child(file, "nodes");
  if (nodes?.kind !== "map") return;
  const sections = Object.keys(root.known).filter(isSection);
  for (const { value } of nodes.entries.values()) {
    if (value.kind !== "map") continue;
    for (const [key, entry] of value.entries) {
      if (commonKeys.includes(key)) report(entry, "is the same on every node: write it at the top of the file");
      else if (!nodeKeys.includes(key) && !isSection(key)) {
        const meant = nearest(key, [...nodeKeys, ...sections]);
        report(
          entry,
          `unknown key${
            meant === null ? `; a node has ${nodeKeys.join(", ")} and sections` : `; did you mean "${meant}"?`
          }`,
        );
      }
    }
  }
}

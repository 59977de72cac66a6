/** What the nodes of one file have to agree on, though each of them may say it for itself. */
import type { InstanceDraft } from "./instance_schema.ts";
import { sectionOf } from "./overlay.ts";
import type { Case } from "./rules.ts";
import { root } from "./schema.ts";
import { child, type MapTree, reach, type Tree } from "./tree.ts";

/** `file`: before anything was merged. What is wrong with another node is told where that node is judged. */
export function judgePeers(subject: Case, file: MapTree): void {
  const section = child(subject.tree, "vrrp");
  for (const peer of subject.draft.nodes?.keys() ?? []) {
    const theirs = peer === subject.node ? undefined : sectionOf(file, peer, "vrrp");
    if (theirs === undefined) continue;
    const instances = root.known.vrrp.decoder.decode(theirs, () => {});
    for (const [name, own] of subject.draft.vrrp ?? []) {
      const other = instances?.get(name);
      const tree = child(section, name);
      if (own && other && tree) judgeInstance(name, { own, other, tree, peer }, subject);
    }
  }
  judgeNodeAddresses(subject);
}

interface Two {
  readonly own: InstanceDraft;
  readonly other: InstanceDraft;
  readonly tree: Tree;
  readonly peer: string;
}

function judgeInstance(name: string, { own, other, tree, peer }: Two, { node, report }: Case): void {
  const id = own.virtual_router_id, theirs = other.virtual_router_id;
  if (id !== undefined && theirs !== undefined && id !== theirs) {
    const both = `both would hold its addresses; ${name} is one virtual router, with one VRID`;
    report(reach(tree, "virtual_router_id"), `is ${id} on ${node} and ${theirs} on ${peer}: ${both}`);
  }
  const here = addressesOf(own), there = addressesOf(other);
  const lacking = here.filter((address) => !there.includes(address));
  if (here.length === 0 || there.length === 0 || lacking.length === 0) return;
  report(
    reach(tree, "virtual_addresses"),
    `has ${lacking.join(", ")} on ${node} and not on ${peer}: nobody would hold what ${node} leaves`,
  );
}

function addressesOf({ virtual_addresses: addresses }: InstanceDraft): string[] {
  return (addresses ?? []).flatMap((entry) => entry?.address?.address ?? []);
}

function judgeNodeAddresses({ draft: { nodes }, tree, report }: Case): void {
  const seen = new Map<string, string>();
  for (const [name, node] of nodes ?? []) {
    const address = node?.address;
    if (!address) continue;
    const other = seen.get(address);
    if (other === undefined) seen.set(address, name);
    else report(reach(tree, "nodes", name, "address"), `${address} is the address of ${other} already`);
  }
}

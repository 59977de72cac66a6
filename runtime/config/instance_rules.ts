/** Virtual routers: what one may say of itself, and what two of them may not share. */
import { isIPv4 } from "node:net";
import type { Passwords } from "./build.ts";
import { hint } from "./nearest.ts";
import type { InstanceDraft } from "./instance_schema.ts";
import type { Case } from "./rules.ts";
import { openSecret } from "./secrets.ts";
import { child, reach, type Tree } from "./tree.ts";
import { network4, number4, printDuration, unusable } from "./values.ts";

/** The authentication field of a version 2 advertisement (RFC 2338 §5.3.10). */
const passwordBytes = 8;

export function judgeInstances(subject: Case): ReadonlyMap<string, Passwords> {
  const passwords = new Map<string, Passwords>();
  const section = child(subject.tree, "vrrp");
  for (const [name, draft] of subject.draft.vrrp ?? []) {
    const tree = child(section, name);
    if (draft === undefined || tree === undefined) continue;
    judgeTimers(draft, tree, subject);
    judgePriority(draft, tree, subject);
    judgeAddresses(draft, tree, subject);
    judgeUnicast(draft, tree, subject);
    const opened = judgeAuthentication(draft, tree, subject);
    if (opened !== undefined) passwords.set(name, opened);
  }
  judgeRouterIds(subject);
  judgeSharedAddresses(subject);
  return passwords;
}

function judgeTimers(draft: InstanceDraft, tree: Tree, { report }: Case): void {
  const { advert_int: interval, version } = draft;
  if (interval !== undefined && version !== undefined) {
    const wrong = version === 2 ? wrongInterval2(interval) : wrongInterval3(interval);
    if (wrong !== null) report(reach(tree, "advert_int"), `${wrong}, got ${printDuration(interval)}`);
  }
  if (draft.preempt === false && (draft.preempt_delay ?? 0) > 0) {
    report(reach(tree, "preempt_delay"), "delays nothing with preempt: false: leave one of the two out");
  }
  if (draft.version === 2 && draft.checksum !== undefined && draft.checksum !== "auto") {
    report(reach(tree, "checksum"), "needs version: 3; version 2 has one checksum only");
  }
  if (draft.handover?.connections === "none" && child(child(tree, "handover"), "drain") !== undefined) {
    report(reach(tree, "handover", "drain"), "waits for nothing with connections: none: leave one of the two out");
  }
}

/** One byte of seconds (RFC 3768 §5.3.7). */
function wrongInterval2(interval: number): string | null {
  if (interval % 1000 !== 0) return "must be whole seconds at version 2 (version 3 has 10ms–40.95s)";
  return interval < 1000 || interval > 255_000 ? "must be 1s–255s at version 2" : null;
}

/** Twelve bits of centiseconds (RFC 9568 §5.2.7). */
function wrongInterval3(interval: number): string | null {
  if (interval < 10 || interval > 40_950) return "must be 10ms–40.95s at version 3";
  return interval % 10 !== 0 ? "must be a multiple of 10ms at version 3" : null;
}

function judgePriority({ priority }: InstanceDraft, tree: Tree, { draft, node, report }: Case): void {
  if (typeof priority !== "object") return;
  const map = reach(tree, "priority");
  const nodes = draft.nodes ?? null;
  const unknown = [...priority.keys()].filter((name) => nodes !== null && !nodes.has(name));
  for (const name of unknown) report(reach(map, name), `unknown node "${name}"${hint(name, nodes?.keys() ?? [])}`);
  // A mistyped name is one mistake, not also a missing one.
  if (unknown.length === 0 && !priority.has(node)) report(map, `has no entry for node "${node}"`);
  const holders = new Map<number, string>();
  for (const [name, value] of priority) {
    if (value === undefined || unknown.includes(name)) continue;
    const other = holders.get(value);
    holders.set(value, other ?? name);
    if (other === undefined) continue;
    const wanted = `give them different ones, or write priority: ${value} if neither is preferred`;
    report(reach(map, name), `is ${value} on both ${other} and ${name}: ${wanted}`);
  }
}

function judgeAddresses(draft: InstanceDraft, tree: Tree, { draft: { nodes }, node, report }: Case): void {
  const seen = new Map<string, number>();
  const owner = typeof draft.priority === "number" ? draft.priority : draft.priority?.get(node);
  for (const [index, entry] of (draft.virtual_addresses ?? []).entries()) {
    const prefix = entry?.address;
    if (prefix === undefined) continue;
    const at = reach(tree, "virtual_addresses", index, "address");
    const { address, length } = prefix;
    const first = seen.get(address);
    if (first !== undefined) report(at, `${address} is given twice, first as entry ${first + 1}`);
    seen.set(address, index);
    const wrong = unusable(address);
    if (wrong !== null) report(at, `${address} ${wrong}: no machine can hold it`);
    const net = network4(prefix);
    if (wrong === null && length < 31 && number4(address) === net.first) {
      report(at, `${address}/${length} is the address of the network itself: no machine can hold it`);
    }
    if (wrong === null && length < 31 && number4(address) === net.last) {
      report(at, `${address}/${length} is the broadcast address of its network: no machine can hold it`);
    }
    for (const [name, value] of nodes ?? []) {
      if (value?.address !== address || (name === node && owner === 255)) continue;
      report(
        at,
        `${address} is the own address of node "${name}": a virtual address is one that no node has for itself`,
      );
    }
  }
}

function judgeUnicast(draft: InstanceDraft, tree: Tree, { draft: { nodes }, node, report }: Case): void {
  const unicast = draft.unicast;
  if (!unicast) return;
  const peers = unicast.peers ?? [];
  const list = reach(tree, "unicast", "peers");
  for (const [index, peer] of peers.entries()) {
    if (peer === undefined) continue;
    const at = reach(list, index);
    const wrong = unusable(peer);
    if (wrong !== null) report(at, `${peer} ${wrong}: it cannot be a peer`);
    if (peers.indexOf(peer) !== index) report(at, `${peer} is given twice`);
    if (draft.virtual_addresses?.some((entry) => entry?.address?.address === peer)) {
      report(at, `${peer} is a virtual address of this instance: name the peers' own addresses`);
    }
  }
  const ours = unicast.source ?? nodes?.get(node)?.address;
  if (ours && peers.length > 0 && peers.every((peer) => peer === ours)) {
    report(list, `names nobody but this node (${ours})`);
  }
}

function judgeAuthentication(draft: InstanceDraft, tree: Tree, subject: Case): Passwords | undefined {
  const { authentication } = draft;
  if (!authentication) return undefined;
  const { report } = subject;
  if (draft.version === 3) {
    report(reach(tree, "authentication"), "needs version: 2; VRRPv3 has no passwords (RFC 9568 §1.2)");
  }
  const secrets = { named: subject.draft.secrets ?? new Map(), read: subject.readSecret };
  const open = (source: typeof authentication.password, at: Tree) => {
    const value = source && openSecret(source, at, secrets, report);
    const bytes = new TextEncoder().encode(value).length;
    if (bytes > passwordBytes) {
      report(at, `must be at most ${passwordBytes} bytes, got ${bytes}; keepalived would cut it silently`);
    }
    return value;
  };
  const password = open(authentication.password, reach(tree, "authentication", "password"));
  const others = reach(tree, "authentication", "also_accept");
  const alsoAccept = (authentication.also_accept ?? []).map((source, index) => open(source, reach(others, index)));
  if (password === undefined) return undefined;
  return { password, alsoAccept: alsoAccept.filter((value) => value !== undefined) };
}

/** A virtual router is its VRID on its interface. */
function judgeRouterIds({ draft, tree, report }: Case): void {
  const seen = new Map<string, string>();
  for (const [name, instance] of draft.vrrp ?? []) {
    if (instance?.interface === undefined || instance.virtual_router_id === undefined) continue;
    const id = instance.virtual_router_id;
    const key = `${instance.interface} ${id}`;
    const other = seen.get(key);
    const at = reach(tree, "vrrp", name, "virtual_router_id");
    if (other !== undefined) {
      report(at, `is ${id} on ${instance.interface} for both ${other} and ${name}: give each its own`);
    } else seen.set(key, name);
  }
}

function judgeSharedAddresses({ draft, tree, report }: Case): void {
  const seen = new Map<string, string>();
  for (const [name, instance] of draft.vrrp ?? []) {
    for (const [index, entry] of (instance?.virtual_addresses ?? []).entries()) {
      const address = entry?.address?.address;
      if (address === undefined || !isIPv4(address)) continue;
      const other = seen.get(address);
      if (other !== undefined && other !== name) {
        const at = reach(tree, "vrrp", name, "virtual_addresses", index, "address");
        report(at, `${address} belongs to both ${other} and ${name}: an address has one instance`);
      } else seen.set(address, name);
    }
  }
}

/** Overlays: what `nodes:` and `defaults:` say, merged into one tree for one node. */
import { child, type Entry, isNull, type MapTree, type Tree } from "./tree.ts";

/** What a node entry says about the node itself; its other keys are sections, merged over the file. */
export const nodeKeys: readonly string[] = ["address", "labels"];

/**
 * Maps merge by key, scalars and lists replace. null removes: it stays in the tree, as the absence that nothing below it
 * fills again. Every value keeps its origin.
 */
export function merge(base: Tree, over: Tree): Tree {
  if (base.kind !== "map" || over.kind !== "map") return over;
  const entries = new Map<string, Entry>(base.entries);
  for (const [key, entry] of over.entries) {
    const below = base.entries.get(key);
    entries.set(key, below === undefined ? entry : { ...entry, value: merge(below.value, entry.value) });
  }
  return { ...over, entries };
}

/**
 * The file as `node` sees it: of its entry what is not about the node itself merged over, then `defaults` under each
 * frontend and backend. `mergeable`: whether a key of a node entry is a section of the file.
 */
export function overlay(file: MapTree, node: string | null, mergeable: (key: string) => boolean): MapTree {
  const entry = node === null ? undefined : child(child(file, "nodes"), node);
  const own = entry?.kind === "map" ? without(entry, (key) => !mergeable(key)) : undefined;
  // What stands at the top is the file's, so mistakes of the whole are told of it and not of the node entry.
  const merged = own === undefined ? file : { ...merge(file, own) as MapTree, at: file.at, path: file.path };
  const nodes = child(merged, "nodes");
  const plain = nodes?.kind === "map" ? replace(merged, "nodes", withoutSections(nodes)) : merged;
  return underlay(underlay(plain, "frontends", frontendDefaults), "backends", (defaults) => defaults);
}

/** One section as `node` sees it, without what `defaults` say. */
export function sectionOf(file: MapTree, node: string, key: string): Tree | undefined {
  const entry = child(child(file, "nodes"), node);
  const base = file.entries.get(key)?.value;
  const own = entry?.kind === "map" ? entry.entries.get(key)?.value : undefined;
  return base === undefined || own === undefined ? own ?? base : merge(base, own);
}

/** Node entries with only what they say about nodes. */
function withoutSections(nodes: MapTree): MapTree {
  const entries = [...nodes.entries].map(([name, entry]): [string, Entry] => {
    const { value } = entry;
    // A node may have nothing to say of itself but its name.
    if (isNull(value)) return [name, { ...entry, value: { ...value, kind: "map", entries: new Map() } }];
    return [name, value.kind === "map" ? { ...entry, value: without(value, (key) => !nodeKeys.includes(key)) } : entry];
  });
  return { ...nodes, entries: new Map(entries) };
}

type Applicable = (defaults: MapTree, own: MapTree) => MapTree;

function underlay(root: MapTree, section: string, applicable: Applicable): MapTree {
  const defaults = child(child(root, "defaults"), section);
  const objects = child(root, section);
  if (defaults?.kind !== "map" || objects?.kind !== "map") return root;
  const entries = new Map<string, Entry>();
  for (const [name, entry] of objects.entries) {
    const own = entry.value;
    const value = own.kind === "map" ? { ...merge(applicable(defaults, own), own), at: own.at, path: own.path } : own;
    entries.set(name, { ...entry, value: value as Tree });
  }
  return replace(root, section, { ...objects, entries });
}

/** What only HTTP has does not reach frontends in mode tcp: a default is meant for those it can serve. */
const httpOnly: ReadonlySet<string> = new Set([
  "forwardfor",
  "trusted_proxies",
  "monitor",
  "request_headers",
  "response_headers",
  "routes",
]);
const httpOnlyTimeouts: ReadonlySet<string> = new Set(["http_request", "keep_alive", "client"]);

function frontendDefaults(defaults: MapTree, own: MapTree): MapTree {
  const mode = child(own, "mode") ?? child(defaults, "mode");
  if (mode?.kind !== "scalar" || mode.value !== "tcp") return defaults;
  const rest = without(defaults, (key) => httpOnly.has(key));
  const timeouts = child(rest, "timeouts");
  if (timeouts?.kind !== "map") return rest;
  return replace(rest, "timeouts", without(timeouts, (key) => httpOnlyTimeouts.has(key)));
}

function without(map: MapTree, drop: (key: string) => boolean): MapTree {
  return { ...map, entries: new Map([...map.entries].filter(([key]) => !drop(key))) };
}

/** The map with another value under a key that it has. */
export function replace(map: MapTree, key: string, value: Tree): MapTree {
  const entry = map.entries.get(key);
  if (entry === undefined) return map;
  return { ...map, entries: new Map(map.entries).set(key, { ...entry, value }) };
}

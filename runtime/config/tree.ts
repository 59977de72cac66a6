/**
 * YAML as a tree whose every value knows where it was written. Overlays make new trees out of old nodes, so a value keeps
 * its origin however often it was merged.
 */
import type { Position } from "./problem.ts";

interface Origin {
  readonly at: Position;
  /** Path where it is written: "nodes.dlp1.vrrp.VI_1.priority" also after it was merged into `vrrp`. */
  readonly path: string;
}

export interface ScalarTree extends Origin {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** As typed, without quotes: "00001111" where `value` is 1111. */
  readonly source: string;
  /** Quoted or a block scalar: YAML did not guess a type. */
  readonly quoted: boolean;
  /** A comment follows on the same line: perhaps the end of a password. */
  readonly commented: boolean;
}

export interface ListTree extends Origin {
  readonly kind: "list";
  readonly items: readonly Tree[];
}

export interface MapTree extends Origin {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
}

/** A value that is already reported; whoever meets it stays silent. */
export interface BrokenTree extends Origin {
  readonly kind: "broken";
}

export type Tree = ScalarTree | ListTree | MapTree | BrokenTree;

export interface Entry {
  /** Position and path of the key. */
  readonly at: Position;
  readonly path: string;
  readonly value: Tree;
}

/** The value under `key`, where `tree` is a map that has one other than null. */
export function child(tree: Tree | undefined, key: string): Tree | undefined {
  if (tree?.kind !== "map") return undefined;
  const value = tree.entries.get(key)?.value;
  return value === undefined || isNull(value) ? undefined : value;
}

/** The node at `path`, or the deepest one above it that exists. */
export function reach(tree: Tree, ...path: readonly (string | number)[]): Tree {
  let node = tree;
  for (const step of path) {
    const next = typeof step === "string" ? child(node, step) : node.kind === "list" ? node.items[step] : undefined;
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

export function isNull(tree: Tree): boolean {
  return tree.kind === "scalar" && tree.value === null && !tree.quoted;
}

/** What the author wrote, for "got …": short, never the inside of a collection, and never where secrets are. */
export function got(tree: Tree): string {
  switch (tree.kind) {
    case "scalar": {
      if (isNull(tree)) return "nothing";
      if (holdsSecret(tree.path)) return "something else (not shown: it may be secret)";
      const text = tree.source.length > 60 ? `${tree.source.slice(0, 57)}…` : tree.source;
      return tree.quoted || typeof tree.value === "string" ? JSON.stringify(text) : text;
    }
    case "list":
      return "a list";
    case "map":
      return "a map";
    case "broken":
      return "something unreadable";
  }
}

/** Whether what stands at `path` may be a secret, or be one by mistake: `authentication: 1111`. */
export function holdsSecret(path: string): boolean {
  return /password|secret|token|hash|users|keys|headers|also_accept|authentication(?!\.type$)/i.test(path);
}

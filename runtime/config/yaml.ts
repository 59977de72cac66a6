/** YAML text to a positioned tree: anchors and merge keys resolved, YAML's traps reported where they are. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { Position, Problem } from "./problem.ts";
import { aliasKey, explain, localMistakes } from "./yaml_mistakes.ts";
import { type Entry, holdsSecret, type MapTree, type Tree } from "./tree.ts";

export interface ParsedYaml {
  /** null: there is no map to go on with. */
  readonly tree: MapTree | null;
  readonly problems: readonly Problem[];
}

/** Anchors can multiply (ten aliases of ten aliases …): so many values by way of aliases are an attack or a mistake. */
const maximumExpanded = 50_000;
const maximumDepth = 64;

/** Those of YAML's own tags that say what a value is anyway; what `!!binary` or `!!set` hold is nothing that a key takes. */
const plainTags: ReadonlySet<string> = new Set(
  ["map", "seq", "str", "null", "bool", "int", "float", "merge"].map((tag) => `tag:yaml.org,2002:${tag}`),
);

/** Parses one YAML 1.2 document whose root is a map. */
export function parseYaml(text: string, file: string): ParsedYaml {
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
      version: "1.2",
    });
  } catch (cause) {
    const message = `cannot be read as YAML: ${cause instanceof Error ? cause.message : String(cause)}`;
    return { tree: null, problems: [{ file, line: 1, column: 1, path: "", message }] };
  }
  const composition = new Composition(document, text, file, lines);
  return composition.run();
}

/** One pass over the document; collects problems on the way. */
class Composition {
  readonly #problems: Problem[] = [];
  /** Offsets of local mistakes, reported when the scalar that holds them is met. */
  readonly #mistakes: { readonly offset: number; readonly message: string }[] = [];
  readonly #open = new Set<ParsedNode>();
  /** Paths of anchored nodes, known once they were met; an anchor stands before its aliases. */
  readonly #anchored = new Map<ParsedNode, string>();
  #expanding = 0;
  #expanded = 0;
  #isExhausted = false;

  constructor(
    readonly document: Document.Parsed,
    readonly text: string,
    readonly file: string,
    readonly lines: LineCounter,
  ) {}

  run(): ParsedYaml {
    const fatal = this.#syntax(this.document.errors);
    const root = this.document.contents;
    if (fatal) return { tree: null, problems: this.#problems };
    if (root === null || (isScalar(root) && root.value === null)) {
      const at = { line: 1, column: 1 };
      return { tree: { kind: "map", at, path: "", entries: new Map() }, problems: this.#problems };
    }
    const tree = this.#tree(root, "", 0);
    if (tree.kind === "map") return { tree, problems: this.#problems };
    if (tree.kind !== "broken") {
      this.#report(tree.at, "", `must be a map of sections (version:, vrrp:, …), got a ${tree.kind}`);
    }
    return { tree: null, problems: this.#problems };
  }

  /** Reports what the parser found; true where the tree cannot be trusted. */
  #syntax(errors: readonly YAMLError[]): boolean {
    let fatal = false;
    const reported = new Set<number>();
    for (const error of errors) {
      const mistake = localMistakes[error.code];
      if (mistake !== undefined) {
        this.#mistakes.push({ offset: error.pos[0], message: mistake });
        continue;
      }
      fatal = true;
      const at = this.#at(error.pos[0]);
      // What the parser says after the first error of a line is about its own confusion.
      if (reported.has(at.line)) continue;
      reported.add(at.line);
      const line = this.#line(at.line);
      const star = aliasKey.exec(line);
      if (star !== null) {
        this.#report({ ...at, column: star[1].length + 1 }, "", 'a leading "*" is a YAML alias: quote it');
      } else this.#report(at, "", explain(error));
    }
    return fatal;
  }

  #tree(node: ParsedNode, path: string, depth: number): Tree {
    const at = this.#at(node.range[0]);
    if (this.#expanding > 0) this.#expanded++;
    if (this.#expanded > maximumExpanded || depth > maximumDepth) return this.#exhausted(at, path);
    if (isAlias(node)) return this.#alias(node, at, path, depth);
    if (node.anchor !== undefined) this.#anchored.set(node, path);
    if (node.tag !== undefined && !plainTags.has(node.tag)) {
      return this.#broken(this.#tag(node), path, "begins with ! and is a YAML tag, which means nothing here: quote it");
    }
    if (isScalar(node)) return this.#scalar(node, at, path);
    if (this.#open.has(node)) return this.#broken(at, path, "holds itself through an anchor");
    this.#open.add(node);
    const tree: Tree = isSeq(node)
      ? {
        kind: "list",
        at,
        path,
        items: node.items.map((item, index) => this.#tree(item as ParsedNode, `${path}[${index}]`, depth + 1)),
      }
      : this.#map(node as YAMLMap<ParsedNode, ParsedNode | null>, at, path, depth);
    this.#open.delete(node);
    return tree;
  }

  #scalar(node: Scalar.Parsed, at: Position, path: string): Tree {
    const [start, end] = node.range;
    const mistake = this.#mistakes.find(({ offset }) => offset >= start && offset < Math.max(end, start + 1));
    if (mistake !== undefined) return this.#broken(at, path, mistake.message);
    const value = node.value;
    return {
      kind: "scalar",
      at,
      path,
      value: value === null || typeof value === "number" || typeof value === "boolean" ? value : String(value),
      source: node.source,
      quoted: node.type !== "PLAIN",
      commented: /^[ \t]+#|^#/.test(this.text.slice(end, end + 80)),
    };
  }

  #alias(node: Alias.Parsed, at: Position, path: string, depth: number): Tree {
    const target = node.resolve(this.document) as ParsedNode | undefined;
    if (target === undefined) {
      const what = holdsSecret(path) ? "a leading *" : `"*${node.source}"`;
      return this.#broken(at, path, `${what} is a YAML alias of an anchor that does not exist: quote it`);
    }
    if (this.#open.has(target)) return this.#broken(at, path, "holds itself through an anchor");
    // The value is written where the anchor is, so that is where its mistakes are.
    this.#expanding++;
    const tree = this.#tree(target, this.#anchored.get(target) ?? path, depth + 1);
    this.#expanding--;
    return tree;
  }

  /** Said once; what follows is as broken. */
  #exhausted(at: Position, path: string): Tree {
    if (!this.#isExhausted) this.#report(at, path, "holds too many values or levels: are anchors nested?");
    this.#isExhausted = true;
    return { kind: "broken", at, path };
  }

  #map(node: YAMLMap<ParsedNode, ParsedNode | null>, at: Position, path: string, depth: number): MapTree {
    const entries = new Map<string, Entry>();
    const merged: Tree[] = [];
    for (const pair of node.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const keyAt = this.#at(pair.key?.range[0] ?? node.range?.[0] ?? 0);
      const key = this.#key(pair.key, keyAt, path);
      if (key === null) continue;
      const keyPath = path === "" ? key : `${path}.${key}`;
      const value: Tree = pair.value === null
        ? { kind: "scalar", at: keyAt, path: keyPath, value: null, source: "", quoted: false, commented: false }
        : this.#tree(pair.value, keyPath, depth + 1);
      if (key === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN") {
        merged.push(...this.#mergeable(value));
        continue;
      }
      const first = entries.get(key);
      if (first === undefined) entries.set(key, { at: keyAt, path: keyPath, value });
      else this.#report(keyAt, keyPath, `is given twice, first at line ${first.at.line}`);
    }
    // A merge key never overrides what the map itself says, and of several maps the first wins.
    for (const map of merged) {
      if (map.kind !== "map") continue;
      for (const [key, entry] of map.entries) if (!entries.has(key)) entries.set(key, entry);
    }
    return { kind: "map", at, path, entries };
  }

  #mergeable(value: Tree): readonly Tree[] {
    const maps = value.kind === "list" ? value.items : [value];
    for (const map of maps) {
      if (map.kind === "map" || map.kind === "broken") continue;
      this.#report(map.at, map.path, "must be an alias of a map, or a list of them");
    }
    return maps;
  }

  #key(key: ParsedNode | null, at: Position, path: string): string | null {
    if (isScalar(key)) return key.source ?? String(key.value);
    const message = key !== null && isAlias(key)
      ? `key "*${key.source}" is a YAML alias: quote it`
      : `must have text as keys, got ${isMap(key) ? "a map" : isSeq(key) ? "a list" : "nothing"}`;
    this.#report(at, path, message);
    return null;
  }

  #broken(at: Position, path: string, message: string): Tree {
    this.#report(at, path, message);
    return { kind: "broken", at, path };
  }

  #report(at: Position, path: string, message: string): void {
    this.#problems.push({ file: this.file, ...at, path, message });
  }

  /** A tag stands before its value; the parser says where. */
  #tag(node: ParsedNode): Position {
    const last = this.text.lastIndexOf("!", node.range[0]);
    const before = this.text[last - 1] === "!" ? last - 1 : last;
    const unresolved = this.document.warnings.findLast(({ code, pos }) =>
      code === "TAG_RESOLVE_FAILED" && pos[0] <= node.range[0]
    );
    return this.#at(unresolved?.pos[0] ?? (before < 0 ? node.range[0] : before));
  }

  #at(offset: number): Position {
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #line(line: number): string {
    const start = this.lines.lineStarts[line - 1] ?? 0;
    return this.text.slice(start, this.lines.lineStarts[line] ?? this.text.length);
  }
}

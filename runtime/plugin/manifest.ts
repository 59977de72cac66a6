/** `plugin.yaml`: what a plugin is and what it asks for. */
import { type Alias, type Document, isMap, LineCounter, type ParsedNode, parseDocument, visit } from "yaml";
import type { JsonSchema } from "../../plugins/declaration.ts";
import { isPlain, plainLine } from "./output.ts";
import type { PluginKind } from "./protocol.ts";
import { schemaProblems } from "./schema.ts";

export interface Manifest {
  /** "acme/pg-role". */
  readonly name: string;
  readonly version: string;
  readonly kind: PluginKind;
  readonly api: 1;
  /** The module that exports the plugin, relative to the directory. */
  readonly entry: string;
  readonly requests: Requests;
  readonly limits: { readonly memory: number; readonly deadline: number };
  readonly publisher: {
    readonly name: string;
    readonly homepage: string | null;
    readonly support: string | null;
    readonly license: string | null;
  };
  /** JSON Schema of `with:`; empty until `plugin check` has written it. */
  readonly config: JsonSchema;
}

/** What the plugin would like; the operator decides. */
export interface Requests {
  /** `targets`: connections to the servers being checked. */
  readonly net: readonly "targets"[];
  /** Names of config keys that are secrets. */
  readonly secrets: readonly string[];
  /** Endpoints by the name the plugin uses. */
  readonly endpoints: readonly string[];
  /** Commands by the name the plugin uses. */
  readonly commands: readonly string[];
  /** Bytes. */
  readonly store: number;
}

/** Lines and columns count from 1. */
export interface ManifestProblem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** `plugin.yaml:3:7: kind: must be …` */
export function formatManifestProblem(file: string, { line, column, path, message }: ManifestProblem): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}

export type ManifestResult =
  | { readonly manifest: Manifest; readonly problems: readonly [] }
  | { readonly manifest: null; readonly problems: readonly ManifestProblem[] };

const MiB = 2 ** 20;
const DEFAULT_MEMORY = 64 * MiB, LEAST_MEMORY = 16 * MiB, MOST_MEMORY = 1024 * MiB;
const DEFAULT_DEADLINE = 2000, LEAST_DEADLINE = 10, MOST_DEADLINE = 60_000;
const MOST_STORE = 16 * MiB;
const KINDS = ["checker", "policy", "notifier", "app"] as const;
const RESERVED_KINDS = ["address", "discovery", "certificate"];
/** The only version of the contract so far. */
export const API = 1;

/** Aliases, and values that all of them stand for: a manifest needs few, and a bomb is made of nothing else. */
const MOST_ALIASES = 100, MOST_ALIASED = 1000;

/** All problems at once, each where it is. */
export function decodeManifest(text: string): ManifestResult {
  const lines = new LineCounter();
  try {
    return decode(text, lines);
  } catch (error) {
    // Nested more deeply than the parser can go, or broken in a way of its own: one plugin's fault, and no one else's.
    const why = error instanceof Error ? error.message : String(error);
    return {
      manifest: null,
      problems: [{ line: 1, column: 1, path: "", message: `cannot be read: ${plainLine(why)}` }],
    };
  }
}

function decode(text: string, lines: LineCounter): ManifestResult {
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const reader = new Reader(document, lines);
  for (const error of document.errors) reader.at(error.pos[0], "", `is not YAML: ${error.message}`);
  if (document.errors.length === 0 && !isMap(document.contents)) {
    reader.at(0, "", "must be a map with name, kind and entry");
  }
  if (reader.problems.length === 0) reader.aliases();
  if (reader.problems.length > 0) return { manifest: null, problems: reader.problems };
  const manifest = readManifest(reader);
  return reader.problems.length > 0 ? { manifest: null, problems: reader.problems } : { manifest, problems: [] };
}

function readManifest(reader: Reader): Manifest {
  const known = ["name", "version", "kind", "api", "entry", "requests", "limits", "publisher", "config"];
  reader.onlyKeys([], known);
  reader.onlyKeys(["requests"], ["net", "secrets", "endpoints", "commands", "store"]);
  reader.onlyKeys(["limits"], ["memory", "deadline"]);
  reader.onlyKeys(["publisher"], ["name", "homepage", "support", "license"]);
  const api = reader.value(["api"]) ?? API;
  if (api !== API) {
    reader.problem(["api"], `must be ${API}, got ${show(api)}: this version of Tandem runs no other`);
  }
  return {
    name: reader.text(
      ["name"],
      /^[a-z0-9][a-z0-9-]*\/[a-z0-9][a-z0-9-]*$/,
      "must be PUBLISHER/NAME in lower case, as acme/pg-role",
    ),
    version: reader.text(["version"], /^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/, "must be a version of three numbers, as 1.2.0"),
    kind: reader.kind(),
    api: API,
    entry: reader.entry(),
    requests: {
      net: reader.list(["requests", "net"], /^targets$/, "may only hold targets") as "targets"[],
      secrets: reader.list(["requests", "secrets"], /^[A-Za-z][\w-]*$/, "must be names of config keys"),
      endpoints: reader.list(["requests", "endpoints"], /^[A-Za-z][\w-]*$/, "must be names"),
      commands: reader.list(["requests", "commands"], /^[A-Za-z][\w-]*$/, "must be names"),
      store: reader.size(["requests", "store"], 0, 0, MOST_STORE),
    },
    limits: {
      memory: reader.size(["limits", "memory"], DEFAULT_MEMORY, LEAST_MEMORY, MOST_MEMORY),
      deadline: reader.duration(["limits", "deadline"], DEFAULT_DEADLINE, LEAST_DEADLINE, MOST_DEADLINE),
    },
    publisher: {
      name: reader.text(["publisher", "name"], /\S/, "must say who publishes it"),
      homepage: reader.optionalText(["publisher", "homepage"]),
      support: reader.optionalText(["publisher", "support"]),
      license: reader.optionalText(["publisher", "license"]),
    },
    config: reader.config(),
  };
}

type Path = readonly string[];

/** The document with its positions; collects problems. */
class Reader {
  readonly problems: ManifestProblem[] = [];
  constructor(private readonly document: Document.Parsed, private readonly lines: LineCounter) {}

  value(path: Path): unknown {
    const found = this.document.getIn(path) as unknown;
    if (found === null || typeof found !== "object" || !("toJS" in found) || typeof found.toJS !== "function") {
      return found ?? undefined;
    }
    try {
      return found.toJS(this.document);
    } catch (error) {
      this.problem(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  /** Reports at the value of `path`, or at the nearest one above it that exists. */
  problem(path: Path, message: string): void {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = (depth === 0 ? this.document.contents : this.document.getIn(path.slice(0, depth), true)) as
        | ParsedNode
        | null
        | undefined;
      if (node?.range) return this.at(node.range[0], path.join("."), message);
    }
    this.at(0, path.join("."), message);
  }

  at(offset: number, path: string, message: string): void {
    const { line, col } = this.lines.linePos(offset);
    // The words may be the manifest's, which is anybody's.
    const plain = { path: plainLine(path), message: plainLine(message) };
    this.problems.push({ line: Math.max(1, line), column: Math.max(1, col), ...plain });
  }

  /** Finds aliases of nothing, of themselves, and of so much that the text stands for more than it is. */
  aliases(): void {
    const found: Alias[] = [];
    visit(this.document, { Alias: (_, alias) => found.push(alias) > MOST_ALIASES ? visit.BREAK : undefined });
    if (found.length > MOST_ALIASES) return this.at(0, "", `has more than ${MOST_ALIASES} aliases`);
    let values = 0;
    for (const alias of found) {
      const problem = (message: string) => this.at(alias.range?.[0] ?? 0, `*${alias.source}`, message);
      const target = alias.resolve(this.document);
      if (target === undefined) return problem("is an alias of nothing");
      let nested = false;
      visit(target, { Node: () => void values++, Alias: () => (nested = true, visit.BREAK) });
      if (nested) return problem("is an alias of what holds an alias");
      if (values > MOST_ALIASED) return problem(`stands, with those before it, for more than ${MOST_ALIASED} values`);
    }
  }

  onlyKeys(path: Path, known: readonly string[]): void {
    const map = path.length === 0 ? this.document.contents : this.document.getIn(path, true);
    if (map === undefined || map === null) return;
    if (!isMap(map)) return this.problem(path, "must be a map");
    for (const { key } of map.items) {
      const name = String(key);
      const range = (key as ParsedNode | null)?.range;
      if (!known.includes(name)) {
        this.at(range?.[0] ?? 0, [...path, name].join("."), `is unknown; there is ${known.join(", ")}`);
      }
    }
  }

  text(path: Path, pattern: RegExp, wanted: string): string {
    const value = this.value(path);
    if (typeof value === "string" && pattern.test(value)) return this.#plain(path, value);
    this.problem(path, value === undefined ? `is missing: ${wanted}` : `${wanted}, got ${show(value)}`);
    return "";
  }

  optionalText(path: Path): string | null {
    const value = this.value(path);
    if (value === undefined) return null;
    if (typeof value !== "string") this.problem(path, `must be text, got ${show(value)}`);
    return this.#plain(path, String(value));
  }

  /** What is printed where an operator decides whom to trust must not steer the terminal, nor look like lines of ours. */
  #plain(path: Path, value: string): string {
    if (!isPlain(value)) this.problem(path, `must be one line of plain text, got ${show(value)}`);
    return value;
  }

  kind(): PluginKind {
    const value = this.value(["kind"]);
    const found = KINDS.find((kind) => kind === value);
    if (found) return found;
    const reserved = RESERVED_KINDS.includes(String(value)) ? ": that kind is not in this version" : "";
    this.problem(["kind"], `must be one of ${KINDS.join(", ")}, got ${show(value)}${reserved}`);
    return "checker";
  }

  entry(): string {
    const value = this.text(["entry"], /\.(ts|js|mts|mjs)$/, "must be the path of a TypeScript or JavaScript module");
    if (value.startsWith("/") || value.split("/").includes("..")) {
      this.problem(["entry"], `must be inside the plugin's directory, got ${show(value)}`);
    }
    return value;
  }

  list(path: Path, pattern: RegExp, wanted: string): string[] {
    const value = this.value(path);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.problem(path, `must be a list, got ${show(value)}`);
      return [];
    }
    value.forEach((item, index) => {
      if (typeof item !== "string" || !pattern.test(item)) {
        this.problem([...path, String(index)], `${wanted}, got ${show(item)}`);
      }
    });
    return value.map(String);
  }

  size(path: Path, fallback: number, least: number, most: number): number {
    const units: Record<string, number> = {
      B: 1,
      kB: 1000,
      KB: 1000,
      KiB: 1024,
      MB: 1e6,
      MiB,
      GB: 1e9,
      GiB: 1024 * MiB,
    };
    return this.#measured(path, units, "a size with its unit, as 64MB", fallback, least, most);
  }

  duration(path: Path, fallback: number, least: number, most: number): number {
    return this.#measured(
      path,
      { ms: 1, s: 1000, m: 60_000 },
      "a duration with its unit, as 2s",
      fallback,
      least,
      most,
    );
  }

  #measured(
    path: Path,
    units: Readonly<Record<string, number>>,
    wanted: string,
    fallback: number,
    least: number,
    most: number,
  ): number {
    const value = this.value(path);
    if (value === undefined) return fallback;
    const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(String(value)) ?? [];
    const factor = units[unit];
    if (factor === undefined) {
      this.problem(path, `must be ${wanted}, got ${show(value)}`);
      return fallback;
    }
    const result = Math.round(Number(amount) * factor);
    if (result < least || result > most) {
      const [smallest, largest] = [least, most].map((bound) => `${bound / factor}${unit}`);
      this.problem(path, `must be ${smallest} to ${largest}, got ${show(value)}`);
    }
    return result;
  }

  config(): JsonSchema {
    const value = this.value(["config"]);
    if (value === undefined) return {};
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.problem(["config"], "must be a JSON Schema: plugin check writes it");
      return {};
    }
    for (const { path, message } of schemaProblems(value)) this.problem(["config", ...path], message);
    return value;
  }
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60);
}

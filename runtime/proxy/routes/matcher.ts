/**
 * Which route a request takes: the first in their order whose every condition it meets. Hosts choose a group of routes,
 * Hono's router finds those whose path fits, in their order, and the other conditions are tried on these. It is Hono's
 * TrieRouter: its answer takes the same third of a microsecond for ten patterns and for a thousand, and it is built in
 * milliseconds, by a thread that must not stall; RegExpRouter is faster below some fifty, and takes seconds for thousands.
 *
 * Where origins may read the path in more than one way (see http/path.ts), every reading must choose the same route;
 * otherwise nobody could say which rule the request has to obey, and it is refused. So neither a rule that denies can be
 * passed by, nor one that allows be entered, by a spelling.
 */
import { TrieRouter } from "hono/router/trie-router";
import { parsePathPattern, type PathPattern } from "../../http/path_pattern.ts";
import { readings } from "../../http/path.ts";
import { compileConditions, type Conditions, meets } from "./conditions.ts";
import { HostTable } from "./host_table.ts";
import type { MatchOptions } from "./options.ts";
import type { RequestFacts } from "./request_facts.ts";

/** No route matches. */
export const NO_ROUTE = -1;
/** Readings of the path choose different routes. */
export const AMBIGUOUS = -2;

/** A route by one of its paths. */
interface Entry {
  readonly index: number;
  readonly conditions: Conditions;
  /** null = any path. */
  readonly pattern: PathPattern | null;
  /** Whether the pattern has parameters. */
  readonly captures: boolean;
}

interface Group {
  /** Routes before the first that has a path: tried without making text of the request's. */
  readonly leading: readonly Entry[];
  readonly router: TrieRouter<Entry> | null;
}

type Found = readonly [readonly (readonly [Entry, Readonly<Record<string, string>>])[]];

/** Hono's name for all methods: they are one of the conditions, so that the first match can be told from a later one. */
const ALL = "ALL";
const NOTHING: Readonly<Record<string, string>> = {};

export class Matcher {
  readonly #groups: HostTable<Group>;
  readonly #hosts: boolean;
  /** Of the last match. */
  #facts: RequestFacts | null = null;
  #entry: Entry | null = null;
  #captures: Readonly<Record<string, string>> = NOTHING;
  #path: string | null = null;

  /** @throws {SyntaxError} when a path is no pattern */
  constructor(routes: readonly MatchOptions[]) {
    const conditions = routes.map(compileConditions);
    this.#hosts = routes.some(({ hosts }) => hosts.length > 0);
    this.#groups = new HostTable(routes, (indexes) => {
      return makeGroup(indexes.map((index) => ({ index, paths: routes[index].paths, conditions: conditions[index] })));
    });
  }

  /** Index of the route, NO_ROUTE or AMBIGUOUS. */
  match(facts: RequestFacts): number {
    this.#facts = facts;
    const { leading, router } = this.#groups.find(this.#hosts ? facts.host : "");
    for (let i = 0; i < leading.length; i++) {
      if (meets(leading[i].conditions, facts)) return this.#take(leading[i], null, NOTHING);
    }
    if (router === null) return NO_ROUTE;
    const { path } = facts;
    if (!facts.plain) {
      const all = readings(facts.sentPath);
      if (all === null) return AMBIGUOUS;
      const index = this.#route(router, path);
      for (let i = 1; i < all.length; i++) if (this.#route(router, all[i]) !== index) return AMBIGUOUS;
    }
    return this.#route(router, path);
  }

  /** Value of a capture of the last match: a parameter of its path, or "*", what its last segment `*` stands for. */
  capture(name: string): string {
    if (name !== "*") return this.#captures[name] ?? "";
    const path = this.#path ?? this.#facts?.path ?? "";
    const after = this.#entry?.pattern?.restAfter ?? 0;
    let at = 0;
    for (let slashes = 0; slashes < after && at >= 0; slashes++) at = path.indexOf("/", at + 1);
    return at < 0 ? "" : path.slice(at + 1);
  }

  #route(router: TrieRouter<Entry>, path: string): number {
    // Of the two forms of Hono's answers, the TrieRouter's has the parameters themselves.
    const [found] = router.match(ALL, path) as Found;
    const facts = this.#facts as RequestFacts;
    for (let i = 0; i < found.length; i++) {
      const [entry, parameters] = found[i];
      if (meets(entry.conditions, facts)) return this.#take(entry, path, entry.captures ? parameters : NOTHING);
    }
    return NO_ROUTE;
  }

  #take(entry: Entry, path: string | null, captures: Readonly<Record<string, string>>): number {
    this.#entry = entry;
    this.#path = path;
    this.#captures = captures;
    return entry.index;
  }
}

interface Candidate {
  readonly index: number;
  readonly paths: readonly string[];
  readonly conditions: Conditions;
}

function makeGroup(candidates: readonly Candidate[]): Group {
  const first = candidates.findIndex(({ paths }) => paths.length > 0);
  const before = first < 0 ? candidates : candidates.slice(0, first);
  const leading = before.map(({ index, conditions }) => ({ index, conditions, pattern: null, captures: false }));
  if (first < 0) return { leading, router: null };
  const router = new TrieRouter<Entry>();
  for (const { index, paths, conditions } of candidates.slice(first)) {
    for (const path of paths.length > 0 ? paths : ["/*"]) {
      const parsed = parsePathPattern(path);
      if (!parsed.ok) throw new SyntaxError(`Cannot match paths with "${path}": ${parsed.reason}`);
      const { text, names } = parsed.value;
      router.add(ALL, text, { index, conditions, pattern: parsed.value, captures: names.length > 0 });
    }
  }
  return { leading, router };
}

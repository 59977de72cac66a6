/**
 * Which route a request takes: the first in their order whose every condition it meets. Hosts choose a group of routes,
 * Hono's router finds those whose path fits, in their order, and the other conditions are tried on these.
 *
 * Where origins may read the path in more than one way (see http/path.ts), every reading must choose the same route;
 * otherwise nobody could say which rule the request has to obey, and it is refused. So neither a rule that denies can be
 * passed by, nor one that allows be entered, by a spelling.
 */
import type { Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
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
}

interface Group {
  /** Routes before the first that has a path: tried without making text of the request's. */
  readonly leading: readonly Entry[];
  readonly router: Router<Entry> | null;
}

/** Either form of Hono's answers. */
type Found = readonly [
  readonly (readonly [Entry, Readonly<Record<string, number | string>>])[],
  (readonly string[])?,
];

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

  #route(router: Router<Entry>, path: string): number {
    const [found, stash] = router.match(ALL, path) as Found;
    const facts = this.#facts as RequestFacts;
    for (let i = 0; i < found.length; i++) {
      const [entry, parameters] = found[i];
      if (meets(entry.conditions, facts)) return this.#take(entry, path, parametersOf(entry, parameters, stash));
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
  const leading = before.map(({ index, conditions }) => ({ index, conditions, pattern: null }));
  if (first < 0) return { leading, router: null };
  const router = new SmartRouter<Entry>({ routers: [new RegExpRouter(), new TrieRouter()] });
  for (const { index, paths, conditions } of candidates.slice(first)) {
    for (const path of paths.length > 0 ? paths : ["/*"]) {
      const parsed = parsePathPattern(path);
      if (!parsed.ok) throw new SyntaxError(`Cannot match paths with "${path}": ${parsed.reason}`);
      router.add(ALL, parsed.value.text, { index, conditions, pattern: parsed.value });
    }
  }
  // The router is built by its first match, which no client should wait for.
  router.match(ALL, "/");
  return { leading, router };
}

/** Hono answers indexes into the matched pieces, or the pieces themselves, as the router does. */
function parametersOf(
  { pattern }: Entry,
  parameters: Readonly<Record<string, number | string>>,
  stash: readonly string[] | undefined,
): Readonly<Record<string, string>> {
  if (pattern === null || pattern.names.length === 0) return NOTHING;
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, typeof value === "number" ? stash?.[value] ?? "" : value]),
  );
}

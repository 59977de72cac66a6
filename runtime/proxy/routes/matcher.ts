/**
 * Which route a request takes: the first in their order whose every condition it meets. Hosts choose groups of routes,
 * Hono's routers find those whose path fits, in their order, and the other conditions are tried on these. They are Hono's
 * TrieRouters: the answer takes the same third of a microsecond for ten patterns and for a thousand; RegExpRouter is
 * faster below some fifty, and takes seconds to build for thousands.
 *
 * Where origins may read the path in more than one way (see http/path.ts), every reading must choose the same route;
 * otherwise nobody could say which rule the request has to obey, and it is refused. So neither a rule that denies can be
 * passed by, nor one that allows be entered, by a spelling.
 */
import type { PathPattern } from "../../http/path_pattern.ts";
import { readings } from "../../http/path.ts";
import { compileConditions, type Conditions, meets } from "./conditions.ts";
import { HostTable } from "./host_table.ts";
import type { MatchOptions } from "./options.ts";
import { type PathMatch, PathTable } from "./path_table.ts";
import type { RequestFacts } from "./request_facts.ts";

/** No route matches. */
export const NO_ROUTE = -1;
/** Readings of the path choose different routes. */
export const AMBIGUOUS = -2;

/** A route among those that are tried. */
interface Entry {
  readonly index: number;
  readonly conditions: Conditions;
}

/** Routes that name the same host, or none. */
interface Group {
  /** Those before the first that has a path: tried without making text of the request's. */
  readonly leading: readonly Entry[];
  /** Index of the first that has a path. */
  readonly first: number;
  readonly paths: PathTable<Entry>;
}

const NOTHING: Readonly<Record<string, string>> = {};
/** Behind every index. */
const NONE = 2 ** 30;

export class Matcher {
  readonly #groups: HostTable<Group>;
  readonly #hosts: boolean;
  /** Of the last match. */
  #facts: RequestFacts | null = null;
  #index = NONE;
  #pattern: PathPattern | null = null;
  #captures: Readonly<Record<string, string>> = NOTHING;
  #path: string | null = null;

  constructor(routes: readonly MatchOptions[]) {
    this.#hosts = routes.some(({ hosts }) => hosts.length > 0);
    this.#groups = new HostTable(routes, (indexes) => makeGroup(indexes, routes));
  }

  /**
   * Index of the route, NO_ROUTE or AMBIGUOUS.
   *
   * @throws {SyntaxError} when a path among them is no pattern, which control has ruled out
   */
  match(facts: RequestFacts): number {
    this.#facts = facts;
    const groups = this.#groups.find(this.#hosts ? facts.host : "");
    const lead = this.#lead(groups, facts);
    let first = NONE;
    for (let i = 0; i < groups.length; i++) first = Math.min(first, groups[i].first);
    if (lead <= first) {
      this.#take(lead, null, null, NOTHING);
      return lead === NONE ? NO_ROUTE : lead;
    }
    const { path } = facts;
    if (!facts.plain) {
      const all = readings(facts.sentPath);
      if (all === null) return AMBIGUOUS;
      const index = this.#route(groups, path, lead);
      for (let i = 1; i < all.length; i++) if (this.#route(groups, all[i], lead) !== index) return AMBIGUOUS;
    }
    const index = this.#route(groups, path, lead);
    return index === NONE ? NO_ROUTE : index;
  }

  /** Value of a capture of the last match: a parameter of its path, or "*", what its last segment `*` stands for. */
  capture(name: string): string {
    if (name !== "*") return this.#captures[name] ?? "";
    const path = this.#path ?? this.#facts?.path ?? "";
    const after = this.#pattern?.restAfter ?? 0;
    let at = 0;
    for (let slashes = 0; slashes < after && at >= 0; slashes++) at = path.indexOf("/", at + 1);
    return at < 0 ? "" : path.slice(at + 1);
  }

  /** Index of the first leading route, or NONE. */
  #lead(groups: readonly Group[], facts: RequestFacts): number {
    let found = NONE;
    for (let i = 0; i < groups.length; i++) {
      const { leading } = groups[i];
      for (let j = 0; j < leading.length && leading[j].index < found; j++) {
        if (meets(leading[j].conditions, facts)) found = leading[j].index;
      }
    }
    return found;
  }

  /** Index of the first route, or NONE; `lead` is the one that is taken whatever the path. */
  #route(groups: readonly Group[], path: string, lead: number): number {
    this.#take(lead, path, null, NOTHING);
    for (let i = 0; i < groups.length; i++) {
      if (groups[i].first < this.#index) groups[i].paths.search(path, this.#visit);
    }
    return this.#index;
  }

  readonly #visit = (matches: readonly PathMatch<Entry>[]): void => {
    const facts = this.#facts as RequestFacts;
    for (let i = 0; i < matches.length; i++) {
      const [{ value, pattern }, parameters] = matches[i];
      if (value.index >= this.#index) return;
      if (!meets(value.conditions, facts)) continue;
      const captures = pattern.names.length > 0 ? parameters : NOTHING;
      return this.#take(value.index, this.#path, pattern, captures);
    }
  };

  #take(
    index: number,
    path: string | null,
    pattern: PathPattern | null,
    captures: Readonly<Record<string, string>>,
  ): void {
    this.#index = index;
    this.#path = path;
    this.#pattern = pattern;
    this.#captures = captures;
  }
}

function makeGroup(indexes: readonly number[], routes: readonly MatchOptions[]): Group {
  const entry = (index: number): Entry => ({ index, conditions: compileConditions(routes[index]) });
  const first = indexes.findIndex((index) => routes[index].paths.length > 0);
  if (first < 0) return { leading: indexes.map(entry), first: NONE, paths: new PathTable<Entry>([]) };
  const paths = indexes.slice(first).flatMap((index) => {
    const value = entry(index);
    const { paths } = routes[index];
    return (paths.length > 0 ? paths : ["/*"]).map((path) => ({ path, value }));
  });
  return { leading: indexes.slice(0, first).map(entry), first: indexes[first], paths: new PathTable(paths) };
}

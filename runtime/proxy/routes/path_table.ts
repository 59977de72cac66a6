/**
 * Hono's routers for many path patterns. Building a TrieRouter costs some 20 µs a pattern: nothing for a hundred, a
 * stall of the whole thread for ten thousand. So many patterns are spread over routers by the literal segments they
 * begin with, each router is built when the first path that begins so is asked for, and a path asks those of all its
 * beginnings:
 *
 *     ""           /:tenant/x   /*            "/api"    /api/*   /api/:v         "/api/v1"    /api/v1/users
 *     GET /api/v1/users asks all three; GET /shop asks the first
 */
import { TrieRouter } from "hono/router/trie-router";
import { literalPrefix, parsePathPattern, type PathPattern } from "../../http/path_pattern.ts";

/** Patterns that one router is built for without a thought. */
const FEW = 100;

export interface PathEntry<T> {
  readonly path: string;
  readonly value: T;
}

/** A value by one of its patterns, and what its parameters stand for. */
export type PathMatch<T> = readonly [
  { readonly value: T; readonly pattern: PathPattern },
  Readonly<Record<string, string>>,
];

type Router<T> = TrieRouter<PathMatch<T>[0]>;

interface Bucket<T> {
  readonly entries: PathEntry<T>[];
  router: Router<T> | null;
}

/** Hono's name for all methods: they are one of the conditions, so that the first match can be told from a later one. */
const ALL = "ALL";

export class PathTable<T> {
  readonly #buckets = new Map<string, Bucket<T>>();
  /** Slashes of the longest beginning. */
  #depth = 0;

  constructor(entries: readonly PathEntry<T>[]) {
    const many = entries.length > FEW;
    for (const entry of entries) {
      const prefix = many ? literalPrefix(entry.path) : "";
      const bucket = this.#buckets.get(prefix);
      if (bucket === undefined) this.#buckets.set(prefix, { entries: [entry], router: null });
      else bucket.entries.push(entry);
      this.#depth = Math.max(this.#depth, prefix.split("/").length - 1);
    }
  }

  /**
   * Calls `visit` with the matches of each router that `path`, in normal form, may concern: each in the order of the
   * entries.
   *
   * @throws {SyntaxError} when a pattern among them is none, which control has ruled out
   */
  search(path: string, visit: (matches: readonly PathMatch<T>[]) => void): void {
    this.#ask(this.#buckets.get(""), path, visit);
    for (let depth = 1, at = 0; depth <= this.#depth && at >= 0; depth++) {
      at = path.indexOf("/", at + 1);
      this.#ask(this.#buckets.get(at < 0 ? path : path.slice(0, at)), path, visit);
    }
  }

  #ask(bucket: Bucket<T> | undefined, path: string, visit: (matches: readonly PathMatch<T>[]) => void): void {
    if (bucket === undefined) return;
    bucket.router ??= makeRouter(bucket.entries);
    // Of the two forms of Hono's answers, the TrieRouter's has the parameters themselves.
    const [found] = bucket.router.match(ALL, path) as unknown as readonly [readonly PathMatch<T>[]];
    if (found.length > 0) visit(found);
  }
}

function makeRouter<T>(entries: readonly PathEntry<T>[]): Router<T> {
  const router: Router<T> = new TrieRouter();
  for (const { path, value } of entries) {
    const parsed = parsePathPattern(path);
    if (!parsed.ok) throw new SyntaxError(`Cannot match paths with "${path}": ${parsed.reason}`);
    router.add(ALL, parsed.value.text, { value, pattern: parsed.value });
  }
  return router;
}

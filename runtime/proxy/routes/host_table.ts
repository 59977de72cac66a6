/**
 * From a host to what is configured for it: exact names first, then the nearest wildcard above it, `*.example` standing
 * for every name below `example` at any depth.
 */
import type { MatchOptions } from "./options.ts";

export class HostTable<T> {
  readonly #exact = new Map<string, T>();
  /** By suffix without "*.". */
  readonly #below = new Map<string, T>();
  readonly #other: T;

  /**
   * `make` is called with the indexes of the entries that can match a host, in their order, once for each such set of
   * the hosts and wildcards that are named, and of all other hosts.
   */
  constructor(entries: readonly Pick<MatchOptions, "hosts">[], make: (indexes: readonly number[]) => T) {
    const index = indexOf(entries);
    const known = new Map<string, T>();
    const of = (indexes: readonly number[]): T => {
      const key = indexes.join();
      const value = known.get(key) ?? make(indexes);
      known.set(key, value);
      return value;
    };
    for (const host of index.exact.keys()) this.#exact.set(host, of(gather(index, host, index.exact.get(host))));
    for (const suffix of index.below.keys()) this.#below.set(suffix, of(gather(index, `x.${suffix}`)));
    this.#other = of(index.any);
  }

  /** `host` is lower-case and without port. */
  find(host: string): T {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    if (this.#below.size > 0) {
      for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const value = this.#below.get(host.slice(dot + 1));
        if (value !== undefined && dot > 0) return value;
      }
    }
    return this.#other;
  }
}

/** Entries by what they name. */
interface Index {
  readonly exact: ReadonlyMap<string, number[]>;
  readonly below: ReadonlyMap<string, number[]>;
  /** Of those that name no host. */
  readonly any: readonly number[];
}

function indexOf(entries: readonly Pick<MatchOptions, "hosts">[]): Index {
  const exact = new Map<string, number[]>();
  const below = new Map<string, number[]>();
  const any: number[] = [];
  for (const [index, { hosts }] of entries.entries()) {
    if (hosts.length === 0) any.push(index);
    for (const host of hosts) {
      const [map, name] = host.startsWith("*.") ? [below, host.slice(2)] : [exact, host];
      const indexes = map.get(name);
      if (indexes === undefined) map.set(name, [index]);
      else indexes.push(index);
    }
  }
  return { exact, below, any };
}

/** Entries that can match `host`: those that name it, those of every wildcard above it, and those that name none. */
function gather({ below, any }: Index, host: string, exact: readonly number[] = []): readonly number[] {
  const all = new Set([...any, ...exact]);
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    for (const index of below.get(host.slice(dot + 1)) ?? []) all.add(index);
  }
  return [...all].sort((a, b) => a - b);
}

/**
 * From a host to what is configured for it: exact names first, then every wildcard above it, `*.example` standing for
 * every name below `example` at any depth, then what names no host. Entries of one name are made into one value, and
 * only when somebody asks for it: thousands of hosts cost nothing before.
 */
import type { MatchOptions } from "./options.ts";

/** What names one host or wildcard, or none. */
interface Place<T> {
  readonly indexes: number[];
  value: T | null;
  /** Values for a host that is found here: this one, and all that match it too. */
  all: readonly T[] | null;
}

export class HostTable<T> {
  readonly #exact = new Map<string, Place<T>>();
  /** By suffix without "*.". */
  readonly #below = new Map<string, Place<T>>();
  readonly #any: Place<T> = place();

  /** `make` is called with the indexes of the entries that name the same host, wildcard, or none, in their order. */
  constructor(
    entries: readonly Pick<MatchOptions, "hosts">[],
    readonly make: (indexes: readonly number[]) => T,
  ) {
    for (const [index, { hosts }] of entries.entries()) {
      if (hosts.length === 0) this.#any.indexes.push(index);
      for (const host of hosts) {
        const [map, name] = host.startsWith("*.") ? [this.#below, host.slice(2)] : [this.#exact, host];
        const known = map.get(name);
        if (known === undefined) map.set(name, place(index));
        else known.indexes.push(index);
      }
    }
  }

  /**
   * Values whose entries match `host`, which is lower-case and without port. An entry may be in several of them, and
   * each has its entries in order; the order of the values means nothing.
   */
  find(host: string): readonly T[] {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact.all ??= this.#gather(exact, host);
    if (this.#below.size > 0) {
      for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const below = dot > 0 ? this.#below.get(host.slice(dot + 1)) : undefined;
        if (below !== undefined) return below.all ??= this.#gather(below, host.slice(dot + 1));
      }
    }
    return this.#any.all ??= this.#any.indexes.length === 0 ? [] : [this.#valueOf(this.#any)];
  }

  #gather(first: Place<T>, host: string): readonly T[] {
    const places = [first];
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const below = this.#below.get(host.slice(dot + 1));
      if (below !== undefined) places.push(below);
    }
    if (this.#any.indexes.length > 0) places.push(this.#any);
    return places.map((each) => this.#valueOf(each));
  }

  #valueOf(place: Place<T>): T {
    return place.value ??= this.make(place.indexes);
  }
}

function place<T>(...indexes: number[]): Place<T> {
  return { indexes, value: null, all: null };
}

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
   * `make` is called with the indexes of the entries that can match a host, in their order, once for each host and
   * wildcard that is named and once for all other hosts.
   */
  constructor(entries: readonly Pick<MatchOptions, "hosts">[], make: (indexes: readonly number[]) => T) {
    const known = new Map<string, T>();
    const of = (fits: (host: string) => boolean): T => {
      const indexes = entries.flatMap(({ hosts }, index) => hosts.length === 0 || hosts.some(fits) ? [index] : []);
      const key = indexes.join();
      const value = known.get(key) ?? make(indexes);
      known.set(key, value);
      return value;
    };
    for (const host of new Set(entries.flatMap(({ hosts }) => hosts))) {
      if (!host.startsWith("*.")) this.#exact.set(host, of((other) => covers(other, host)));
      else this.#below.set(host.slice(2), of((other) => covers(other, `x.${host.slice(2)}`)));
    }
    this.#other = of(() => false);
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

/** Whether a configured host stands for `name`. */
function covers(host: string, name: string): boolean {
  return host.startsWith("*.") ? name.endsWith(host.slice(1)) && name.length > host.length - 1 : host === name;
}

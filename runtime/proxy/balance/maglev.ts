/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, §3.4): a table
 * in which servers own entries in proportion to their weight, and few entries change hands when one comes or goes.
 */
import { hashText } from "./hash.ts";

export interface Weighted {
  readonly name: string;
  /** 0 or more; 0 owns nothing. */
  readonly weight: number;
}

/** Primes. A table of a hundred entries a server shares them out to within 1 % (§5.3). */
const sizes = [4093, 16_381, 65_537] as const;

/** Depends on how many servers are configured, not on how many are up: another size would move nearly every key. */
export function tableSize(servers: number): number {
  return sizes.find((size) => size >= 100 * servers) ?? 65_537;
}

/** The owner of each entry, as an index into `servers`; empty where no server has a weight. */
export function maglevTable(servers: readonly Weighted[], size: number = tableSize(servers.length)): Uint16Array {
  const permutations = servers.map(({ name, weight }) => ({
    offset: hashText(name) % size,
    skip: hashText(name, 1) % (size - 1) + 1,
    weight,
  }));
  return populate(permutations, size);
}

/** Order in which a server wants the entries: offset, offset + skip, offset + 2 skip, … modulo the prime size. */
export interface Permutation {
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
}

/**
 * Lets the servers take the first free entry of their permutation in turns (the paper's pseudocode 1). One of half the
 * greatest weight has every second turn.
 */
export function populate(permutations: readonly Permutation[], size: number): Uint16Array {
  const greatest = permutations.reduce((most, { weight }) => Math.max(most, weight), 0);
  if (!(greatest > 0)) return new Uint16Array(0);
  const table = new Int32Array(size).fill(-1);
  const next = permutations.map(({ offset }) => offset);
  const due = permutations.map(() => 0);
  let filled = 0;
  for (let round = 1; filled < size; round++) {
    for (let i = 0; i < permutations.length && filled < size; i++) {
      const { skip, weight } = permutations[i];
      if (weight <= 0 || round * weight < due[i] + greatest) continue;
      due[i] += greatest;
      let entry = next[i];
      while (table[entry] >= 0) entry = (entry + skip) % size;
      table[entry] = i;
      next[i] = (entry + skip) % size;
      filled++;
    }
  }
  return Uint16Array.from(table);
}

/** Picks by weight in constant time (Walker's alias method, built as Vose 1991 does). */

export interface AliasTable {
  /** Chance of each column to keep its own index, in units of 2^-32. */
  readonly keep: Float64Array;
  readonly other: Uint16Array;
}

/** For `weights` of 0 or more; null where all are 0. */
export function aliasTable(weights: readonly number[]): AliasTable | null {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return null;
  const scaled = weights.map((weight) => weight * weights.length / total);
  const keep = new Float64Array(weights.length).fill(0x1_0000_0000);
  const other = Uint16Array.from(weights, (_, i) => i);
  const small = [...scaled.keys()].filter((i) => scaled[i] < 1);
  const large = [...scaled.keys()].filter((i) => scaled[i] >= 1);
  while (small.length > 0 && large.length > 0) {
    const under = small.pop() as number;
    const over = large[large.length - 1];
    keep[under] = scaled[under] * 0x1_0000_0000;
    other[under] = over;
    scaled[over] -= 1 - scaled[under];
    if (scaled[over] < 1) small.push(large.pop() as number);
  }
  // What is left in `small` is there by rounding and counts as full, except what has no weight at all.
  const heaviest = weights.indexOf(Math.max(...weights));
  for (const i of small) {
    if (weights[i] > 0) continue;
    keep[i] = 0;
    other[i] = heaviest;
  }
  return { keep, other };
}

/** @param column a random number of 32 bits @param coin another */
export function pickAlias({ keep, other }: AliasTable, column: number, coin: number): number {
  const index = Math.floor(column * keep.length / 0x1_0000_0000);
  return coin < keep[index] ? index : other[index];
}

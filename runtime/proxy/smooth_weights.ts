/**
 * Smooth weighted round robin (nginx's algorithm), expanded once into a table: every server appears as often as its
 * weight says, spread as evenly as possible. With the table, picking is one shared counter and one index, so that all
 * engine threads together keep the order exactly.
 */

/** Longest table; larger weights are scaled down to fit. */
const LONGEST = 16384;

/**
 * The order of picks as indices into `weights`; a weight of 0 is never picked. Empty when all are 0.
 *
 * @example weights 5, 1, 1 → 0 0 1 0 2 0 0
 */
export function smoothOrder(weights: readonly number[]): Uint16Array<ArrayBuffer> {
  const scaled = scale(weights);
  const total = scaled.reduce((sum, weight) => sum + weight, 0);
  const order = new Uint16Array(total);
  const current = scaled.map(() => 0);
  for (let turn = 0; turn < total; turn++) {
    let best = -1;
    for (let i = 0; i < scaled.length; i++) {
      if (scaled[i] === 0) continue;
      current[i] += scaled[i];
      if (best < 0 || current[i] > current[best]) best = i;
    }
    current[best] -= total;
    order[turn] = best;
  }
  return order;
}

/** Divides by the greatest common divisor, then down to the longest table; nobody with a weight loses all of it. */
function scale(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return weights.map(() => 0);
  const least = weights.map((weight) => weight / divisor);
  const total = least.reduce((sum, weight) => sum + weight, 0);
  if (total <= LONGEST) return least;
  return least.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.floor(weight * LONGEST / total))));
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

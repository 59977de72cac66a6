/**
 * A ring of points (Karger et al. 1997), and its walk with bounded loads (Mirrokni, Thorup, Zadimoghaddam, "Consistent
 * Hashing with Bounded Loads", 2016): a server that is over its share passes keys on to the next on the ring.
 */
import { hashText } from "./hash.ts";
import type { Weighted } from "./maglev.ts";

export interface Ring {
  /** Where the points are, ascending. */
  readonly positions: Uint32Array;
  /** Whose they are, as indices into the servers. */
  readonly owners: Uint16Array;
}

/** Points of a server of average weight: shares differ by about 1/√160 = 8 %. */
const pointsPerServer = 160;

export function ring(servers: readonly Weighted[]): Ring {
  const total = servers.reduce((sum, { weight }) => sum + Math.max(0, weight), 0);
  const present = servers.filter(({ weight }) => weight > 0).length;
  const points = servers.flatMap(({ name, weight }, owner) => {
    const count = weight > 0 ? Math.max(1, Math.round(pointsPerServer * present * weight / total)) : 0;
    return Array.from({ length: count }, (_, i) => ({ position: hashText(`${name}#${i}`), owner }));
  });
  // Two points in one place: the order of names decides, so that both nodes agree.
  points.sort((a, b) => a.position - b.position || a.owner - b.owner);
  return {
    positions: Uint32Array.from(points, ({ position }) => position),
    owners: Uint16Array.from(points, ({ owner }) => owner),
  };
}

/** Index of the first point at or after `key`, round the end to 0. */
export function firstPoint({ positions }: Ring, key: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low === positions.length ? 0 : low;
}

/**
 * Requests that a server may have under way at once: `bound` times its share of all of them, this one included, and at
 * least one.
 *
 * @param bound above 1; 1.25 lets a server have a quarter more than its share
 */
export function capacity(bound: number, underWay: number, weight: number, totalWeight: number): number {
  return Math.max(1, Math.ceil(bound * (underWay + 1) * weight / totalWeight));
}

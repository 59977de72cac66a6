/** A load that tests write down, and chance that repeats itself. */
import type { Load } from "../../../runtime/proxy/balance/load.ts";

export interface FakeLoad extends Load {
  readonly requests: number[];
  readonly full: Set<number>;
}

export function fakeLoad(servers: number, seed = 1): FakeLoad {
  const requests = Array<number>(servers).fill(0);
  const full = new Set<number>();
  let turns = 0;
  let state = seed;
  return {
    requests,
    full,
    busy: (server) => requests[server],
    free: (server) => !full.has(server),
    turn: () => turns++,
    // mulberry32
    random() {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (t ^ (t >>> 14)) >>> 0;
    },
  };
}

/** How often each of `count` servers was picked. */
export function tally(count: number, picks: Iterable<number>): number[] {
  const counts = Array<number>(count).fill(0);
  for (const pick of picks) counts[pick]++;
  return counts;
}

/** Pearson's chi-squared of counts against expected parts. */
export function chiSquared(counts: readonly number[], parts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const whole = parts.reduce((sum, part) => sum + part, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * parts[i] / whole;
    return expected === 0 ? sum + (count === 0 ? 0 : Infinity) : sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** When a plugin that failed may run again. Pure. */

/** Times of failures that still count, monotonic ms. */
export interface LifeRecord {
  readonly failures: readonly number[];
}

export const unharmed: LifeRecord = { failures: [] };

/** Five failures in this time, ms, are a quarantine. */
const WINDOW = 60_000;
const MOST_FAILURES = 5;
const FIRST_WAIT = 100, LONGEST_WAIT = 30_000;

export type Sentence = { readonly next: "restart"; readonly wait: number } | { readonly next: "quarantine" };

/**
 * What follows one more failure at `now`: a restart after 100 ms, doubling up to 30 s, give or take a quarter so that
 * plugins which fail together do not start together; or quarantine, which only a change or a reset ends.
 *
 * @param chance 0 to 1
 */
export function afterFailure(record: LifeRecord, now: number, chance: number): [LifeRecord, Sentence] {
  const failures = [...record.failures.filter((at) => now - at < WINDOW), now];
  if (failures.length >= MOST_FAILURES) return [{ failures }, { next: "quarantine" }];
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures.length - 1));
  return [{ failures }, { next: "restart", wait: Math.round(wait * (0.75 + chance / 2)) }];
}

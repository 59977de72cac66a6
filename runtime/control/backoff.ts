/** How long a child that died waits to be started again. Pure. */

/** What is known of a child's deaths. */
export interface DeathRecord {
  /** Starts that did not last. */
  readonly failures: number;
}

/** A child that lived this long, ms, begins a new record when it dies. */
const lasting = 10_000;
const first = 100;
const longest = 10_000;

export const clean: DeathRecord = { failures: 0 };

/**
 * The record after one more death of a child that lived `lived` ms, and the wait before the next start in ms. The first
 * restart is at once, because most deaths are accidents; then 100 ms, doubling, at most 10 s.
 */
export function afterDeath(record: DeathRecord, lived: number): [record: DeathRecord, wait: number] {
  const failures = lived >= lasting ? 1 : record.failures + 1;
  return [{ failures }, failures === 1 ? 0 : Math.min(longest, first * 2 ** (failures - 2))];
}

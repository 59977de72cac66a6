/** When a target is probed next. Pure. */

/** Share of the interval by which probes wander, so that targets, and nodes, do not fall into step. */
const jitter = 0.05;

/** Time between probes of a target that somebody waits for, ms. */
const urgent = 50;

export interface Turn {
  /** When the last probe of this target began, monotonic ms. */
  readonly began: number;
  /** Whether that was its first probe. */
  readonly first: boolean;
  /** Whether somebody still waits to know what the target is. */
  readonly awaited: boolean;
  /** Now, after its end. */
  readonly now: number;
  /** Wanted time between the beginnings of probes, ms. */
  readonly interval: number;
}

/**
 * Milliseconds to wait before the next probe. The first probes of all targets run at once, because somebody waits for them;
 * and are repeated soon until it is known what the target is; then they are spread over the second half of the interval. A
 * probe that outlasted its interval is followed at once by
 * the next, never overlapped by it.
 *
 * @param random 0 ≤ random < 1
 */
export function untilNextProbe(turn: Turn, random: number): number {
  if (turn.awaited) return Math.min(urgent, turn.interval);
  const wait = turn.first ? turn.interval * (0.5 + random / 2) : turn.interval * (1 - jitter + 2 * jitter * random);
  return Math.max(0, turn.began + wait - turn.now);
}

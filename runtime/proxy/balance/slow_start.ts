/** A server that comes up gets its full share little by little: its caches are cold. */

/**
 * The part of its weight that a server has `upFor` ms after it came up: from a tenth, straight to all of it.
 *
 * @param duration of the ramp, ms; 0 = none
 */
export function slowStart(upFor: number, duration: number): number {
  if (duration <= 0 || upFor >= duration) return 1;
  return Math.max(0.1, upFor / duration);
}

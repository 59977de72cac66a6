/** What a plan may say: the same for whoever takes one from a plugin, and for the engine that follows it. */

export const PLAN_PICKS = ["smooth", "random2", "leastconn", "first"] as const;
/** What a key may be taken from, and how it finds its server. */
export const KEY_SOURCES = ["client_ip", "header", "cookie", "path", "query"] as const;
export const KEY_TABLES = ["maglev", "ring"] as const;

/** Above this, and at most that: a bound of 1 leaves no room for the rounding of shares, one of 100 is none. */
export const BOUND_ABOVE = 1, MOST_BOUND = 100;

export function isBound(bound: unknown): bound is number {
  return typeof bound === "number" && bound > BOUND_ABOVE && bound <= MOST_BOUND;
}

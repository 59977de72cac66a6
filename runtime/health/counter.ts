/**
 * Rise and fall: how many answers in a row change what a server is. Pure: a value in, a value out.
 *
 *     wait ──one good answer──▶ up ──`fall` bad answers in a row──▶ down ──`rise` good ones in a row──▶ up
 *     wait ──`fall` bad answers in a row──▶ down
 *
 * A good answer may be weaker than *up*: a checker says *standby* (alive, not to be used while others are) or *drain*.
 * Among good answers the newest counts at once; only *down* has to be confirmed, and left, by a row.
 */

/** What a probe found, without its words. `unknown`: no answer could be had from the checker itself; nothing changes. */
export type Outcome = "up" | "standby" | "drain" | "down" | "unknown";

export type Serving = Exclude<Outcome, "down" | "unknown">;

/** Where a server stands. `streak`: answers in a row that speak against it. */
export type Health =
  | { readonly state: "wait"; readonly streak: number }
  | { readonly state: Serving; readonly streak: number }
  | { readonly state: "down"; readonly streak: number };

export interface Thresholds {
  /** Good answers in a row that bring a server up, 1 or more. */
  readonly rise: number;
  /** Bad answers in a row that take it down, 1 or more. */
  readonly fall: number;
}

/** What a server is before its first answer. */
export function initialHealth(initial: "wait" | "up" | "down"): Health {
  return { state: initial, streak: 0 };
}

/** What a server is after one more answer. */
export function observe(health: Health, outcome: Outcome, thresholds: Thresholds): Health {
  if (outcome === "unknown") return health;
  switch (health.state) {
    case "down": {
      if (outcome === "down") return health.streak === 0 ? health : { state: "down", streak: 0 };
      const streak = health.streak + 1;
      return streak >= thresholds.rise ? { state: outcome, streak: 0 } : { state: "down", streak };
    }
    case "wait":
    // A good answer is all that is waited for; a bad one may be an accident of a machine that has just started.
    case "up":
    case "standby":
    case "drain": {
      if (outcome !== "down") return { state: outcome, streak: 0 };
      const streak = health.streak + 1;
      return streak >= thresholds.fall ? { state: "down", streak: 0 } : { state: health.state, streak };
    }
  }
}

/** Plans of plugins that are followed now, for threads that begin later. */
import type { Plan } from "../../plugins/contract.ts";
import { planFault } from "./balance/plan_check.ts";

export class FollowedPlans {
  /** By backend, and until when they hold, ms. */
  readonly #plans = new Map<string, { readonly plan: Plan; readonly until: number }>();

  /** Follows `plan` from `now` on; answers why it cannot be: then it is as if there was none. */
  take(backend: string, plan: Plan | null, servers: readonly string[], now: number): string | null {
    const fault = plan === null ? null : planFault(plan, servers);
    // The clock of the plan begins here: threads have none in common with who made it.
    if (plan === null || fault !== null) this.#plans.delete(backend);
    else this.#plans.set(backend, { plan, until: now + plan.ttlMs });
    return fault;
  }

  /** Those that still hold, each for the time that is left of it. */
  left(now: number): { readonly backend: string; readonly plan: Plan }[] {
    return [...this.#plans].filter(([, { until }]) => until > now)
      .map(([backend, { plan, until }]) => ({ backend, plan: { ...plan, ttlMs: until - now } }));
  }
}

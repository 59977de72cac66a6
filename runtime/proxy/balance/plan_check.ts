/** Whether a plan can be applied: it may come from code that is not ours. */
import type { Plan } from "../../../plugins/contract.ts";
import { BOUND_ABOVE, isBound, KEY_SOURCES, KEY_TABLES, MOST_BOUND, PLAN_PICKS } from "../../../plugins/plan_bounds.ts";

/** What a policy may ask to be left alone for, ms. */
const longest = 24 * 3_600_000;
const picks: readonly unknown[] = PLAN_PICKS;
const sources: readonly unknown[] = KEY_SOURCES;
const named: readonly unknown[] = ["header", "cookie", "query"];
const tables: readonly unknown[] = KEY_TABLES;

/** Why `plan` cannot be applied to the servers of these names, or null. */
export function planFault(plan: Plan, servers: readonly string[]): string | null {
  if (typeof plan !== "object" || plan === null) return "A plan must be an object";
  const { ttlMs, weights, pick, key } = plan;
  if (!(ttlMs > 0 && ttlMs <= longest)) return `ttlMs must be above 0 and at most ${longest}, got ${ttlMs}`;
  if (typeof weights !== "object" || weights === null) return "weights must be an object";
  for (const [name, weight] of Object.entries(weights)) {
    if (!servers.includes(name)) return `weights names "${name}", which is no server of the backend`;
    if (typeof weight !== "number" || !(weight >= 0 && weight <= 1e9)) {
      return `weights["${name}"] must be a number from 0 to 1e9, got ${weight}`;
    }
  }
  if (pick !== undefined && !picks.includes(pick)) return `pick must be ${picks.join(", ")}, got "${pick}"`;
  return key === undefined ? null : keyFault(key);
}

function keyFault(key: NonNullable<Plan["key"]>): string | null {
  if (!sources.includes(key.from)) return `key.from must be ${sources.join(", ")}, got "${key.from}"`;
  if (named.includes(key.from) && !key.name) return `key.from "${key.from}" needs key.name`;
  if (!tables.includes(key.table)) return `key.table must be ${tables.join(" or ")}, got "${key.table}"`;
  const { bound } = key;
  if (bound === undefined || isBound(bound)) return null;
  return `key.bound must be above ${BOUND_ABOVE} and at most ${MOST_BOUND}, got ${bound}`;
}

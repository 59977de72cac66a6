/** Applies a policy's plan to requests: compiled once a plan, then a table look-up or a comparison for each request. */
import type { Plan } from "../../../plugins/contract.ts";
import type { Load } from "./load.ts";
import { ketama, type Lookup, maglev } from "./lookups.ts";
import type { Weighted } from "./maglev.ts";
import { first, leastconn, type Pick as Unkeyed, random2, smooth } from "./picks.ts";

export interface Balancer {
  /**
   * Index of the server for a request, or -1 where none may be used. A server that is full is picked only where no other
   * will do: the request waits for it.
   *
   * @param key hash of what the plan's `key` names, null where the request has none of it
   * @param tried servers that already failed this request
   */
  pick(key: number | null, load: Load, tried: readonly number[]): number;
}

/** A server of the backend, in the order of the configuration. */
export interface Candidate {
  readonly name: string;
  /** Checks and operators let it have requests. */
  readonly usable: boolean;
}

/** Compiles `plan` for `servers`. One that is not usable gets nothing, whatever the plan says. */
export function balancer(plan: Omit<Plan, "ttlMs" | "explain">, servers: readonly Candidate[]): Balancer {
  const weighted = servers.map(({ name, usable }): Weighted => ({
    name,
    weight: usable && Object.hasOwn(plan.weights, name) ? plan.weights[name] : 0,
  }));
  const unkeyed = unkeyedPick(plan, weighted);
  if (plan.key === undefined) return { pick: (_key, load, tried) => unkeyed(load, tried) };
  const keyed = keyedLookup(plan.key, weighted);
  return { pick: (key, load, tried) => (key === null ? unkeyed(load, tried) : keyed(key, load, tried)) };
}

function unkeyedPick(plan: Pick<Plan, "pick" | "weights">, servers: readonly Weighted[]): Unkeyed {
  const weights = Float64Array.from(servers, ({ weight }) => weight);
  switch (plan.pick ?? "smooth") {
    case "smooth":
      return smooth(weights);
    case "random2":
      return random2(weights);
    case "leastconn":
      return leastconn(weights);
    case "first": {
      const order = Object.keys(plan.weights).map((name) => servers.findIndex((server) => server.name === name));
      return first(weights, order.filter((server) => server >= 0));
    }
  }
}

function keyedLookup({ table, bound }: NonNullable<Plan["key"]>, servers: readonly Weighted[]): Lookup {
  return table === "ring" ? ketama(servers, bound ?? null) : maglev(servers, bound ?? null);
}

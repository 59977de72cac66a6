/**
 * `balance: first`: to the first server that is not full (its maxconn), so that the last ones stay idle and can be switched
 * off.
 */
import { definePolicy } from "../contract.ts";
import { lasting, weightsOf } from "./weights.ts";

export default definePolicy<Record<never, never>>({
  config: {},
  plan: ({ servers }) => ({ ttlMs: lasting, weights: weightsOf(servers), pick: "first" }),
});

/** `balance: random`: two servers by chance and weight, of which the less busy one gets the request. */
import { definePolicy } from "../contract.ts";
import { lasting, weightsOf } from "./weights.ts";

export default definePolicy<Record<never, never>>({
  config: {},
  plan: ({ servers }) => ({ ttlMs: lasting, weights: weightsOf(servers), pick: "random2" }),
});

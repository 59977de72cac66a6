/** `balance: roundrobin`: in turn, as often as its weight says, spread as evenly as can be. */
import { definePolicy } from "../contract.ts";
import { lasting, weightsOf } from "./weights.ts";

export default definePolicy<Record<never, never>>({
  config: {},
  plan: ({ servers }) => ({ ttlMs: lasting, weights: weightsOf(servers), pick: "smooth" }),
});

/** `balance: leastconn`: to the server with the fewest requests under way and waiting, for its weight. */
import { definePolicy } from "../contract.ts";
import { lasting, weightsOf } from "./weights.ts";

export default definePolicy<Record<never, never>>({
  config: {},
  plan: ({ servers }) => ({ ttlMs: lasting, weights: weightsOf(servers), pick: "leastconn" }),
});

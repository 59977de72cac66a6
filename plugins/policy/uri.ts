/** `balance: uri`: the same path, the same server, so that each caches its part. */
import { definePolicy } from "../contract.ts";
import { keyFrom, keyTable, type KeyTableConfig } from "./key_table.ts";
import { lasting, weightsOf } from "./weights.ts";

export default definePolicy<KeyTableConfig>({
  config: keyTable,
  plan: ({ servers }, { config }) => ({
    ttlMs: lasting,
    weights: weightsOf(servers),
    key: keyFrom({ from: "path" }, config),
  }),
});

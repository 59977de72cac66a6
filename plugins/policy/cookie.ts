/** `balance: { use: cookie, with: { name } }`: the same value of a cookie that the application sets, the same server. */
import { definePolicy, s } from "../contract.ts";
import { keyFrom, keyTable, type KeyTableConfig } from "./key_table.ts";
import { lasting, weightsOf } from "./weights.ts";

export interface CookiePolicyConfig extends KeyTableConfig {
  readonly name: string;
}

export default definePolicy<CookiePolicyConfig>({
  config: { name: s.string({ minLength: 1, description: "The cookie" }), ...keyTable },
  plan: ({ servers }, { config }) => ({
    ttlMs: lasting,
    weights: weightsOf(servers),
    key: keyFrom({ from: "cookie", name: config.name }, config),
  }),
});

/** `balance: { use: header, with: { name } }`: the same value of a request field, the same server. */
import { definePolicy, s } from "../contract.ts";
import { keyFrom, keyTable, type KeyTableConfig } from "./key_table.ts";
import { lasting, weightsOf } from "./weights.ts";

export interface HeaderPolicyConfig extends KeyTableConfig {
  readonly name: string;
}

export default definePolicy<HeaderPolicyConfig>({
  config: { name: s.string({ minLength: 1, description: "The request field" }), ...keyTable },
  plan: ({ servers }, { config }) => ({
    ttlMs: lasting,
    weights: weightsOf(servers),
    key: keyFrom({ from: "header", name: config.name }, config),
  }),
});

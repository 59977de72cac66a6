import assert from "node:assert/strict";
import { RetryBudget } from "../../../runtime/proxy/retry_budget.ts";

/** Retries granted of `asked`, when `requests` came in the window before them. */
function granted(budget: RetryBudget, now: number, requests: number, asked: number): number {
  return Array.from({ length: asked }, () => budget.take(now, requests)).filter(Boolean).length;
}

Deno.test("RetryBudget grants ten in ten seconds, and one for every five requests", () => {
  const budget = new RetryBudget();
  assert.equal(granted(budget, 0, 1000, 100), 10, "what was before the window does not count");
  assert.equal(granted(budget, 5000, 1100, 100), 20);
  assert.equal(granted(budget, 9999, 1100, 5), 0);
  assert.equal(granted(budget, 10_000, 1100, 100), 10);
});

import assert from "node:assert/strict";
import { hint, nearest } from "../../../runtime/config/nearest.ts";

Deno.test("nearest() forgives a third of the letters, swaps, case and dashes", () => {
  const known = ["interface", "virtual_router_id", "version", "preempt", "a"];
  const rows: readonly [string, string | null][] = [
    ["interfaces", "interface"],
    ["intreface", "interface"],
    ["Interface", "interface"],
    ["virtual-router-id", "virtual_router_id"],
    ["verison", "version"],
    ["nopreempt", "preempt"],
    ["b", null],
    ["something", null],
    ["x".repeat(500), null],
  ];
  for (const [name, wanted] of rows) assert.equal(nearest(name, known), wanted, name);
});

Deno.test("hint() names what there is where nothing is near", () => {
  assert.equal(hint("wbe", ["web", "api"]), '; did you mean "web"?');
  assert.equal(hint("zzzzzz", ["web", "api"]), "; there is web, api");
  assert.equal(hint("zzzzzz", []), "; there is none");
});

import assert from "node:assert/strict";
import { smoothOrder } from "../../../runtime/proxy/smooth_weights.ts";

// The first rows are nginx's own example and its commit message (2012): 5, 1, 1 gives a a b a c a a.
const rows: readonly [string, readonly number[], readonly number[]][] = [
  ["nginx's example", [5, 1, 1], [0, 0, 1, 0, 2, 0, 0]],
  ["equal weights take turns", [1, 1, 1], [0, 1, 2]],
  ["a common divisor does not matter", [100, 100], [0, 1]],
  ["twice the weight, twice the turns", [1, 2], [1, 0, 1]],
  ["weight 0 is never picked", [0, 3, 0], [1]],
  ["nobody has a weight", [0, 0], []],
  ["nobody is there", [], []],
];

for (const [name, weights, order] of rows) {
  Deno.test(`smoothOrder() ${name}`, () => assert.deepEqual([...smoothOrder(weights)], order));
}

Deno.test("smoothOrder() gives each its share, however large the weights", () => {
  const weights = [256, 255, 1, 128];
  const order = smoothOrder(weights);
  for (let i = 0; i < weights.length; i++) assert.equal(order.filter((each) => each === i).length, weights[i]);
});

Deno.test("smoothOrder() stays within its longest table, and nobody loses all turns", () => {
  const weights = Array.from({ length: 500 }, (_, i) => (i === 0 ? 1 : 251));
  const order = smoothOrder(weights);
  assert.ok(order.length <= 16_384 + weights.length);
  assert.equal(new Set(order).size, weights.length);
});

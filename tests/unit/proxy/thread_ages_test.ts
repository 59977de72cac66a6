import assert from "node:assert/strict";
import { ThreadAges } from "../../../runtime/proxy/thread_ages.ts";

Deno.test("ThreadAges counts from the last change of the count of turns", () => {
  const ages = new ThreadAges();
  ages.begin(0, 5, 1000);
  // [turns, now, age]
  const rows = [[5, 1100, 100], [6, 1200, 0], [6, 1450, 250], [-2_147_483_648, 1500, 0], [-2_147_483_648, 2600, 1100]];
  for (const [turns, now, age] of rows) assert.equal(ages.observe(0, turns, now), age);
});

Deno.test("ThreadAges takes a thread that is gone as one that never turned", () => {
  const ages = new ThreadAges();
  ages.begin(0, 0, 1000);
  ages.end(0);
  assert.equal(ages.observe(0, 3, 5000), 5000);
});

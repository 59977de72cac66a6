import assert from "node:assert/strict";
import { ThreadAges } from "../../../runtime/proxy/thread_ages.ts";

Deno.test("ThreadAges counts from the last change of the count of turns", () => {
  const ages = new ThreadAges();
  ages.begin(0, 5, 1000);
  // [turns, now, age]
  const rows = [[5, 1100, 100], [6, 1200, 0], [6, 1450, 250], [-2_147_483_648, 1500, 0], [-2_147_483_648, 1950, 450]];
  for (const [turns, now, age] of rows) assert.equal(ages.observe(0, turns, now), age);
});

Deno.test("ThreadAges finds a thread that hangs after a second, and blames none for time in which nobody looked", () => {
  const hung = new ThreadAges();
  hung.begin(0, 5, 0);
  for (const now of [250, 500, 750, 1000, 1250]) assert.equal(hung.observe(0, 5, now), now);

  // No processor for 1.1 s, neither for the threads nor for us; we were the first to get one.
  const starved = new ThreadAges();
  starved.begin(0, 5, 0);
  const rows = [[6, 250, 0], [6, 1350, 500], [7, 1600, 0]];
  for (const [turns, now, age] of rows) assert.equal(starved.observe(0, turns, now), age);
});

Deno.test("ThreadAges takes a thread that is gone as one that never turned", () => {
  const ages = new ThreadAges();
  ages.begin(0, 0, 1000);
  ages.end(0);
  assert.equal(ages.observe(0, 3, 5000), 5000);
});

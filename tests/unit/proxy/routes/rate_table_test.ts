import assert from "node:assert/strict";
import { allocateRates, RateTable } from "../../../../runtime/proxy/routes/rate_table.ts";

Deno.test("RateTable gives a burst at once and then one token an interval", () => {
  const table = new RateTable(allocateRates(64));
  const waits = (times: readonly number[]) => times.map((ms) => table.take("k", 10, 3, 1_000_000 + ms));
  assert.deepEqual(waits([0, 0, 0, 0, 99, 100, 100, 250, 300, 300]), [0, 0, 0, 100, 1, 0, 100, 0, 0, 100]);
  assert.deepEqual(waits([10_000, 10_000, 10_000, 10_000]), [0, 0, 0, 100], "full again after a pause");
});

Deno.test("RateTable keeps keys apart and shares them between threads", () => {
  const buffer = allocateRates(64);
  const [one, other] = [new RateTable(buffer), new RateTable(buffer)];
  assert.equal(one.take("a", 1, 1, 5000), 0);
  assert.equal(other.take("b", 1, 1, 5000), 0);
  assert.equal(other.take("a", 1, 1, 5000), 1000);
});

Deno.test("RateTable survives a clock that steps back", () => {
  const table = new RateTable(allocateRates(64));
  assert.equal(table.take("a", 1, 1, 10_000_000), 0);
  assert.equal(table.take("a", 1, 1, 1_000_000), 0);
});

Deno.test("RateTable stays as large as it is: a flood of keys makes it generous, not large", () => {
  const table = new RateTable(allocateRates(1024));
  let refused = 0;
  for (let i = 0; i < 100_000; i++) refused += table.take(`key${i}`, 1, 1, 1_000_000) > 0 ? 1 : 0;
  assert.equal(refused, 0);
  const kept = Array.from({ length: 256 }, (_, i) => `kept${i}`);
  const later = 2_000_000;
  for (const key of kept) table.take(key, 1, 1, later);
  const again = kept.filter((key) => table.take(key, 1, 1, later) > 0).length;
  assert.ok(again > 240, `${again} of 256 keys are still known with the table a quarter full`);
});

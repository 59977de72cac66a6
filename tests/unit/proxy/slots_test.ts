import assert from "node:assert/strict";
import { SlotTable } from "../../../runtime/proxy/slots.ts";

Deno.test("SlotTable keeps the number of a name that stays", () => {
  const table = new SlotTable(8, "servers");
  const fresh: number[] = [];
  table.assign(["a", "b", "c"], (slot) => fresh.push(slot));
  table.assign(["c", "d"], (slot) => fresh.push(slot));
  assert.deepEqual([...table.slots], [["c", 2], ["d", 3]]);
  assert.deepEqual(fresh, [0, 1, 2, 3]);
});

Deno.test("SlotTable uses a freed number again only when there is no other, the oldest first", () => {
  const table = new SlotTable(3, "servers");
  table.assign(["a", "b"], () => {});
  table.assign([], () => {});
  table.assign(["c"], () => {});
  assert.equal(table.slots.get("c"), 2);
  table.assign(["c", "d"], () => {});
  assert.equal(table.slots.get("d"), 0);
});

Deno.test("SlotTable says how many there may be", () => {
  const table = new SlotTable(2, "frontends");
  assert.throws(() => table.assign(["a", "b", "c"], () => {}), /Cannot serve 3 frontends: at most 2/);
});

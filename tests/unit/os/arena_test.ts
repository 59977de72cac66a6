import assert from "node:assert/strict";
import { Arena, BRIEF, LARGE, NO_REGION, SLAB, SLAB_SIZE, SMALL, WIDE } from "../../../runtime/os/arena.ts";

Deno.test("Arena gives disjoint regions of each class until none is left, and again what came back last", () => {
  using arena = new Arena(4 << 20);
  const ranges: [number, number][] = [];
  for (const kind of [SMALL, LARGE, SLAB, WIDE, BRIEF]) {
    const regions = [];
    for (let region = arena.take(kind); region !== NO_REGION; region = arena.take(kind)) {
      regions.push(region);
      ranges.push([arena.start(region), arena.start(region) + arena.size(region)]);
    }
    assert.equal(regions.length, arena.count(kind));
    const last = regions[2];
    arena.give(regions[1]);
    arena.give(last);
    assert.equal(arena.take(kind), last);
  }
  ranges.sort(([a], [b]) => a - b);
  for (let i = 1; i < ranges.length; i++) assert.ok(ranges[i - 1][1] <= ranges[i][0]);
  assert.ok(ranges[ranges.length - 1][1] <= arena.bytes.length);
});

Deno.test("Arena refuses to take a region back twice", () => {
  using arena = new Arena(1 << 20);
  const region = arena.take(SLAB);
  arena.give(region);
  assert.throws(() => arena.give(region), /not in use/);
});

Deno.test("Arena lies below 2 GiB, so that an address is one positive word", () => {
  using arena = new Arena(1 << 20);
  using other = new Arena(1 << 20);
  for (const { address, bytes } of [arena, other]) assert.ok(address > 0 && address + bytes.length < 2 ** 31);
  const region = arena.take(SLAB);
  arena.bytes.fill(7, arena.start(region), arena.start(region) + SLAB_SIZE);
  assert.ok(other.bytes.every((byte) => byte === 0));
});

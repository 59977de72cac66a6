import { deepEqual, equal, ok } from "node:assert/strict";
import { type AnnouncementSchedule, Announcer } from "../../../runtime/vip/announcer.ts";

/** Times at which `key` is announced until `end`, when the announcer is asked exactly at its deadlines. */
function play(announcer: Announcer, end: number, key = "vip"): number[] {
  const times: number[] = [];
  while (announcer.deadline <= end) {
    const now = announcer.deadline;
    if (announcer.take(now, 8).includes(key)) times.push(now);
  }
  return times;
}

const first = [0, 20, 60, 140, 300];
const rows: readonly (readonly [string, AnnouncementSchedule, number, number[]])[] = [
  ["one round, no more", { repeat: 1, delay: 0, refresh: 0 }, 100_000, [0]],
  ["a burst draws apart", { repeat: 5, delay: 0, refresh: 0 }, 100_000, first],
  ["long gaps are a second at most", { repeat: 8, delay: 0, refresh: 0 }, 100_000, [...first, 620, 1260, 2260]],
  ["two bursts", { repeat: 5, delay: 5000, refresh: 0 }, 100_000, [...first, ...first.map((time) => time + 5000)]],
  ["refresh by single rounds", { repeat: 2, delay: 5000, refresh: 60_000 }, 130_000, [
    0,
    20,
    5000,
    5020,
    65_020,
    125_020,
  ]],
  ["refresh without a second burst", { repeat: 1, delay: 0, refresh: 1000 }, 3000, [0, 1000, 2000, 3000]],
  ["a second burst never overtakes the first", { repeat: 5, delay: 100, refresh: 0 }, 1000, [
    ...first,
    320,
    340,
    380,
    460,
    620,
  ]],
];

for (const [name, schedule, end, expected] of rows) {
  Deno.test(`Announcer: ${name}`, () => {
    const announcer = new Announcer();
    announcer.start("vip", schedule, 0);
    deepEqual(play(announcer, end), expected);
  });
}

Deno.test("Announcer: start again begins a new burst", () => {
  const announcer = new Announcer();
  announcer.start("vip", { repeat: 2, delay: 0, refresh: 60_000 }, 0);
  deepEqual(play(announcer, 10_000), [0, 20]);
  announcer.start("vip", { repeat: 2, delay: 0, refresh: 60_000 }, 10_000);
  deepEqual(play(announcer, 80_000), [10_000, 10_020, 70_020]);
});

Deno.test("Announcer: stop ends it, twice is harmless", () => {
  const announcer = new Announcer();
  announcer.start("vip", { repeat: 5, delay: 0, refresh: 0 }, 0);
  announcer.take(0, 8);
  announcer.stop("vip");
  announcer.stop("vip");
  equal(announcer.deadline, Infinity);
  deepEqual(announcer.take(1000, 8), []);
});

Deno.test("Announcer: many addresses are paced, each one's first round before anyone's second", () => {
  const announcer = new Announcer();
  for (let i = 0; i < 200; i++) announcer.start(`vip ${i}`, { repeat: 5, delay: 0, refresh: 0 }, 0);
  const seen = new Set<string>();
  let now = 0;
  for (; seen.size < 200; now = announcer.deadline) {
    const taken = announcer.take(now, 8);
    ok(taken.length <= 8);
    for (const key of taken) {
      ok(!seen.has(key), `${key} is announced twice before others once`);
      seen.add(key);
    }
  }
  equal(now, 25);
});

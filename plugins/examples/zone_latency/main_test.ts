import assert from "node:assert/strict";
import { simulate } from "tandem/plugin/test";
import policy from "./main.ts";

const config = { label: "zone", prefer: 0.9, minUp: 1, maxErrorRate: 0.2 };
// The test's node is in zone a.
const servers = [
  { name: "a1", labels: { zone: "a" } },
  { name: "a2", labels: { zone: "a" } },
  { name: "b1", labels: { zone: "b" } },
];
const rounded = (spread: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(spread).map(([name, part]) => [name, Math.round(part * 100)]));

const cases: [name: string, change: Record<string, Record<string, unknown>>, spread: Record<string, number>][] = [
  ["all are alike", {}, { a1: 45, a2: 45, b1: 10 }],
  ["one is twice as slow", { a1: { latencyMs: 10 }, a2: { latencyMs: 20 } }, { a1: 60, a2: 30, b1: 10 }],
  ["one fails half of its requests", { a1: { errorRate: 0.3 } }, { a1: 37, a2: 53, b1: 10 }],
  ["the zone fails", { a1: { errorRate: 0.9 }, a2: { errorRate: 0.9 } }, { a1: 8, a2: 8, b1: 83 }],
  ["one has three times the weight", { a1: { weight: 3 } }, { a1: 68, a2: 23, b1: 10 }],
  ["one is only a spare", { b1: { backup: true } }, { a1: 50, a2: 50 }],
];
for (const [name, change, spread] of cases) {
  Deno.test(`plan() where ${name}`, async () => {
    const changed = servers.map((server) => ({ ...server, ...change[server.name] }));
    const result = await simulate(policy, { config, servers: changed });
    assert.deepEqual(rounded(result.spread), spread);
    assert.equal(result.changes, 0, "a plan that flickers");
  });
}

Deno.test("plan() spills over when the zone is gone, and comes back with it", async () => {
  const trace = [
    { at: 2000, servers: { a1: null, a2: null } },
    { at: 4000, servers: { a1: { labels: { zone: "a" } } } },
  ];
  const { plans } = await simulate(policy, { config, servers, trace });
  assert.deepEqual(plans.map(({ at, plan }) => [at, { ...plan.weights }]), [
    [0, { a1: 450, a2: 450, b1: 100 }],
    [2000, { b1: 1000 }],
    [4000, { b1: 100, a1: 900 }],
  ]);
});

import assert from "node:assert/strict";
import { applyEjections, eject, type Ejection, isEjected } from "../../../runtime/control/ejections.ts";
import type { ServerView } from "../../../runtime/control/servers.ts";
import type { Standing } from "../../../runtime/health/prober.ts";

const evidence = { backend: "web", server: "a", errors: 5, cause: "no answer in time" };

Deno.test("eject() is for longer each time, and the first again after a good while", () => {
  const rows: readonly [number, number][] = [[0, 5], [5000, 10], [20_000, 20], [50_000, 40], [100_000, 80], [
    200_000,
    80,
  ]];
  let before: Ejection | null = null;
  for (const [now, seconds] of rows) {
    before = eject(before, evidence, 5000, now);
    assert.deepEqual([before.since, before.until], [now, now + seconds * 1000]);
  }
  assert.match(eject(null, evidence, 5000, 0).reason, /^ejected for 5 s: 5 requests in a row failed, the last one: no/);
  assert.equal(eject({ since: 0, until: 5000, reason: "", times: 1 }, evidence, 5000, 55_000).times, 1);
  assert.equal(eject({ since: 0, until: 5000, reason: "", times: 1 }, evidence, 5000, 54_999).times, 2);
});

Deno.test("isEjected() until its time is over or checks found the server down and up again", () => {
  const ejection = { since: 100, until: 200, reason: "", times: 1 };
  const standing = (state: "up" | "down", since: number) => ({ health: { state, streak: 0 }, since }) as Standing;
  const rows: readonly [Ejection | null, Standing | null, number, boolean][] = [
    [null, null, 150, false],
    [ejection, null, 150, true],
    [ejection, null, 200, false],
    [ejection, standing("up", 50), 150, true],
    [ejection, standing("down", 120), 150, true],
    [ejection, standing("up", 140), 150, false],
  ];
  for (const [given, found, now, wanted] of rows) assert.equal(isEjected(given, found, now), wanted, `${now}`);
});

function view(server: string, change: Partial<ServerView> = {}): ServerView {
  const base = {
    backend: "web",
    state: "up",
    weight: 1,
    effective: 1,
    since: 0,
    reason: "ok",
    waiting: false,
  } as const;
  return { ...base, server, check: null, risen: null, restless: false, ...change };
}

Deno.test("applyEjections() leaves the last server, and the oldest ejections hold", () => {
  // Servers, who is ejected (since when) → who is down
  const rows: readonly [readonly ServerView[], Readonly<Record<string, number>>, string][] = [
    [[view("a"), view("b")], {}, ""],
    [[view("a"), view("b")], { a: 10 }, "a"],
    [[view("a"), view("b")], { a: 20, b: 10 }, "b"],
    [[view("a"), view("b", { state: "down" })], { a: 10 }, "b"],
    [[view("a"), view("b", { weight: 0 })], { a: 10 }, ""],
    [[view("a"), view("b", { state: "drain" })], { a: 10 }, ""],
    [[view("a"), view("b"), view("c")], { a: 3, b: 2, c: 1 }, "bc"],
    [[view("a")], { a: 1 }, ""],
  ];
  for (const [views, ejected, wanted] of rows) {
    const of = ({ server }: ServerView): Ejection | null =>
      server in ejected ? { since: ejected[server], until: 99, reason: "out", times: 1 } : null;
    const after = applyEjections(views, of, 50);
    assert.equal(after.filter(({ state }) => state === "down").map(({ server }) => server).join(""), wanted);
    for (const one of after) if (one.reason === "out") assert.ok(one.restless && one.since === ejected[one.server]);
  }
});

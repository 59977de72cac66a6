import assert from "node:assert/strict";
import { explain, failures, longestGap, type Outcome, type Sample, shares } from "../../../runtime/demo/measure.ts";
import { neighbour } from "../../../runtime/demo/client.ts";

const served = (server: string, status = 200): Outcome => ({ type: "served", status, server });
const reset: Outcome = { type: "failed", phase: "receive", reason: "reset by peer" };
const at = (ended: number, outcome: Outcome = served("a")): Sample => ({
  kind: "new",
  started: ended - 1,
  ended,
  outcome,
});

Deno.test("longestGap() is the longest time without a success, the window's ends included", () => {
  const rows: [name: string, samples: Sample[], gap: number][] = [
    ["steady", [at(10), at(20), at(30), at(40)], 10],
    ["unordered", [at(30), at(10), at(40), at(20)], 10],
    ["nothing at all", [], 50],
    ["outage at the end", [at(5), at(10)], 40],
    ["outage at the start", [at(45)], 45],
    ["a failure is no success", [at(10), at(20, reset), at(30), at(45)], 20],
    ["a 503 is no success", [at(10), at(20, served("", 503)), at(30), at(45)], 20],
    ["a 404 is a success", [at(10), at(20, served("a", 404)), at(30), at(45)], 15],
    ["outside the window", [at(-5), at(10), at(20), at(30), at(40), at(300)], 10],
  ];
  for (const [name, samples, gap] of rows) assert.equal(longestGap(samples, { from: 0, to: 50 }), gap, name);
});

Deno.test("longestGap() leaves out the time in which the client did not run", () => {
  const samples = [at(10), at(20), at(60), at(80), at(100)];
  const window = { from: 0, to: 100 };
  assert.equal(longestGap(samples, window), 40);
  assert.equal(longestGap(samples, window, [{ from: 25, to: 55 }]), 20, "within the gap");
  assert.equal(longestGap(samples, window, [{ from: 5, to: 30 }, { from: 50, to: 70 }]), 20, "across its ends");
  assert.equal(longestGap(samples, window, [{ from: 200, to: 300 }]), 40, "elsewhere");
});

Deno.test("failures() and shares() count what ended in the window", () => {
  const samples = [at(10), at(20, served("b")), at(30, reset), at(40, served("b", 503)), at(60, reset)];
  assert.deepEqual(failures(samples, { from: 0, to: 50 }).map(explain), [
    "new connection: receive: reset by peer",
    "new connection: status 503",
  ]);
  assert.deepEqual([...shares(samples, { from: 0, to: 50 })], [["a", 1], ["b", 2]]);
});

Deno.test("failures() leaves a request to what happened when it began", () => {
  const cut: Sample = { kind: "kept", started: 1_000, ended: 4_000, outcome: reset };
  assert.equal(failures([cut], { from: 900, to: 5_000 }).length, 1, "the crash");
  assert.equal(failures([cut], { from: 1_900, to: 5_000 }).length, 1, "under way when the window opened");
  assert.equal(failures([cut], { from: 3_000, to: 5_000 }).length, 0, "a later move");
});

Deno.test("neighbour() reads completed entries of /proc/net/arp", () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.219.100  0x1         0x2         5a:eb:2f:d0:df:36     *        ens32
192.168.219.101  0x1         0x0         00:00:00:00:00:00     *        ens32
`;
  assert.equal(neighbour(table, "192.168.219.100"), "5a:eb:2f:d0:df:36");
  assert.equal(neighbour(table, "192.168.219.101"), null, "incomplete");
  assert.equal(neighbour(table, "192.168.219.10"), null, "absent");
});

import assert from "node:assert/strict";
import { defineChecker, type Verdict } from "../../../plugins/contract.ts";
import { type CheckedServer, createProber } from "../../../runtime/health/prober.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const up: Verdict = { state: "up", reason: "ok" };
const down: Verdict = { state: "down", reason: "connect refused" };

function server(name: string, overrides: Partial<CheckedServer["check"]> = {}, port = 80): CheckedServer {
  return {
    target: { backend: "web", server: name, address: "192.0.2.1", port, labels: {} },
    check: { use: "fake", with: {}, interval: 2000, timeout: 1000, rise: 2, fall: 3, initial: "wait", ...overrides },
  };
}

/** A prober whose checker answers `answer()`, with a record of what it ran and told. */
function fixture(answer: () => Verdict | Promise<Verdict>, named = false) {
  const clock = fakeClock(1_000_000);
  const ran: string[] = [];
  const told: string[] = [];
  const forgotten: string[] = [];
  const prober = createProber({
    clock,
    host: { node: "n1", cluster: "edge", labels: {} },
    log: createLogger({ role: "test", write: () => {} }),
    random: () => 0.5,
    checker: () =>
      defineChecker<unknown>({
        named,
        check(target) {
          ran.push(`${target.server}@${clock.monotonic()}`);
          return answer();
        },
        forget: (target) => void forgotten.push(target.server),
      }),
    observed: ({ target, health, last }, before) =>
      told.push(`${target.server} ${before.state}>${health.state} ${last?.result.reason}`),
  });
  return { clock, prober, ran, told, forgotten };
}

Deno.test("createProber() probes at once, then half an interval spread apart, then every interval", async () => {
  const { clock, prober, ran } = fixture(() => up);
  prober.watch([server("a")]);
  assert.equal(prober.settled(), false);
  await clock.advance(6000);
  assert.deepEqual(ran, ["a@0", "a@1500", "a@3500", "a@5500"]);
  assert.equal(prober.settled(), true);
  prober[Symbol.dispose]();
});

Deno.test("createProber() asks again soon as long as it is not known what a server is", async () => {
  const { clock, prober, ran } = fixture(() => clock.monotonic() < 90 ? down : up);
  prober.watch([server("a")]);
  await clock.advance(2000);
  assert.deepEqual(ran, ["a@0", "a@50", "a@100", "a@1600"]);
  const dead = fixture(() => down);
  dead.prober.watch([server("a")]);
  await dead.clock.advance(99);
  assert.equal(dead.prober.settled(), false);
  await dead.clock.advance(1);
  assert.equal(dead.prober.standing("web", "a")?.health.state, "down");
  prober[Symbol.dispose]();
  dead.prober[Symbol.dispose]();
});

Deno.test("createProber() asks faster while answers speak against what a server is", async () => {
  const { clock, prober, ran, told } = fixture(() => clock.monotonic() > 5000 && clock.monotonic() < 9000 ? down : up);
  prober.watch([server("a", { fastInterval: 500 })]);
  await clock.advance(12_000);
  // From the first bad answer on; not while it is down and stays down; from the first good one on.
  const at = ran.map((each) => Number(each.slice(2)));
  assert.deepEqual(at, [0, 1500, 3500, 5500, 6000, 6500, 8500, 10_500, 11_000]);
  assert.deepEqual(told.slice(3).map((each) => each.split(" ")[1]), [
    "up>up",
    "up>up",
    "up>down",
    "down>down",
    "down>down",
    "down>up",
  ]);
  prober[Symbol.dispose]();
});

Deno.test("createProber() runs identical probes once and counts for each server", async () => {
  const { clock, prober, ran } = fixture(() => down);
  prober.watch([server("a", { initial: "up", fall: 1 }), server("b", { initial: "up", fall: 2 }), server("c", {}, 81)]);
  await clock.advance(0);
  assert.deepEqual(ran, ["a@0", "c@0"]);
  assert.equal(prober.standing("web", "a")?.health.state, "down");
  assert.equal(prober.standing("web", "b")?.health.state, "up");
  await clock.advance(1500);
  assert.equal(prober.standing("web", "b")?.health.state, "down");
  assert.equal(prober.standing("web", "a")?.since, 1_000_000);
  assert.equal(prober.standing("web", "b")?.since, 1_001_500);
  prober[Symbol.dispose]();
});

Deno.test("createProber() asks a checker that goes by names for each of them", async () => {
  const { clock, prober, ran } = fixture(() => up, true);
  prober.watch([server("a"), server("b")]);
  await clock.advance(0);
  assert.deepEqual(ran, ["a@0", "b@0"]);
  prober[Symbol.dispose]();
});

Deno.test("createProber() never overlaps probes of one target, and an unanswered one is unknown", async () => {
  const { clock, prober, ran, told } = fixture(() => new Promise<Verdict>(() => {}));
  prober.watch([server("a", { interval: 500, initial: "up" })]);
  await clock.advance(2300);
  assert.deepEqual(ran, ["a@0", "a@1100", "a@2200"]);
  assert.deepEqual(told[0], "a up>up the checker gave no answer within 1.1 s");
  prober[Symbol.dispose]();
});

Deno.test("createProber() takes what a checker throws as down with its message", async () => {
  const { clock, prober, told } = fixture(() => Promise.reject(new Error("role is replica")));
  prober.watch([server("a", { fall: 1 })]);
  await clock.advance(0);
  assert.deepEqual(told, ["a wait>down role is replica"]);
  prober[Symbol.dispose]();
});

Deno.test("watch() keeps what did not change, and forgets what is gone", async () => {
  const { clock, prober, ran, forgotten } = fixture(() => up);
  prober.watch([server("a"), server("b", {}, 81)]);
  await clock.advance(100);
  prober.watch([server("a"), server("b", { interval: 1000 }, 81)]);
  assert.equal(prober.standing("web", "b")?.health.state, "up", "a changed interval keeps the state");
  await clock.advance(0);
  assert.deepEqual(ran, ["a@0", "b@0", "b@100"], "an unchanged check is not probed anew");
  prober.watch([server("a", {}, 82)]);
  assert.equal(prober.standing("web", "a")?.health.state, "wait", "another port is another server");
  assert.equal(prober.standing("web", "b"), null);
  prober.watch([]);
  assert.equal(forgotten.length > 0, true);
  await clock.advance(10_000);
  assert.equal(ran.length, 3, "nothing runs for nobody");
});

Deno.test("createProber() changes nothing without a verdict, and asks the substitute after three intervals", async () => {
  const clock = fakeClock(1_000_000);
  const answers: (Verdict | { state: "unknown"; reason: string })[] = [{
    state: "up",
    reason: "ok",
    weightPercent: 50,
  }];
  const told: string[] = [];
  let reachable = true;
  const prober = createProber({
    clock,
    host: { node: "n1", cluster: "edge", labels: {} },
    log: createLogger({ role: "test", write: () => {} }),
    random: () => 0.5,
    checker: () => ({
      kind: "checker",
      check: () => (answers.shift() ?? { state: "unknown", reason: "no verdict" }) as Verdict,
    }),
    substitute: { kind: "checker", check: () => reachable ? { state: "up", reason: "connected" } : down },
    observed: ({ health, last, weightPercent = 100 }) =>
      told.push(`${clock.monotonic()} ${health.state} ${weightPercent} ${last?.result.reason}`),
  });
  prober.watch([server("a", { interval: 1000, fall: 1 })]);
  await clock.advance(4800);
  reachable = false;
  await clock.advance(1000);
  answers.push(up);
  await clock.advance(1000);
  assert.deepEqual(told, [
    "0 up 50 ok",
    "750 up 50 no verdict",
    "1750 up 50 no verdict",
    "2750 up 50 no verdict",
    "3750 up 100 connected; no verdict",
    "4750 up 100 connected; no verdict",
    "5750 down 100 connect refused; no verdict",
    "6750 down 100 ok",
  ]);
  prober[Symbol.dispose]();
});

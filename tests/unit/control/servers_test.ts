import assert from "node:assert/strict";
import { backendHappening, serverHappening } from "../../../runtime/control/server_events.ts";
import { saysTheSame, type ServerView, viewServer } from "../../../runtime/control/servers.ts";
import type { ServerWords, StateOverride, WeightOverride } from "../../../runtime/control/overrides.ts";
import type { Health } from "../../../runtime/health/counter.ts";
import type { Standing } from "../../../runtime/health/prober.ts";
import { config, pairText } from "./pair_config.ts";

const [checked] = config(pairText.replace("  web:\n", "  web:\n    check: {}\n")).backends;
const [unchecked] = config().backends;

function standing(state: "wait" | "up" | "down" | "standby", reason: string | null, weightPercent?: number): Standing {
  return {
    target: { backend: "web", server: "b", address: "192.0.2.12", port: 80, labels: {} },
    health: { state, streak: 0 },
    since: 500,
    last: reason === null ? null : {
      at: 900,
      result: state === "up"
        ? { state, reason, weightPercent }
        : { state: state === "standby" ? state : "down", reason },
    },
  };
}

const drain: StateOverride = {
  backend: "web",
  server: "b",
  state: "drain",
  weight: null,
  by: "ann",
  reason: "",
  since: 700,
  until: null,
};

const maint: StateOverride = { ...drain, state: "maint", reason: "disk" };
const heavy: WeightOverride = { ...drain, state: null, weight: 7, reason: "stronger", since: 800 };

Deno.test("viewServer() joins check, configuration and operator", () => {
  const up = standing("up", "200 in 1 ms");
  const down = standing("down", "connect refused after 1 ms");
  const rows: [
    string,
    Standing | null,
    ServerWords | null,
    [state: string, weight: number, reason: string, since: number],
  ][] = [
    ["healthy", up, null, ["up", 2, "200 in 1 ms", 500]],
    ["down", down, null, ["down", 2, "connect refused after 1 ms", 500]],
    ["not checked yet gets nothing", standing("wait", null), null, ["down", 2, "not checked yet", 500]],
    ["standby", standing("standby", "replica"), null, ["standby", 2, "replica", 500]],
    ["a checker may halve the weight", standing("up", "busy", 50), null, ["up", 1, "busy", 500]],
    ["drained by the operator", up, { state: drain, weight: null }, ["drain", 2, "set by ann", 700]],
    ["drained and down is down", down, { state: drain, weight: null }, ["down", 2, "connect refused after 1 ms", 500]],
    ["in maintenance is in maintenance, whatever it is", down, { state: maint, weight: null }, [
      "maint",
      2,
      "disk",
      700,
    ]],
    ["another weight", up, { state: null, weight: heavy }, ["up", 7, "200 in 1 ms", 500]],
    ["each word with its own reason", up, { state: maint, weight: heavy }, ["maint", 7, "disk", 700]],
  ];
  for (const [name, found, override, expected] of rows) {
    const view = viewServer(checked, checked.servers[1], found, override, null, 1000);
    assert.deepEqual([view.state, view.weight, view.reason, view.since], expected, name);
  }
});

Deno.test("viewServer() takes a server without a check as up, and says so", () => {
  const view = viewServer(unchecked, unchecked.servers[0], null, null, null, 1000);
  assert.deepEqual([view.state, view.check, view.reason], ["up", null, "not checked"]);
});

Deno.test("viewServer() keeps since as long as the state is the same", () => {
  const before = viewServer(unchecked, unchecked.servers[0], null, null, null, 1000);
  assert.equal(viewServer(unchecked, unchecked.servers[0], null, null, before, 2000).since, 1000);
});

function view(state: ServerView["state"], known = true): ServerView {
  const check = { ok: state === "up", reason: "r", at: 1 };
  return {
    backend: "web",
    server: "a",
    state,
    weight: 1,
    since: 0,
    reason: "r",
    waiting: !known,
    check,
    effective: 1,
    risen: null,
    restless: false,
  };
}

Deno.test("serverHappening() tells of what nobody expected", () => {
  const waiting = view("down", false);
  const rows: [string, ServerView | null, ServerView, string | null][] = [
    ["up at first", waiting, view("up"), null],
    ["down at first", waiting, view("down"), "warning web/a is down: r"],
    ["still waiting", null, waiting, null],
    ["falls", view("up"), view("down"), "warning web/a is down: r"],
    ["stays", view("up"), view("up"), null],
    ["rises", view("down"), view("up"), "notice web/a is up: r"],
    ["drained", view("up"), view("drain"), "info web/a is drain: r"],
  ];
  for (const [name, before, after, expected] of rows) {
    const happening = serverHappening(before, after);
    assert.equal(happening && `${happening.severity} ${happening.text}`, expected, name);
  }
});

Deno.test("backendHappening() tells when the last server goes and the first comes", () => {
  const rows: [string, ServerView[], ServerView[], string | null][] = [
    ["one of two falls", [view("up"), view("up")], [view("up"), view("down")], null],
    [
      "the last falls",
      [view("up"), view("down")],
      [view("down"), view("down")],
      "error web has no server left of 2",
    ],
    ["the first rises", [view("down"), view("down")], [view("up"), view("down")], "notice web has a server again"],
    ["all are down at first", [view("down", false)], [view("down")], "error web has no server left of 1"],
    ["still waiting for one", [view("down", false)], [view("down", false), view("down")], null],
  ];
  for (const [name, before, after, expected] of rows) {
    const happening = backendHappening("web", before, after);
    assert.equal(happening && `${happening.severity} ${happening.text}`, expected, name);
  }
});

Deno.test("viewServer() gives a server that comes up its weight little by little, one that was up all of it", () => {
  const slow = { ...checked, slowStart: 10_000 };
  const judge = (found: Standing, before: ServerView | null, now: number) =>
    viewServer(slow, slow.servers[1], found, null, before, now);
  const down = standing("down", "refused");
  const up = standing("up", "200");
  const atStart = judge(up, judge(standing("wait", null), null, 500), 1000);
  assert.deepEqual([atStart.effective, atStart.restless, judge(up, null, 1000).effective], [2, false, 2]);
  let view = judge(down, atStart, 2000);
  const seen = [3000, 4000, 8000, 13_000, 99_000].map((now) => {
    view = judge(up, view, now);
    return [view.weight, view.effective, view.restless];
  });
  assert.deepEqual(seen, [[2, 0.2, true], [2, 0.2, true], [2, 1, true], [2, 2, false], [2, 2, false]]);
});

Deno.test("saysTheSame() holds for another good answer of a server that was up, and for nothing else", () => {
  const heard = (state: "up" | "down", streak: number, weightPercent?: number): Standing => ({
    ...standing(state, "said"),
    health: { state, streak },
    ...(weightPercent !== undefined && { weightPercent }),
  });
  const rows: readonly [name: string, standing: Standing, before: Health, same: boolean][] = [
    ["good again", heard("up", 0), { state: "up", streak: 0 }, true],
    ["the first good one", heard("up", 0), { state: "down", streak: 1 }, false],
    ["the first bad one", heard("up", 1), { state: "up", streak: 0 }, false],
    ["good after a bad one", heard("up", 0), { state: "up", streak: 1 }, false],
    ["down again: for another reason, perhaps", heard("down", 0), { state: "down", streak: 0 }, false],
    ["a weight that may be another one", heard("up", 0, 50), { state: "up", streak: 0 }, false],
  ];
  for (const [name, standing, before, same] of rows) assert.equal(saysTheSame(standing, before), same, name);
});

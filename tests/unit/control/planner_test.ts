import assert from "node:assert/strict";
import type { Plan, PolicyInput } from "../../../plugins/contract.ts";
import type { BackendConfig, Config } from "../../../runtime/config/model.ts";
import { createPlanner } from "../../../runtime/control/planner.ts";
import type { ServerView } from "../../../runtime/control/servers.ts";
import type { ServerCounters } from "../../../runtime/proxy/protocol.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const servers = ["a", "b"].map((name) => ({ name, address: "192.0.2.1", port: 80, backup: false, labels: {} }));

function config(plugin = true): Config {
  const backend = { name: "web", servers, balance: { use: "zones", with: {}, fallback: "random", plugin } };
  const plugins = [{ name: "zones", limits: { memory: 0, deadline: 500 } }];
  return { backends: [backend as unknown as BackendConfig], plugins } as unknown as Config;
}

/** A planner whose policy answers `answer`; asked and sent with the time. */
function fixture(answer: () => Plan | Error) {
  const clock = fakeClock(1_000_000);
  const asked: string[] = [];
  const sent: string[] = [];
  const lines: string[] = [];
  const inputs: PolicyInput[] = [];
  const down = new Set<string>();
  const planner = createPlanner({
    clock,
    log: createLogger({ role: "test", write: (line) => lines.push(line), format: "json" }),
    policy: () => ({
      kind: "policy",
      plan(input) {
        inputs.push(input);
        asked.push(`${input.because}@${clock.monotonic()}`);
        const plan = answer();
        return plan instanceof Error ? Promise.reject(plan) : Promise.resolve(plan);
      },
    }),
    view: (_backend, server) => ({ state: down.has(server) ? "down" : "up", effective: 2 }) as ServerView,
    counters: () => [{ backend: "web", server: "a", connections: 3, queued: 1 } as ServerCounters],
    pace: (_backend, server) => ({ latencyMs: server === "a" ? 12 : null, errorRate: 0.25 }),
    send: (backend, plan) => sent.push(`${backend} ${plan === null ? "nothing" : plan.explain}@${clock.monotonic()}`),
  });
  return { clock, planner, asked, sent, lines, inputs, down };
}

const plan = (ttlMs: number): Plan => ({ ttlMs, weights: { a: 1 }, explain: "all to a" });

Deno.test("createPlanner() asks at the start, on changes at most ten times a second, and before a plan is over", async () => {
  const { clock, planner, asked, sent, inputs, down } = fixture(() => plan(1000));
  planner.follow(config());
  await clock.advance(0);
  down.add("b");
  planner.changed(["web", "web", "other"]);
  await clock.advance(30);
  planner.changed(["web"]);
  await clock.advance(1070);
  assert.deepEqual(asked, ["start@0", "health@100", "interval@600", "interval@1100"]);
  assert.equal(sent.length, 4);
  assert.deepEqual(inputs.slice(0, 2).map(({ generation, servers }) => [generation, servers.map(({ name }) => name)]), [
    [1, ["a", "b"]],
    [2, ["a"]],
  ]);
  const { weight, connections, queued, latencyMs, errorRate } = inputs[0].servers[0];
  assert.deepEqual([weight, connections, queued, latencyMs, errorRate], [2, 3, 1, 12, 0.25]);
  assert.equal(inputs[0].servers[1].latencyMs, null);
  assert.deepEqual(planner.views(), [{ backend: "web", explain: "all to a", error: null }]);
  planner[Symbol.dispose]();
});

Deno.test("createPlanner() leaves the last plan to its time, and takes it back when the plugin is gone", async () => {
  let failing = false;
  const { clock, planner, sent, lines } = fixture(() => failing ? new Error("thrown") : plan(1500));
  planner.follow(config());
  await clock.advance(100);
  failing = true;
  await clock.advance(1400);
  assert.deepEqual(planner.views(), [{ backend: "web", explain: "all to a", error: "thrown" }]);
  await clock.advance(3000);
  assert.deepEqual(planner.views(), [{ backend: "web", explain: null, error: "thrown" }]);
  assert.deepEqual(sent, ["web all to a@0"]);
  assert.equal(lines.length, 1);
  planner.lost("other");
  planner.lost("zones");
  assert.deepEqual(sent.at(-1), "web nothing@4500");
  assert.equal(planner.views()[0].explain, null);
  planner[Symbol.dispose]();
});

Deno.test("createPlanner() follows reloads: a backend that has another policy has no plan any more", async () => {
  const { clock, planner, sent } = fixture(() => plan(1000));
  planner.follow(config());
  await clock.advance(0);
  planner.follow(config(false));
  assert.deepEqual(sent, ["web all to a@0", "web nothing@0"]);
  await clock.advance(5000);
  assert.equal(sent.length, 2);
  assert.deepEqual(planner.views(), []);
});

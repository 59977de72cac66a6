import assert from "node:assert/strict";
import { createServerPaces } from "../../../runtime/control/server_pace.ts";
import type { ServerCounters } from "../../../runtime/proxy/protocol.ts";

type Sums = Partial<Pick<ServerCounters, "requests_total" | "connect_failures" | "response_failures">> & {
  readonly ok?: number;
  readonly bad?: number;
  readonly ms?: number;
};

function counters({ ok = 0, bad = 0, ms = 0, ...rest }: Sums, server = "a"): ServerCounters {
  return {
    backend: "web",
    server,
    connections: 0,
    queued: 0,
    requests_total: ok + bad,
    connect_failures: 0,
    response_failures: 0,
    ...rest,
    responses: { "1xx": 0, "2xx": ok, "3xx": 0, "4xx": 0, "5xx": bad },
    response_seconds_total: ms / 1000,
  };
}

/** Reports so many ms after the first, and what is known then: latency and part of failures, in hundredths. */
const rows: readonly [what: string, reports: readonly [at: number, Sums][], latency: number | null, failing: number][] =
  [
    ["nothing was sent yet", [[0, {}], [250, {}]], null, 0],
    ["the first mean is taken as it is", [[0, {}], [250, { ok: 4, ms: 40 }]], 10, 0],
    ["what came before the first report counts", [[0, { ok: 4, ms: 40 }]], 10, 0],
    ["no responses, no change", [[0, { ok: 4, ms: 40 }], [250, { ok: 4, ms: 40 }]], 10, 0],
    ["many: by the time, 1 − e^(−250/2000)", [[0, { ok: 100, ms: 1000 }], [250, { ok: 200, ms: 12_000 }]], 21.75, 0],
    ["one: by a tenth", [[0, { ok: 100, ms: 1000 }], [60_000, { ok: 101, ms: 1110 }]], 20, 0],
    ["5xx, by the time", [[0, { ok: 100 }], [2000, { ok: 150, bad: 50 }]], 0, 32],
    ["all 5xx for long", [[0, { ok: 100 }], [60_000, { ok: 100, bad: 100 }]], 0, 100],
    ["none connected to", [[0, {}], [60_000, { requests_total: 0, connect_failures: 100 }]], null, 100],
    [
      "half without a usable response",
      [[0, {}], [60_000, { ok: 50, requests_total: 100, response_failures: 50 }]],
      0,
      50,
    ],
    [
      "more failures than were sent meanwhile",
      [
        [0, { requests_total: 100 }],
        [60_000, { requests_total: 101, response_failures: 90 }],
      ],
      null,
      100,
    ],
    ["forgiven, 1/e in 10 s", [[0, {}], [60_000, { bad: 100 }], [70_000, { bad: 100 }]], 0, 37],
    ["another server by that name", [[0, { ok: 100, ms: 1000 }], [60_000, { ok: 1, ms: 20 }]], 11, 0],
  ];

Deno.test("createServerPaces() smooths latency and failures by what they and the time are worth", async (t) => {
  for (const [what, reports, latency, failing] of rows) {
    await t.step(what, () => {
      const paces = createServerPaces();
      for (const [at, sums] of reports) paces.observe([counters(sums)], at);
      const { latencyMs, errorRate } = paces.of("web", "a");
      assert.deepEqual([latencyMs === null ? null : Math.round(latencyMs * 100) / 100, Math.round(errorRate * 100)], [
        latency,
        failing,
      ]);
    });
  }
});

Deno.test("createServerPaces() goes on over a restart of the process that counts, and forgets who is gone", () => {
  const paces = createServerPaces();
  paces.observe([counters({ ok: 100, ms: 1000 })], 0);
  paces.restart();
  assert.equal(paces.of("web", "a").latencyMs, 10);
  paces.observe([counters({ ok: 200, ms: 2000 })], 60_000);
  assert.equal(Math.round(paces.of("web", "a").latencyMs ?? 0), 10);
  paces.observe([counters({}, "b")], 60_250);
  assert.deepEqual(paces.of("web", "a"), { latencyMs: null, errorRate: 0 });
});

import assert from "node:assert/strict";
import { describeAge, renderStatus } from "../../../runtime/cli/status.ts";
import { buildStatus } from "../../../runtime/control/status.ts";
import { instanceStatus } from "../control/fake_roles.ts";
import { config } from "../control/pair_config.ts";

const now = Date.UTC(2026, 0, 1, 12);

Deno.test("renderStatus() shows who holds what, since when and why, and what is missing", () => {
  const parsed = config();
  const status = buildStatus({
    config: parsed,
    version: "0.1.0",
    phase: "running",
    startedAt: now - 75_000,
    now,
    io: "io_uring",
    instances: [instanceStatus(parsed.vrrp[0], "backup", {
      since: now - 5000,
      reason: "lower priority than 192.0.2.2",
      priority: { configured: 101, effective: 1 },
      activeRouter: "192.0.2.2",
      tracking: { effect: "yield", causes: ['backend "web" has 0 of 2 servers up, wanted 1'] },
    })],
    waiting: "",
    proxy: {
      running: true,
      listeners: [{ frontend: "http-in", address: "192.0.2.100:80", listening: true, error: null }],
      threads: [],
      reportAge: 0,
    },
    counters: { frontends: [], servers: [], backends: [], droppedLines: 0 },
    addressOf: (host) => host,
    pace: () => ({ latencyMs: null, errorRate: 0 }),
    lostLines: 0,
    servers: (backend, server) => ({
      backend,
      server,
      state: "down",
      weight: 1,
      since: now - 3_600_000,
      reason: "connect refused after 0.3 ms",
      waiting: false,
      check: { ok: false, reason: "connect refused after 0.3 ms", at: now },
      effective: 1,
      risen: null,
      restless: false,
    }),
    plugins: { plugins: [], notifiers: [] },
    plans: [],
    overrides: { servers: [], holds: { VI_1: { by: "ann", reason: "kernel", since: now, until: null } } },
    apps: [],
    children: [],
    isolation: { proxy_user: null, realtime: true, locked: true },
    missing: ["The proxy has no uid of its own"],
  });
  assert.equal(
    renderStatus(status, now),
    `dlp1  Tandem 0.1.0, running, up 1 min 15 s, io_uring, tandem.yaml

INSTANCE  STATE   SINCE  PRIORITY    ADDRESSES       ACTIVE ROUTER  WHY
VI_1      backup  5 s    1 (of 101)  192.0.2.100/24  192.0.2.2      lower priority than 192.0.2.2
                                                                    yield: backend "web" has 0 of 2 servers up, wanted 1

FRONTEND  LISTENS ON      CONNS  REQUESTS  2XX  4XX  5XX
http-in   192.0.2.100:80  0      0         0    0    0

SERVER  STATE  SINCE  ADDRESS        WEIGHT  CONNS  REQUESTS  WHY
web/a   down   1 h    192.0.2.11:80  1       0      0         connect refused after 0.3 ms
web/b   down   1 h    192.0.2.12:80  1       0      0         connect refused after 0.3 ms

OVERRIDE  WHAT       UNTIL       BY   REASON
VI_1      held away  taken back  ann  kernel

! The proxy has no uid of its own`,
  );
});

Deno.test("describeAge() tells the two largest units", () => {
  const rows: [number, string][] = [
    [-5, "0 s"],
    [850, "0 s"],
    [59_000, "59 s"],
    [75_000, "1 min 15 s"],
    [3_600_000, "1 h"],
    [3_660_000, "1 h 1 min"],
    [90_061_000, "1 d 1 h"],
  ];
  for (const [ms, expected] of rows) assert.equal(describeAge(ms), expected);
});

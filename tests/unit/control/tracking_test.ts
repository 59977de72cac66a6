import assert from "node:assert/strict";
import { type ProxyFacts, trackedFrontends, trackInstance } from "../../../runtime/control/tracking.ts";
import type { ServerState } from "../../../runtime/proxy/protocol.ts";
import type { Tracking } from "../../../runtime/vrrp/protocol.ts";
import { config, pairText as unchecked } from "./pair_config.ts";

const pairText = unchecked.replace("  web:\n", "  web:\n    check: {}\n");

const healthy: ProxyFacts = {
  running: true,
  listeners: [{ frontend: "http-in", address: "192.0.2.100:80", listening: true, error: null }],
  threads: [{ thread: 0, alive: true, turnAgeMs: 3 }, { thread: 1, alive: true, turnAgeMs: 250 }],
  reportAge: 200,
};

function track(track: string, proxy: Partial<ProxyFacts>, states: readonly ServerState[]): Tracking {
  const instance = track === ""
    ? pairText
    : pairText.replace("    virtual_addresses", `    track: ${track}\n    virtual_addresses`);
  const parsed = config(instance);
  const servers = states.map((state) => ({ backend: "web", state }));
  return trackInstance(parsed, parsed.vrrp[0], { proxy: { ...healthy, ...proxy }, servers });
}

Deno.test("trackInstance() follows contract 2.1", () => {
  const good: ServerState[] = ["up", "up"];
  const backend = "{ backends: [web] }";
  const deaf = [{ ...healthy.listeners[0], listening: false, error: "EADDRINUSE" }];
  const rows: [string, string, Partial<ProxyFacts>, ServerState[], Tracking["effect"], string[]][] = [
    ["all is well", "", {}, good, "none", []],
    ["starts failed", "", { listeners: [] }, good, "yield", [
      'frontend "http-in" is not listening on 192.0.2.100:80 yet',
    ]],
    ["not listening", "", { listeners: deaf }, good, "yield", [
      'frontend "http-in" is not listening on 192.0.2.100:80: EADDRINUSE',
    ]],
    ["no proxy", "", { running: false }, good, "yield", [
      'frontend "http-in" is not served: the proxy process is not running',
    ]],
    [
      "a turn of 1 s is not yet too long",
      "",
      { threads: [{ thread: 0, alive: true, turnAgeMs: 1000 }] },
      good,
      "none",
      [],
    ],
    [
      "no turn for longer",
      "",
      { threads: [healthy.threads[0], { thread: 1, alive: true, turnAgeMs: 1200 }] },
      good,
      "yield",
      [
        'frontend "http-in" is not served: engine thread 1 has not turned for 1.2 s',
      ],
    ],
    [
      "a dead thread among others serves nobody and harms nobody",
      "",
      { threads: [healthy.threads[0], { thread: 1, alive: false, turnAgeMs: 9000 }] },
      good,
      "none",
      [],
    ],
    ["every thread is dead", "", { threads: [{ thread: 0, alive: false, turnAgeMs: 9 }] }, good, "yield", [
      'frontend "http-in" is not served: no engine thread is alive',
    ]],
    ["the proxy is silent", "", { reportAge: 3001 }, good, "yield", [
      'frontend "http-in" is not served: the proxy process has fallen silent',
    ]],
    ["backends are tracked only by name", "", {}, ["down", "down"], "none", []],
    ["one server is enough", backend, {}, ["down", "up"], "none", []],
    ["none is not", backend, {}, ["down", "maint"], "yield", ['backend "web" has 0 of 2 servers up, wanted 1']],
    ["min_up", "{ backends: [{ name: web, min_up: 2 }] }", {}, ["up", "drain"], "yield", [
      'backend "web" has 1 of 2 servers up, wanted 2',
    ]],
    [
      "fault is stronger than yield",
      "{ backends: [{ name: web, effect: fault }] }",
      { running: false },
      ["down"],
      "fault",
      [
        'frontend "http-in" is not served: the proxy process is not running',
        'backend "web" has 0 of 1 servers up, wanted 1',
      ],
    ],
    [
      "a frontend named with effect none is not tracked",
      "{ frontends: [{ name: http-in, effect: none }] }",
      { running: false },
      good,
      "none",
      [],
    ],
    [
      "a frontend named with fault",
      "{ frontends: [{ name: http-in, effect: fault }] }",
      { running: false },
      good,
      "fault",
      [
        'frontend "http-in" is not served: the proxy process is not running',
      ],
    ],
  ];
  for (const [name, tracks, proxy, servers, effect, causes] of rows) {
    assert.deepEqual(track(tracks, proxy, servers), { effect, causes }, name);
  }
});

Deno.test("trackedFrontends() finds frontends bound to the instance by themselves, once", () => {
  const text = pairText.replace(
    "backends:",
    '  other: { bind: "192.0.2.100:81", default_backend: web }\n  local: { bind: ":8080", default_backend: web }\nbackends:',
  )
    .replace(
      "    virtual_addresses",
      "    track: { frontends: [{ name: http-in, effect: fault }] }\n    virtual_addresses",
    );
  const parsed = config(text);
  assert.deepEqual(trackedFrontends(parsed, parsed.vrrp[0]).map(({ name, effect }) => [name, effect]), [
    ["http-in", "fault"],
    ["other", "yield"],
  ]);
});

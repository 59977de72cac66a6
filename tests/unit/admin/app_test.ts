import assert from "node:assert/strict";
import { createAdmin } from "../../../runtime/admin/app.ts";
import { type Control, createControl } from "../../../runtime/control.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { version } from "../../../runtime/version.ts";
import type { InstanceStatus } from "../../../runtime/vrrp/protocol.ts";
import { fakeProxy, fakeVrrp } from "../control/fake_roles.ts";
import { config, pairText } from "../control/pair_config.ts";

async function fixture(state: InstanceStatus["state"] = "active", stateDirectory: string | null = null) {
  const world = { text: pairText };
  const control = await createControl({
    config: config(),
    load: () => Promise.resolve().then(() => config(world.text)),
    version: "0.1.0",
    log: createLogger({ role: "test", write: () => {} }),
    spawn: { vrrp: fakeVrrp(() => state).spawn, proxy: fakeProxy().spawn },
    stateDirectory,
    missing: [],
  });
  await control.start();
  const app = createAdmin(control);
  const ask = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
    const response = await app.request(`http://127.0.0.1:9700${path}`, {
      method,
      headers,
      body: typeof body === "string" ? body : body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: await response.text(), headers: response.headers };
  };
  return { app, control, world, ask, [Symbol.asyncDispose]: () => control.stop() };
}

Deno.test("GET /api/v1/status has the shape of contract §4", async () => {
  await using node = await fixture();
  const { status, body } = await node.ask("GET", "/api/v1/status");
  assert.equal(status, 200);
  const told = JSON.parse(body);
  const contract = [
    "node",
    "version",
    "uptime_s",
    "io",
    "config",
    "vrrp",
    "frontends",
    "backends",
    "plugins",
    "peer",
    "overrides",
    "standby",
  ];
  assert.deepEqual(contract.filter((key) => !(key in told)), []);
  const [instance] = told.vrrp;
  assert.deepEqual(
    [instance.name, instance.state, instance.virtual_router_id, instance.priority, instance.virtual_addresses],
    ["VI_1", "active", 51, { configured: 101, effective: 101 }, ["192.0.2.100/24"]],
  );
  assert.deepEqual(Object.keys(instance.counters.dropped).sort(), [
    "auth",
    "checksum",
    "count",
    "interval",
    "length",
    "source",
    "ttl",
    "type",
    "version",
    "vrid",
  ]);
  assert.deepEqual(told.frontends[0].bind, ["192.0.2.100:80"]);
  assert.deepEqual(told.frontends[0].responses, { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 });
  const [server] = told.backends[0].servers;
  assert.deepEqual([server.name, server.address, server.state, server.weight, server.check], [
    "a",
    "192.0.2.11:80",
    "up",
    1,
    null,
  ]);
});

Deno.test("the admin API answers wishes with the right status and a sentence", async () => {
  const backup = 'There is no instance "VI_9"; there is VI_1';
  const server = "/api/v1/backends/web/servers/a";
  const rows: [string, InstanceStatus["state"], string, string, unknown, number, string | RegExp][] = [
    [
      "failover",
      "active",
      "POST",
      "/api/v1/vrrp/VI_1/failover",
      { for: "30m", reason: "kernel" },
      202,
      '{"text":"handing over"}',
    ],
    [
      "failover without a body",
      "active",
      "POST",
      "/api/v1/vrrp/VI_1/failover",
      undefined,
      202,
      '{"text":"handing over"}',
    ],
    ["failover of nothing", "active", "POST", "/api/v1/vrrp/VI_9/failover", {}, 404, JSON.stringify({ error: backup })],
    [
      "failover elsewhere",
      "backup",
      "POST",
      "/api/v1/vrrp/VI_1/failover",
      {},
      409,
      '{"error":"VI_1 is backup here, not active"}',
    ],
    ["for without a unit", "active", "POST", "/api/v1/vrrp/VI_1/failover", { for: 30 }, 400, /"for\\" needs a unit/],
    ["unknown key", "active", "POST", "/api/v1/vrrp/VI_1/failover", { why: "x" }, 400, /Unknown key \\"why\\"/],
    ["no JSON", "active", "POST", "/api/v1/vrrp/VI_1/failover", "{", 400, '{"error":"The body must be JSON"}'],
    [
      "wait is no word",
      "active",
      "POST",
      "/api/v1/vrrp/VI_1/failover",
      { wait: "true" },
      400,
      /"wait\\" must be true or/,
    ],
    [
      "wait is no number",
      "active",
      "POST",
      "/api/v1/vrrp/VI_1/failover",
      { wait: 1 },
      400,
      /must be true or false, got 1/,
    ],
    ["no wait", "active", "POST", "/api/v1/vrrp/VI_1/failover", { wait: false }, 202, '{"text":"handing over"}'],
    ["dry_run is not nothing", "backup", "POST", "/api/v1/reload", { dry_run: null }, 400, /true or false, got null/],
    ["dry_run is no word", "backup", "POST", "/api/v1/reload", { dry_run: "true" }, 400, /got \\"true\\""/],
    ["dry_run is no object", "backup", "POST", "/api/v1/reload", { dry_run: { a: 1 } }, 400, /must be true or false/],
    [
      "a body too long",
      "backup",
      "PUT",
      server,
      " ".repeat(65_537),
      413,
      '{"error":"The body must be at most 65536 bytes"}',
    ],
    ["a body as long as may be", "backup", "PUT", server, `{"weight":5}${" ".repeat(65_524)}`, 200, /"weight":5/],
    ["failback of what is not held", "backup", "POST", "/api/v1/vrrp/VI_1/failback", {}, 409, /not held here/],
    ["drain", "backup", "PUT", server, { state: "drain", by: "ann" }, 200, /"state":"drain".*"reason":"set by ann"/],
    ["weight", "backup", "PUT", server, { weight: 5 }, 200, /"weight":5/],
    ["weight out of range", "backup", "PUT", server, { weight: 257 }, 400, /must be 0–256, got 257/],
    [
      "another state",
      "backup",
      "PUT",
      server,
      { state: "down" },
      400,
      /must be \\"ready\\", \\"drain\\" or \\"maint\\"/,
    ],
    ["neither", "backup", "PUT", server, {}, 400, /must have/],
    ["ready has no end", "backup", "PUT", server, { state: "ready", for: "1h" }, 400, /"ready\\" takes back and has/],
    [
      "unknown server",
      "backup",
      "PUT",
      "/api/v1/backends/web/servers/z",
      { weight: 1 },
      404,
      /There is no server \\"web\/z\\"; did you mean \\"web\/a\\"\?/,
    ],
    ["reload", "backup", "POST", "/api/v1/reload", undefined, 200, /"text":"nothing changed"/],
    ["unknown path", "backup", "GET", "/api/v2/status", undefined, 404, '{"error":"There is no GET /api/v2/status"}'],
    ["health", "backup", "GET", "/healthz", undefined, 200, "ok\n"],
    ["readiness", "backup", "GET", "/readyz", undefined, 200, "ready\n"],
    ["readiness in fault", "fault", "GET", "/readyz", undefined, 503, "VI_1 is in fault: test\n"],
    ["events", "backup", "GET", "/api/v1/events?limit=5", undefined, 200, "[]"],
    ["logs, off", "backup", "GET", "/api/v1/logs", undefined, 409, /Requests are not logged: set log\.access/],
    [
      "events, no number",
      "backup",
      "GET",
      "/api/v1/events?after=x",
      undefined,
      400,
      /\\"after\\" must be a whole number/,
    ],
  ];
  for (const [name, state, method, path, body, expected, text] of rows) {
    await using node = await fixture(state);
    const answer = await node.ask(method, path, body);
    assert.equal(answer.status, expected, `${name}: ${answer.body}`);
    assert.equal(answer.headers.get("x-tandem"), version, name);
    if (typeof text === "string") assert.equal(answer.body, text, name);
    else assert.match(answer.body, text, name);
  }
});

Deno.test("a reload that is refused answers 422 with every problem, a dry run changes nothing", async () => {
  await using node = await fixture();
  node.world.text = pairText.replace("weight: 2", "weight: 3");
  assert.match((await node.ask("POST", "/api/v1/reload", { dry_run: true })).body, /"text":"updated web"/);
  assert.match((await node.ask("POST", "/api/v1/reload")).body, /"text":"updated web"/);
  node.world.text = "version: 1\nfrontend: {}\n";
  const refused = await node.ask("POST", "/api/v1/reload");
  assert.equal(refused.status, 422);
  assert.match(JSON.parse(refused.body).error, /tandem.yaml:2:1: frontend: unknown key/);
});

Deno.test("changes are not taken from pages of other origins", async () => {
  await using node = await fixture();
  const rows: [string | undefined, string, number][] = [
    [undefined, "127.0.0.1:9700", 200],
    ["http://127.0.0.1:9700", "127.0.0.1:9700", 200],
    ["http://localhost:9700", "localhost:9700", 200],
    ["https://evil.example", "127.0.0.1:9700", 403],
    ["http://evil.example:9700", "evil.example:9700", 403],
    ["null", "127.0.0.1:9700", 403],
  ];
  for (const [origin, host, expected] of rows) {
    const headers: Record<string, string> = origin === undefined ? { host } : { host, origin };
    // A socket that somebody passes TCP connections on to is no way around it.
    for (const transport of ["tcp", "unix"]) {
      const request = new Request("http://127.0.0.1:9700/api/v1/reload", { method: "POST", headers });
      const { status } = await node.app.fetch(request, { transport });
      assert.equal(status, expected, `${origin} at ${host} over ${transport}`);
    }
  }
});

Deno.test("a node answers by its address or localhost, not by a name that somebody made resolve to it", async () => {
  await using node = await fixture();
  const rows: [string, string, string | null, number, ("tcp" | "unix")?][] = [
    ["GET", "/api/v1/status", "127.0.0.1:9700", 200],
    ["GET", "/api/v1/status", "127.0.0.1", 200],
    ["GET", "/api/v1/status", "[::1]:9700", 200],
    ["GET", "/api/v1/status", "localhost:9700", 200],
    ["GET", "/api/v1/status", "LocalHost", 200],
    ["GET", "/api/v1/status", null, 200],
    ["GET", "/api/v1/status", "evil.example", 403],
    ["GET", "/api/v1/status", "evil.example:9700", 403],
    ["GET", "/api/v1/status", "127.0.0.1.evil.example", 403],
    ["GET", "/api/v1/status", "localhost.evil.example", 403],
    ["GET", "/api/v1/status", "a b%%", 403],
    ["GET", "/api/v1/status", "", 403],
    ["GET", "/api/v1/events", "evil.example", 403],
    ["GET", "/api/v1/logs", "evil.example", 403],
    ["GET", "/", "evil.example", 403],
    ["HEAD", "/api/v1/status", "evil.example", 403],
    ["POST", "/api/v1/reload", "evil.example", 403],
    ["GET", "/healthz", "evil.example", 200],
    ["GET", "/readyz", "lb.example", 200],
    ["GET", "/metrics", "lb.example:9700", 200],
    // What the command line says at a socket.
    ["GET", "/api/v1/status", "tandem", 200, "unix"],
    ["POST", "/api/v1/reload", "tandem", 200, "unix"],
  ];
  for (const [method, path, host, expected, transport = "tcp"] of rows) {
    const request = new Request(`http://127.0.0.1:9700${path}`, { method, headers: host === null ? {} : { host } });
    const response = await node.app.fetch(request, { transport });
    assert.equal(response.status, expected, `${method} ${path} at ${host} over ${transport}`);
    if (expected === 403 && method !== "HEAD") {
      assert.match((await response.json()).error, /use its address or localhost$/);
    }
  }
});

Deno.test("GET /api/v1/events streams what happens after the last that a reader has seen", async () => {
  await using node = await fixture();
  const happening = { type: "server.state", severity: "warning", about: "web/a", text: "web/a is down" } as const;
  node.control.journal.add(happening);
  node.control.journal.add(happening);
  const response = await node.app.request("/api/v1/events", {
    headers: { accept: "text/event-stream", "last-event-id": "1" },
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("x-tandem"), version);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  node.control.journal.add(happening);
  let text = "";
  while (!text.includes("id: 3")) text += (await reader.read()).value;
  assert.deepEqual(text.match(/^id: \d+$/gm), ["id: 2", "id: 3"]);
  await reader.cancel();
});

Deno.test("a reader of a stream who goes away is forgotten, and stderr is not warned of it", async () => {
  await using node = await fixture();
  let gone = Promise.withResolvers<void>();
  const { subscribe } = node.control.journal;
  const journal = {
    ...node.control.journal,
    subscribe(listener: Parameters<typeof subscribe>[0]) {
      const subscription = subscribe(listener);
      return { [Symbol.dispose]: () => (gone.resolve(), subscription[Symbol.dispose]()) };
    },
  };
  const warnings: unknown[] = [];
  const { warn } = console;
  Object.assign(console, { warn: (...words: unknown[]) => warnings.push(words) });
  try {
    const { fetch: serve } = createAdmin(
      new Proxy(node.control, {
        get: (control, key) => key === "journal" ? journal : Reflect.get(control, key),
      }),
    );
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => serve(request),
    );
    for (let turn = 0; turn < 2; turn++) {
      gone = Promise.withResolvers();
      const response = await fetch(`http://127.0.0.1:${server.addr.port}/api/v1/events`, {
        headers: { accept: "text/event-stream" },
      });
      await response.body?.cancel();
      await gone.promise;
    }
  } finally {
    Object.assign(console, { warn });
  }
  assert.deepEqual(warnings, []);
});

Deno.test("a change that the disk does not keep is answered with that, and status says it", async () => {
  const directory = await Deno.makeTempDir();
  await using node = await fixture("active", directory);
  const change = () => node.ask("PUT", "/api/v1/backends/web/servers/a", { state: "drain" });
  assert.equal("missing" in JSON.parse((await change()).body), false);
  await Deno.remove(directory, { recursive: true });
  const sentence = /^What the operator said is lost at a restart: it cannot be kept in ".*" \(No such file/;
  for (const { status, body } of [await change(), await node.ask("POST", "/api/v1/vrrp/VI_1/failover")]) {
    assert.ok(status === 200 || status === 202);
    assert.match(JSON.parse(body).missing[0], sentence);
  }
  assert.match(JSON.parse((await node.ask("GET", "/api/v1/status")).body).missing[0], sentence);
});

Deno.test("a body that never ends is not read to its end", async () => {
  await using node = await fixture();
  let sent = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      sent += 1024;
      controller.enqueue(new Uint8Array(1024));
    },
  });
  const response = await node.app.request("/api/v1/reload", { method: "POST", body: endless });
  assert.deepEqual([response.status, await response.json()], [413, { error: "The body must be at most 65536 bytes" }]);
  assert.ok(sent < 200_000, `${sent} bytes`);
});

Deno.test("a fault is logged and not told", async () => {
  const lines: string[] = [];
  const log = createLogger({ role: "test", format: "json", write: (line) => void lines.push(line) });
  const response = await createAdmin({} as Control, log).request("/api/v1/status");
  assert.deepEqual([response.status, await response.json()], [500, {
    error: "This is a fault in Tandem; its log says more",
  }]);
  assert.match(JSON.parse(lines[0]).error, /^TypeError: /);
});

Deno.test("GET /metrics is Prometheus text that names every object", async () => {
  await using node = await fixture();
  const { body, headers } = await node.ask("GET", "/metrics");
  assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  for (
    const line of [
      'tandem_vrrp_state{instance="VI_1",state="active"} 1',
      'tandem_vrrp_adverts_dropped_total{instance="VI_1",reason="checksum"} 0',
      'tandem_frontend_listening{frontend="http-in"} 1',
      'tandem_server_up{backend="web",server="a"} 1',
      'tandem_process_up{role="vrrp"} 1',
    ]
  ) assert.equal(body.split("\n").includes(line), true, line);
  for (const line of body.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [\d.]+)$/);
  }
});

Deno.test("GET / is a page that escapes what it shows", async () => {
  await using node = await fixture();
  node.control.journal.add({ type: "dropped", severity: "info", about: "x", text: "<script>alert(1)</script>" });
  const { body } = await node.ask("GET", "/");
  assert.match(body, /VI_1/);
  assert.equal(body.includes("<script>"), false);
});

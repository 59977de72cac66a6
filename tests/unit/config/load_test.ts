import assert from "node:assert/strict";
import { knownPlugins } from "./known_plugins.ts";
import { loadText } from "./loading.ts";
import { configOf, fixture, problemsOf } from "./loading.ts";

const httpCheck = {
  use: "http",
  with: { path: "/" },
  interval: 2000,
  fastInterval: 1000,
  panic: 0,
  plugin: null,
  timeout: 1000,
  rise: 2,
  fall: 3,
  initial: "wait",
};

Deno.test("load() makes the classic pair of its README from one file", () => {
  const text = fixture("pair.yaml");
  const config = configOf(text, { hostname: "dlp1" });
  assert.deepEqual(config, {
    version: 1,
    source: { file: "t.yaml", sha256: config.source.sha256 },
    node: "dlp1",
    nodes: { dlp1: { address: "192.168.219.134", labels: {} }, dlp2: { address: "192.168.219.135", labels: {} } },
    cluster: { name: "tandem", secret: null },
    vrrp: [{
      name: "VI_1",
      interface: "ens32",
      virtualRouterId: 51,
      version: 2,
      priority: 101,
      advertInterval: 1000,
      preempt: true,
      preemptDelay: 0,
      authentication: { type: "pass", password: "1111", alsoAccept: [] },
      addresses: [{ address: "192.168.219.100", prefix: 24, interface: "ens32" }],
      unicast: null,
      checksum: "auto",
      garp: { repeat: 5, delay: 5000, refresh: 60_000 },
      track: { frontends: [], backends: [], interfaces: [] },
      handover: { connections: "auto", drain: 30_000 },
    }],
    frontends: [{
      name: "http-in",
      mode: "http",
      binds: [{ address: "192.168.219.100", port: 80, instance: "VI_1" }],
      forwardfor: true,
      trustedProxies: [],
      defaultBackend: "backend_servers",
      maxconn: 10_000,
      timeouts: { httpRequest: 10_000, keepAlive: 10_000, client: 30_000, tunnel: 3_600_000 },
      routes: [],
      monitor: null,
      requestHeaders: { set: {}, add: {}, remove: [] },
      responseHeaders: { set: {}, add: {}, remove: [] },
    }],
    backends: [{
      name: "backend_servers",
      balance: { use: "roundrobin", with: {}, fallback: "random", plugin: false },
      check: httpCheck,
      onDown: "keep",
      stickiness: null,
      whenEmpty: null,
      passive: { errors: 5, eject: 5000, statuses: [] },
      slowStart: 0,
      servers: [136, 137].map((host, index) => ({
        name: `node0${index + 1}`,
        address: `192.168.219.${host}`,
        port: 80,
        weight: 1,
        maxconn: null,
        backup: false,
        labels: {},
        check: "shared",
      })),
      retries: 3,
      sendProxy: null,
      timeouts: { connect: 5000, server: 30_000, queue: 5000 },
    }],
    proxy: { threads: "auto", maxconn: 20_000, user: "tandem" },
    isolation: "available",
    plugins: [],
    notify: [],
    admin: { bind: "127.0.0.1:9700", socket: "/run/tandem/admin.sock" },
    metrics: null,
    log: { level: "info", access: null },
  });
  assert.match(config.source.sha256, /^[0-9a-f]{64}$/);
  assert.equal(configOf(text, { node: "dlp2" }).vrrp[0].priority, 100);
});

Deno.test("load() freezes all of it", () => {
  const config = configOf(fixture("pair.yaml"));
  assert.ok(Object.isFrozen(config.vrrp[0].track) && Object.isFrozen(config.backends[0].servers[0]));
});

Deno.test("load() finds the node by name, by hostname in full, then by its first label", () => {
  const text = "version: 1\nnodes: { dlp1: {}, dlp1.example.com: {}, dlp2: }\n";
  const rows: readonly [string | undefined, string, string][] = [
    [undefined, "dlp1", "dlp1"],
    [undefined, "dlp1.example.com", "dlp1.example.com"],
    [undefined, "dlp1.example.net", "dlp1"],
    ["dlp2", "dlp1", "dlp2"],
  ];
  for (const [node, hostname, wanted] of rows) assert.equal(configOf(text, { node, hostname }).node, wanted);
  assert.deepEqual(problemsOf(text, { hostname: "web1" }), [
    '2:8: nodes: no node is named like this machine, "web1"; there is dlp1, dlp1.example.com, dlp2: name one with --node',
  ]);
  assert.deepEqual(problemsOf(text, { node: "dlp3" }), [
    '2:8: nodes: no node is named "dlp3"; did you mean "dlp1"? (there is dlp1, dlp1.example.com, dlp2)',
  ]);
  assert.equal(configOf("version: 1\n", { hostname: "web1.example" }).node, "web1.example");
});

Deno.test("load() merges a node's entry over the file: maps by key, scalars and lists replace, null removes", () => {
  const text = `version: 1
nodes:
  a:
    address: 192.0.2.1
    labels: { zone: east }
    vrrp: { VI_1: { interface: eth1, virtual_addresses: [192.0.2.101/24], authentication: null } }
    backends: { app: { servers: { two: null, three: 192.0.2.13:80 } } }
    log: { level: debug }
    x-note: anything
  b: { vrrp: null, frontends: { web: { bind: ":8080" } } }
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    version: 2
    authentication: { type: pass, password: abc }
    virtual_addresses: [192.0.2.100/24, 192.0.2.99/24]
frontends: { web: { bind: ":80", default_backend: app } }
backends: { app: { servers: { one: 192.0.2.11:80, two: 192.0.2.12:80 } } }
`;
  const a = configOf(text, { node: "a" });
  assert.deepEqual(a.nodes.a, { address: "192.0.2.1", labels: { zone: "east" } });
  assert.equal(a.vrrp[0].interface, "eth1");
  assert.equal(a.vrrp[0].authentication, null);
  assert.deepEqual(a.vrrp[0].addresses.map(({ address }) => address), ["192.0.2.101"]);
  assert.deepEqual(a.backends[0].servers.map(({ name }) => name), ["one", "three"]);
  assert.equal(a.log.level, "debug");
  const b = configOf(text, { node: "b" });
  assert.deepEqual(b.vrrp, []);
  assert.equal(b.frontends[0].binds[0].port, 8080);
  assert.equal(b.log.level, "info");
});

Deno.test("load() tells a mistake of a node's entry where it is written, and only on that node", () => {
  const text = `version: 1
nodes:
  a: { vrrp: { VI_1: { priority: 300 } }, vrpp: {}, version: 2 }
  b: {}
vrrp: { VI_1: { interface: eth0, virtual_router_id: 1, virtual_addresses: [192.0.2.1/24] } }
`;
  const always = [
    '3:43: nodes.a.vrpp: unknown key; did you mean "vrrp"?',
    "3:53: nodes.a.version: is the same on every node: write it at the top of the file",
  ];
  assert.deepEqual(problemsOf(text, { node: "a" }), [
    "3:34: nodes.a.vrrp.VI_1.priority: must be 1–255, got 300",
    ...always,
  ]);
  assert.deepEqual(problemsOf(text, { node: "b" }), always);
});

Deno.test("load() merges defaults under each frontend and backend, below what the node says", () => {
  const text = `version: 1
nodes: { dlp1: { defaults: { backends: { retries: 9 } } } }
defaults:
  frontends: { forwardfor: false, timeouts: { client: 5s, keep_alive: 1s } }
  backends: { retries: 1, check: { type: http, path: /up }, timeouts: { connect: 1s } }
frontends:
  web: { bind: ":80", default_backend: app, timeouts: { client: 7s } }
  raw: { bind: ":81", default_backend: raw, mode: tcp }
backends:
  app: { check: { path: /ready }, servers: { one: 192.0.2.11:80 } }
  raw: { check: null, retries: 0, servers: { one: 192.0.2.11:80 } }
`;
  const { frontends: [web, raw], backends: [app, plain] } = configOf(text);
  assert.equal(web.forwardfor, false);
  assert.deepEqual(web.timeouts, { httpRequest: 10_000, keepAlive: 1000, client: 7000, tunnel: 3_600_000 });
  assert.equal(raw.mode, "tcp");
  assert.deepEqual([app.retries, app.timeouts.connect, app.check?.with], [9, 1000, { path: "/ready" }]);
  assert.deepEqual([plain.retries, plain.check], [0, null]);
});

Deno.test("load() tells a mistake of defaults once, however many use them", () => {
  const text = `version: 1
defaults: { backends: { retries: many } }
backends: { a: { servers: { one: 192.0.2.1:80 } }, b: { servers: { one: 192.0.2.1:80 } } }
`;
  assert.deepEqual(problemsOf(text), [
    '2:34: defaults.backends.retries: must be a whole number of 0–100, got "many"',
  ]);
});

Deno.test("load() takes ours among the unicast peers for the source, and not for a peer", () => {
  const text = `version: 1
nodes: { a: { address: 192.0.2.1 }, b: { address: 192.0.2.2 }, c: {} }
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 1
    virtual_addresses: [192.0.2.100/24]
    unicast: { peers: [192.0.2.1, 192.0.2.2] }
`;
  const unicast = (node: string) => configOf(text, { node }).vrrp[0].unicast;
  assert.deepEqual(unicast("a"), { source: "192.0.2.1", peers: ["192.0.2.2"], minTtl: 255 });
  assert.deepEqual(unicast("b"), { source: "192.0.2.2", peers: ["192.0.2.1"], minTtl: 255 });
  assert.deepEqual(unicast("c"), { source: null, peers: ["192.0.2.1", "192.0.2.2"], minTtl: 255 });
  const alone = text.replace("192.0.2.1, 192.0.2.2", "192.0.2.1");
  assert.deepEqual(problemsOf(alone, { node: "a" }), [
    "8:23: vrrp.VI_1.unicast.peers: names nobody but this node (192.0.2.1)",
  ]);
});

Deno.test("load() reads trackers, checks and binds in their long and short forms", () => {
  const text = `version: 1
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 1
    virtual_addresses: [192.0.2.1/24, { address: 192.0.2.2, interface: eth1, label: "eth1:vip" }]
    track:
      frontends: [{ name: web, effect: none }]
      backends: [app, { name: app2, effect: fault, min_up: 2 }]
      interfaces: [eth1, { name: eth2, effect: yield }, { name: eth3, effect: none }]
frontends:
  web: { bind: ["VI_1:80", "[2001:db8::1]:81", { address: ":82" }, 192.0.2.2:83], default_backend: app }
backends:
  app: { check: {}, servers: { one: 192.0.2.8:80 } }
  app2:
    check: { use: http, with: { host: app.example, port: 8080, headers: { X-Probe: "1" }, expect: { status: 204 } }, interval: 200ms }
    servers: { one: 192.0.2.8:80, two: 192.0.2.9:80 }
`;
  const { vrrp: [instance], frontends: [web], backends: [app, app2] } = configOf(text);
  assert.deepEqual(instance.addresses, [
    { address: "192.0.2.1", prefix: 24, interface: "eth0" },
    { address: "192.0.2.2", prefix: 32, interface: "eth1", label: "eth1:vip" },
  ]);
  assert.deepEqual(instance.track, {
    frontends: [{ name: "web", effect: "none", minUp: 1 }],
    backends: [{ name: "app", effect: "yield", minUp: 1 }, { name: "app2", effect: "fault", minUp: 2 }],
    interfaces: [{ name: "eth1", effect: "fault" }, { name: "eth2", effect: "yield" }],
  });
  assert.deepEqual(web.binds, [
    { address: "192.0.2.1", port: 80, instance: "VI_1" },
    { address: "192.0.2.2", port: 80, instance: "VI_1" },
    { address: "2001:db8::1", port: 81, instance: null },
    { address: "0.0.0.0", port: 82, instance: null },
    { address: "192.0.2.2", port: 83, instance: "VI_1" },
  ]);
  const timing = { rise: 2, fall: 3, initial: "wait" };
  assert.deepEqual(app.check, {
    use: "tcp",
    with: {},
    interval: 2000,
    fastInterval: 1000,
    timeout: 1000,
    panic: 0,
    plugin: null,
    ...timing,
  });
  assert.deepEqual(app2.check, {
    use: "http",
    with: { host: "app.example", port: 8080, headers: { "X-Probe": "1" }, expect: { status: [204] } },
    interval: 200,
    fastInterval: 100,
    timeout: 200,
    panic: 0,
    plugin: null,
    ...timing,
  });
});

Deno.test("load() turns the admin API off by null and by none", () => {
  for (const off of ["null", "none", "~"]) {
    const text =
      `version: 1\nnodes: { dlp1: { admin: { bind: ${off} } } }\nadmin: { bind: 127.0.0.1:9800, socket: ${off} }\n`;
    assert.deepEqual(configOf(text).admin, { bind: null, socket: null });
  }
  const { admin } = configOf("version: 1\nadmin: { bind: unix:/run/t.sock }\n");
  assert.deepEqual(admin, { bind: "unix:/run/t.sock", socket: "/run/tandem/admin.sock" });
});

Deno.test("load() opens secrets of every kind, and shows none of them", () => {
  const text = (password: string) =>
    `version: 1
secrets: { vrrp: { file: /etc/vrrp }, twice: { secret: vrrp }, long: hunter2hunter2 }
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 1
    version: 2
    virtual_addresses: [192.0.2.1/24]
    authentication: { type: pass, password: ${password}, also_accept: [old] }
`;
  const readSecret = (source: { file: string } | { env: string }) => {
    if ("file" in source && source.file === "/etc/vrrp") return "fromfile";
    if ("env" in source && source.env === "VRRP") return "fromenv";
    if ("env" in source && source.env === "EMPTY") return "";
    throw new Error("Cannot read the secret");
  };
  const good: readonly [string, string][] = [
    ["{ secret: vrrp }", "fromfile"],
    ["{ file: /etc/vrrp }", "fromfile"],
    ["{ env: VRRP }", "fromenv"],
    ["plain", "plain"],
  ];
  for (const [password, wanted] of good) {
    const [{ authentication }] = configOf(text(password), { readSecret }).vrrp;
    assert.deepEqual(authentication, { type: "pass", password: wanted, alsoAccept: ["old"] });
  }
  const at = "9:45: vrrp.VI_1.authentication.password:";
  const bad: readonly [string, string][] = [
    ["{ secret: vrpp }", `${at} unknown secret "vrpp"; did you mean "vrrp"?`],
    ["{ secret: twice }", `${at} secret "twice" must not name another one`],
    ["{ secret: long }", `${at} must be at most 8 bytes, got 14; keepalived would cut it silently`],
    ["{ file: /missing }", `${at} Cannot read the secret`],
    ["{ env: EMPTY }", `${at} is empty in the environment variable EMPTY`],
    ["hunter2hunter2", `${at} must be at most 8 bytes, got 14; keepalived would cut it silently`],
  ];
  for (const [password, wanted] of bad) assert.deepEqual(problemsOf(text(password), { readSecret }), [wanted]);
});

Deno.test("load() lists the ten mistakes of a file with ten mistakes", () => {
  assert.deepEqual(problemsOf(fixture("ten_mistakes.yaml")), [
    '3:11: nodes.dlp1.adress: unknown key; did you mean "address"?',
    "8:24: vrrp.VI_1.virtual_router_id: must be 1–255, got 256",
    '11:17: vrrp.VI_1.advert_int: needs a unit: keepalived would read 1 s, HAProxy 1 ms; write "1s" or "1ms"',
    "12:45: vrrp.VI_1.authentication.password: is text, but YAML reads it as a number: quote it",
    '13:25: vrrp.VI_1.virtual_addresses[0]: must have a prefix of 0–32, got "/33"',
    '14:25: vrrp.VI_1.track.backends[0]: unknown backend "backend_server"; did you mean "backend_servers"?',
    '17:11: frontends.http-in.bind: "*:80" is a YAML alias of an anchor that does not exist: quote it',
    '18:11: frontends.http-in.mode: must be http or tcp, got "htpp"; did you mean http?',
    '22:14: backends.backend_servers.balance: must be roundrobin, leastconn, random, first, source, uri, header or cookie, got "leastcon"; did you mean leastconn?',
    "25:15: backends.backend_servers.servers.node01: must have a port of 1–65535, got 80000",
  ]);
});

Deno.test("load() knows every key of the contract, and answers those that are not built yet", () => {
  const loaded = loadText(fixture("contract_sample.yaml"), {
    readSecret: () => "a key of the cluster",
    plugins: knownPlugins(),
  });
  assert.ok(!loaded.ok);
  const later = loaded.problems.map(({ path, message }) => [path, /^is not in this version: \S/.test(message)]);
  assert.deepEqual(
    later,
    [
      "certificates",
      "vrrp.VI_1.track.scripts",
      "vrrp.VI_1.sync_group",
      "frontends.http-in.tls",
      "backends.backend_servers.tls",
      "admin.tokens",
    ].map((path) => [path, true]),
  );
});

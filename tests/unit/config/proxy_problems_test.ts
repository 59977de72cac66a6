import assert from "node:assert/strict";
import { backend, configOf, frontend, problemsOf } from "./loading.ts";

/** Lines of a frontend or backend, and the problems of the text. */
type Row = readonly [string | readonly string[], ...string[]];

function table(make: (...lines: string[]) => string, rows: readonly Row[]): void {
  for (const [lines, ...wanted] of rows) {
    const text = make(...(typeof lines === "string" ? [lines] : lines));
    const path = make === frontend ? "frontends.web." : "backends.app.";
    assert.deepEqual(problemsOf(text), wanted.map((line) => line.replace(/^(\d+:\d+: )/, `$1${path}`)), text);
  }
}

Deno.test("load() reads every form of bind and refuses what is none", () => {
  table(frontend, [
    ['bind: ":80"'],
    ["bind: :80"],
    ['bind: "*:80"'],
    ['bind: [192.0.2.1:80, "[2001:db8::1]:80"]'],
    ["bind: [{ address: 192.0.2.1:80 }]"],
    ["bind: 80", '6:11: bind: must be ADDRESS:PORT: write ":80" for every address'],
    ["bind: 192.0.2.1", '6:11: bind: must have a port ("192.0.2.1:80"), got "192.0.2.1"'],
    ["bind: 192.0.2.1:0", "6:11: bind: must have a port of 1–65535, got 0"],
    ["bind: []", "6:11: bind: must not be empty: a frontend listens somewhere"],
    ["bind: *:80", '6:11: bind: "*:80" is a YAML alias of an anchor that does not exist: quote it'],
    ['bind: "VI_1:80"', '6:11: bind: "VI_1" is neither an address nor an instance of vrrp; there is no vrrp instance'],
    ['bind: [":80", ":80"]', "6:19: bind[1]: *:80 is taken by this frontend already"],
    ["bind: 127.0.0.1:9800"],
    [
      "bind: [{ address: 192.0.2.1:443, tls: {} }]",
      "6:38: bind[0].tls: is not in this version: let the servers terminate it behind mode: tcp, or another program in front",
    ],
  ]);
});

Deno.test("load() refuses two frontends on one listener and names the instance that was meant", () => {
  const text = `version: 1
vrrp:
  VI_1: { interface: eth0, virtual_router_id: 1, virtual_addresses: [192.0.2.1/24] }
frontends:
  a: { bind: "VI_1:80", default_backend: app }
  b: { bind: 192.0.2.1:80, default_backend: app }
  c: { bind: "VI1:81", default_backend: app }
  d: { bind: "127.0.0.1:9700", default_backend: app }
backends: { app: { servers: { one: 192.0.2.8:80 } } }
admin: { bind: "127.0.0.1:9700" }
`;
  assert.deepEqual(problemsOf(text), [
    "6:14: frontends.b.bind: 192.0.2.1:80 is taken by a",
    '7:14: frontends.c.bind: "VI1" is neither an address nor an instance of vrrp; did you mean "VI_1"?',
    "8:14: frontends.d.bind: 127.0.0.1:9700 is taken by admin",
  ]);
});

Deno.test("load() refuses what would share a port: by chance with a frontend, never with admin and metrics", () => {
  const rows: readonly [binds: readonly string[], rest: string, ...wanted: string[]][] = [
    // Every address is one address, however it is written.
    [[":8081", "0.0.0.0:8081"], "", "4:15: frontends.f1.bind: *:8081 is taken by f0"],
    [["0.0.0.0:8081", "*:8081"], "", "4:15: frontends.f1.bind: *:8081 is taken by f0"],
    // The kernel gives a connection to whoever is more precise; IPv6 has ports of its own.
    [[":8081", "127.0.0.1:8081"], ""],
    [[":8081", "[::]:8081"], ""],
    [["[::]:8081", "[0:0::0]:8081"], "", "4:15: frontends.f1.bind: [::]:8081 is taken by f0"],
    // Who does not share a port has it for itself.
    [[":9700"], "", "3:15: frontends.f0.bind: *:9700 is taken by admin"],
    [[":9700"], "admin: { bind: none }"],
    [["[::]:9700"], ""],
    [[":9800"], 'admin: { bind: "127.0.0.1:9800" }', "3:15: frontends.f0.bind: *:9800 is taken by admin"],
    [["127.0.0.1:9801"], 'metrics: { bind: ":9801" }', "3:15: frontends.f0.bind: 127.0.0.1:9801 is taken by metrics"],
    [["192.0.2.1:9801"], 'metrics: { bind: "127.0.0.1:9801" }'],
    [
      ["192.0.2.1:9801"],
      'metrics: { bind: "[::]:9801" }',
      "3:15: frontends.f0.bind: 192.0.2.1:9801 is taken by metrics",
    ],
    [["127.0.0.1:80"], 'metrics: { bind: ":9700" }', "5:18: metrics.bind: *:9700 is taken by admin"],
    [
      ["[::ffff:127.0.0.1]:8200"],
      "",
      '3:15: frontends.f0.bind: must be written as the IPv4 address that it is, got "[::ffff:7f00:1]:8200"',
    ],
  ];
  for (const [binds, rest, ...wanted] of rows) {
    const frontends = binds.map((bind, index) => `  f${index}: { bind: "${bind}", default_backend: app }`);
    const lines = ["version: 1", "frontends:", ...frontends, "backends: { app: { servers: { one: 192.0.2.8:80 } } }"];

    assert.deepEqual(problemsOf([...lines, rest, ""].join("\n")), wanted, `${binds} ${rest}`);
  }
});

Deno.test("load() refuses frontends that cannot do what they say", () => {
  table(frontend, [
    ["mode: tcp"],
    ["mode: htpp", '7:11: mode: must be http or tcp, got "htpp"; did you mean http?'],
    [["mode: tcp", "forwardfor: true"], "8:17: forwardfor: needs mode: http; tcp has no fields"],
    [["mode: tcp", "trusted_proxies: [10.0.0.0/8]"], "8:22: trusted_proxies: needs mode: http; tcp has no fields"],
    [
      ["mode: tcp", "timeouts: { client: 1s }"],
      "8:25: timeouts.client: needs mode: http; with tcp the time-outs are tunnel, and connect of the backend",
    ],
    [
      ["forwardfor: false", "trusted_proxies: [10.0.0.0/8]"],
      "8:22: trusted_proxies: has no effect with forwardfor: false: leave one of the two out",
    ],
    ["trusted_proxies: [10.0.0.0/40]", '7:23: trusted_proxies[0]: must have a prefix of 0–32, got "/40"'],
    [
      "maxconn: 30000",
      "7:14: maxconn: can never be reached: proxy.maxconn is 20000, got 30000; raise proxy.maxconn or lower this",
    ],
    ["timeouts: { client: 0s }", "7:25: timeouts.client: must be at least 1ms, got 0s (no timeout is infinite here)"],
    [
      "timeouts: { client: 30 }",
      '7:25: timeouts.client: needs a unit: keepalived would read 30 s, HAProxy 30 ms; write "30s" or "30ms"',
    ],
    ["timeouts: { client: 30d }", "7:25: timeouts.client: must be at most 24d, got 30d"],
    ["timeout: {}", '7:5: timeout: unknown key; did you mean "timeouts"?'],
  ]);
  assert.deepEqual(problemsOf("version: 1\nfrontends:\n  web: { bind: :80 }\n"), [
    "3:8: frontends.web.default_backend: is required: without it the frontend serves nothing",
  ]);
  assert.deepEqual(problemsOf("version: 1\nfrontends:\n  web: { bind: :80, default_backend: ap }\n"), [
    '3:38: frontends.web.default_backend: unknown backend "ap"; there is none',
  ]);
});

Deno.test("load() reads servers and balance, and refuses what is none", () => {
  table(backend, [
    ["servers: { one: { address: 192.0.2.1:80, weight: 2, backup: true, labels: { zone: a } } }"],
    ["servers: { one: { address: 192.0.2.1:80, maxconn: 10 } }"],
    ["servers: { one: { address: 192.0.2.1:80, maxconn: 0 } }", "4:55: servers.one.maxconn: must be 1–1000000, got 0"],
    ["servers: {}", "4:14: servers: must not be empty: a backend needs a server"],
    ["servers: { one: 192.0.2.1 }", '4:21: servers.one: must have a port ("192.0.2.1:80"), got "192.0.2.1"'],
    ["servers: { one: 192.0.2.1:70000 }", "4:21: servers.one: must have a port of 1–65535, got 70000"],
    ["servers: { one: web.example:80, two: web2:80 }"],
    ["servers: { one: 192.0.2:80 }", '4:21: servers.one: must be an address or a host name, got "192.0.2"'],
    ["servers: { one: a_-.example:80 }", '4:21: servers.one: must be an address or a host name, got "a_-.example"'],
    ["servers: { one: :80 }", '4:21: servers.one: must name an address, got ":80"'],
    ["servers: { one: { address: 192.0.2.1:80, weight: 257 } }", "4:54: servers.one.weight: must be 0–256, got 257"],
    [
      "servers: { one: { adress: 192.0.2.1:80 } }",
      "4:21: servers.one.address: is required",
      '4:23: servers.one.adress: unknown key; did you mean "address"?',
    ],
    [
      "servers: { one: { address: 192.0.2.1:80, weight: 0 } }",
      "4:14: servers: can serve nobody: every server has weight 0",
    ],
    [
      "servers: { a/b: 192.0.2.1:80 }",
      '4:16: servers.a/b: must be a name of at most 64 letters, digits, _ . and -, not a number or address, got "a/b"',
    ],
    [
      "servers: { one: { address: 192.0.2.1:80, labels: { zone: no } } }",
      '4:62: servers.one.labels.zone: is text, but YAML reads no as yes or no: quote it: "no"',
    ],
    ["balance: roundrobin"],
    ["balance: { use: roundrobin }"],
    ["balance: leastconn"],
    ["balance: { use: uri, with: { table: ring, bound: 1.5 }, fallback: leastconn }"],
    ["balance: { use: header, with: { name: x-user } }"],
    ["balance: header", '5:14: balance: needs its "name": write { use: header, with: { name: … } }'],
    ["balance: { use: cookie }", "5:14: balance.with.name: is required"],
    ["balance: { use: cookie, with: {} }", "5:35: balance.with.name: is required"],
    ["balance: { use: uri, with: { bound: 1 } }", "5:41: balance.with.bound: must be a number of 1.01–100, got 1"],
    [
      "balance: { use: roundrobin, with: { table: ring } }",
      "5:41: balance.with.table: unknown key; there is none",
    ],
    [
      "balance: roundrobbin",
      '5:14: balance: must be roundrobin, leastconn, random, first, source, uri, header or cookie, got "roundrobbin"; did you mean roundrobin?',
    ],
    ["retries: -1", "5:14: retries: must be 0–100, got -1"],
    ["on_down: closed", '5:14: on_down: must be keep or close, got "closed"; did you mean close?'],
    ["passive: { errors: 3, eject: 30s, statuses: [500, 502-504] }"],
    [
      "passive: { statuses: 5xx }",
      '5:26: passive.statuses: must be a status code or a range such as 200-399, got "5xx"',
    ],
    ["passive: none"],
    ['when_empty: { respond: { status: 503, headers: { retry-after: "30" }, body: <h1>Closed</h1> } }'],
    ["when_empty: {}", "5:17: when_empty.respond: is required"],
    [
      "when_empty: { respond: { headers: { x: '{host}' } } }",
      "5:44: when_empty.respond.headers.x: is the same for every request: placeholders are not filled here",
    ],
    ["passive: off", '5:14: passive: must be none, got "off"'],
    ["passive: { errors: 0 }", "5:24: passive.errors: must be 1–1000, got 0"],
    ["slow_start: 30s"],
    ["slow_start: 2h", "5:17: slow_start: must be 0ms–1h, got 2h"],
    ["stickiness: { cookie: S }"],
    ["stickiness: { cookie: S, path: /app, same_site: strict, value: name }"],
    ["stickiness: { by: client_ip }"],
    ["stickiness: { by: cookie }", '5:23: stickiness.by: must be client_ip, got "cookie"'],
    ["stickiness: { cookie: a b }", '5:27: stickiness.cookie: must be a cookie name, got "a b"'],
    ["stickiness: { cookie: S, path: app }", '5:36: stickiness.path: must be a path that begins with "/", got "app"'],
    ["stickiness: {}", "5:17: stickiness.cookie: is required"],
    ["discover: { dns: x }", "5:5: discover: is not in this version: list the servers by address"],
  ]);
});

Deno.test("load() reads checks in both forms and refuses what is none", () => {
  table(backend, [
    ["check: {}"],
    ["check: { type: tcp, port: 8080 }"],
    ["check: { use: http, with: { path: /x, expect: { status: [200-299, 404] } }, interval: 1s }"],
    [
      "check: { type: htp }",
      '5:20: check.type: must be tcp, http, grpc, dns or command, got "htp"; did you mean http?',
    ],
    ["check: { use: htp }", '5:19: check.use: unknown checker "htp"; did you mean "http"?'],
    [
      "check: { use: pg-role, with: { role: x } }",
      '5:19: check.use: unknown checker "pg-role"; there is tcp, http, grpc, dns, command',
    ],
    [
      "check: { type: tcp, path: / }",
      "5:25: check.path: unknown key; there is type, port, interval, fast_interval, timeout, rise, fall, initial",
    ],
    [
      "check: { type: http, path: healthz }",
      '5:32: check.path: must be a path that begins with "/", without spaces, got "healthz"',
    ],
    [
      "check: { type: http, expect: { status: [200-99] } }",
      '5:45: check.expect.status[0]: must be a status code or a range such as 200-399, got "200-99"',
    ],
    [
      "check: { type: http, expect: { status: 2xx } }",
      '5:44: check.expect.status: must be a status code or a range such as 200-399, got "2xx"',
    ],
    [
      "check: { interval: 2 }",
      '5:24: check.interval: needs a unit: keepalived would read 2 s, HAProxy 2 ms; write "2s" or "2ms"',
    ],
    ['check: { type: http, method: HEAD, expect: { headers: { x-ready: "1" }, body: /^ok/i }, fast_interval: 200ms }'],
    [
      "check: { type: http, expect: { body: /(/ } }",
      "5:42: check.expect.body: is no regular expression: Invalid regular expression: /(/: Unterminated group",
    ],
    [
      "check: { type: http, expect: { body: /a/g } }",
      '5:42: check.expect.body: must have no other flags than i, m, s and u, got "g"',
    ],
    ["check: { rise: 0 }", "5:20: check.rise: must be 1–1000, got 0"],
    ["check: { initial: no }", '5:23: check.initial: must be wait, up or down, got "no"'],
    ["check: { type: http, headers: { a b: x } }", '5:37: check.headers.a b: must be a field name, got "a b"'],
    [
      "check: { type: http, headers: { authorization: 1234 } }",
      "5:52: check.headers.authorization: is text, but YAML reads it as a number: quote it",
    ],
    [
      "check: tcp",
      '5:12: check: must be a map (type, port, interval, fast_interval, timeout, rise, fall, initial), got "tcp"',
    ],
  ]);
});

Deno.test("load() judges the sections around", () => {
  const rows: readonly (readonly [string, ...string[]])[] = [
    ["", "1:1: version: is required"],
    ["version: 2\n", "1:10: version: must be 1, got 2"],
    ["version: 1\nfrontend: {}\n", '2:1: frontend: unknown key; did you mean "frontends"?'],
    ["version: 1\nx-anything: [1]\n"],
    ["version: 1\nadmin: { bind: none, socket: none }\n"],
    [
      "version: 1\nadmin: { bind: 0.0.0.0:9700 }\n",
      '2:16: admin.bind: needs tokens outside the loopback, which are not in this version: bind 127.0.0.1:9700 or unix:/PATH, got "0.0.0.0:9700"',
    ],
    [
      "version: 1\nadmin: { socket: run/x }\n",
      '2:18: admin.socket: must be an absolute path of at most 107 characters, or none, got "run/x"',
    ],
    ["version: 1\nproxy: { threads: 0 }\n", "2:19: proxy.threads: must be 1–256, got 0"],
    ["version: 1\nproxy: { threads: atuo }\n", '2:19: proxy.threads: must be auto or 1–256, got "atuo"'],
    [
      "version: 1\nlog: { level: warn }\n",
      '2:15: log.level: must be debug, info, notice, warning or error, got "warn"',
    ],
    ["version: 1\nvrrp: []\n", "2:7: vrrp: must be a map, got a list"],
    [
      "version: 1\ndefaults: { backends: { retires: 1 } }\n",
      '2:25: defaults.backends.retires: unknown key; did you mean "retries"?',
    ],
    [
      "version: 1\nsecrets: hunter2\n",
      "2:10: secrets: must be a map, got something else (not shown: it may be secret)",
    ],
    [
      "version: 1\nnodes: { 10.0.0.1: {}, dlp1: {} }\n",
      '2:10: nodes.10.0.0.1: must be a name of at most 64 letters, digits, _ . and -, not a number or address, got "10.0.0.1"',
    ],
  ];
  for (const [text, ...wanted] of rows) assert.deepEqual(problemsOf(text), wanted, text);
});

Deno.test("load() refuses what goes by requests before frontends that have none", () => {
  const text = (line: string) => frontend("mode: tcp").replace("one: 192.0.2.1:80 }", `one: 192.0.2.1:80 }, ${line}`);
  const rows: readonly [string, ...string[]][] = [
    ["stickiness: { by: client_ip }"],
    ["balance: source"],
    ["stickiness: { cookie: S }", '2:64: backends.app.stickiness: needs mode: http, but frontend "web" is mode: tcp'],
    ["balance: uri", '2:61: backends.app.balance: uri needs mode: http, but frontend "web" is mode: tcp; use source'],
  ];
  for (const [line, ...wanted] of rows) assert.deepEqual(problemsOf(text(line)), wanted, line);
});

Deno.test("load() reads the key of the cluster", () => {
  const text = (secret: string) => `version: 1\ncluster: { secret: ${secret} }\n`;
  assert.equal(
    configOf(text("{ file: k }"), { readSecret: () => "0123456789abcdef" }).cluster.secret,
    "0123456789abcdef",
  );
  assert.equal(configOf("version: 1\n").cluster.secret, null);
  assert.deepEqual(problemsOf(text("short")), [
    "2:20: cluster.secret: must have at least 16 characters: whoever guesses it speaks for the other node",
  ]);
});

Deno.test("load() merges a server's own check over the backend's", () => {
  const text = backend(
    "servers:",
    "  one: 192.0.2.1:80",
    "  two: { address: 192.0.2.2:80, check: { port: 8081, rise: 5 } }",
    "  three: { address: 192.0.2.3:80, check: none }",
    "  four: { address: 192.0.2.4:80, check: { type: tcp } }",
    "  five: { address: 192.0.2.5:80, check: { expect: { body: ok } } }",
    "check: { type: http, path: /up, expect: { status: 204 } }",
  );
  const [web] = configOf(text).backends;
  const shared = { path: "/up", expect: { status: [204] } };
  assert.deepEqual(
    web.servers.map(({ check }) => typeof check === "object" ? check && [check.use, check.with, check.rise] : check),
    [
      "shared",
      ["http", { ...shared, port: 8081 }, 5],
      null,
      ["tcp", {}, 2],
      ["http", { path: "/up", expect: { status: [204], body: "ok" } }, 2],
    ],
  );
  assert.deepEqual(problemsOf(text.replace("rise: 5", "rise: 0")), [
    "6:64: backends.app.servers.two.check.rise: must be 1–1000, got 0",
  ]);
  assert.deepEqual(
    problemsOf(backend("servers: { one: { address: 192.0.2.1:80, check: off } }")),
    ['4:53: backends.app.servers.one.check: must be none, got "off"'],
  );
});

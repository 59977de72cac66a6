import assert from "node:assert/strict";
import { proxyOptions } from "../../../runtime/control/proxy_options.ts";
import { configOf, frontend, problemsOf } from "./loading.ts";

/** Routes of frontend `web`, which begin at line 8, and what is wrong with them. */
type Row = readonly [routes: string | readonly string[], ...problems: string[]];

function text(routes: string | readonly string[], ...lines: readonly string[]): string {
  const list = typeof routes === "string" ? [routes] : routes;
  return frontend("routes:", ...list.map((route) => `  - ${route}`), ...lines);
}

function table(rows: readonly Row[]): void {
  for (const [routes, ...wanted] of rows) {
    const full = wanted.map((line) => line.replace(/^(\d+:\d+: )/, "$1frontends.web."));
    assert.deepEqual(problemsOf(text(routes)), full, text(routes));
  }
}

const HASH = `$2y$10$${"a".repeat(53)}`;

Deno.test("load() reads every key of a route", () => {
  const config = configOf(
    frontend(
      "monitor: { path: /lb-health, require: [backend:app] }",
      'request_headers: { set: { X-Edge: "1" } }',
      "routes:",
      "  - match:",
      '      host: [Shop.example, "*.shop.example."]',
      "      path: [/api/:id/*, /v1/:id/*]",
      "      method: [GET, POST]",
      '      header: { x-canary: "1", x-any: "*" }',
      '      query: { v: ["1", "2"] }',
      "      client: [10.0.0.0/8, 2001:db8::/32]",
      "    backend: app",
      '    rewrite: { path: "/v2/{id}/{*}" }',
      "    allow: [10.0.0.0/8]",
      "    deny: 10.1.0.0/16",
      `    basic_auth: { users: { ann: "${HASH}" } }`,
      "    rate_limit: { rate: 50/s, burst: 100 }",
      "    body_limit: 10MB",
      "    timeouts: { server: 1m }",
      "    retry: { attempts: 1, repeat: idempotent, on: [502, 503] }",
      "    forward_auth: { backend: app, path: /check, copy_headers: [X-User] }",
      '    response_headers: { set: { x-id: "{request_id}" }, remove: [server] }',
      "  - { match: { path: /old/* }, redirect: { to: 'https://{host}/new/{*}', status: 308 } }",
      "  - { match: { path: /short }, redirect: /elsewhere }",
      "  - { match: { path: /down }, respond: { status: 503, body: { file: sorry.html } } }",
      "  - { rate_limit: { key: { header: X-Key }, rate: 30/m } }",
    ),
    { readSecret: () => "<html>sorry" },
  );
  const [web] = config.frontends;
  assert.deepEqual(web.monitor, { path: "/lb-health", active: false, backends: ["app"] });
  assert.deepEqual(web.requestHeaders, { set: { "X-Edge": "1" }, add: {}, remove: [] });
  const [all, old, short, down, rest] = web.routes;
  assert.deepEqual(all, {
    match: {
      hosts: ["shop.example", "*.shop.example"],
      paths: ["/api/:id/*", "/v1/:id/*"],
      methods: ["GET", "POST"],
      headers: [{ name: "x-canary", values: ["1"] }, { name: "x-any", values: [] }],
      query: [{ name: "v", values: ["1", "2"] }],
      clients: ["10.0.0.0/8", "2001:db8::/32"],
    },
    action: { type: "backend", backend: "app", rewrite: "/v2/{id}/{*}" },
    allow: ["10.0.0.0/8"],
    deny: ["10.1.0.0/16"],
    basicAuth: { realm: "Restricted", users: { ann: HASH } },
    rateLimit: { key: "client_ip", rate: 50, burst: 100 },
    forwardAuth: { backend: "app", path: "/check", copyHeaders: ["X-User"] },
    bodyLimit: 10_000_000,
    timeouts: { connect: null, server: 60_000, client: null, tunnel: null },
    retry: { attempts: 1, repeat: "idempotent", on: [502, 503] },
    requestHeaders: { set: {}, add: {}, remove: [] },
    responseHeaders: { set: { "x-id": "{request_id}" }, add: {}, remove: ["server"] },
  });
  assert.deepEqual(old.action, { type: "redirect", to: "https://{host}/new/{*}", status: 308 });
  assert.deepEqual(short.action, { type: "redirect", to: "/elsewhere", status: 302 });
  assert.deepEqual(down.action, { type: "respond", status: 503, headers: {}, body: "<html>sorry" });
  assert.deepEqual(rest.rateLimit, { key: { header: "X-Key" }, rate: 0.5, burst: 1 });
  assert.deepEqual(rest.action, { type: "backend", backend: null, rewrite: null });
  assert.deepEqual(proxyOptions(config, 1).frontends[0].routes, web.routes);
});

Deno.test("load() refuses matches that can never be met", () => {
  table([
    [
      "{ match: { host: a.example:80 }, backend: app }",
      '8:26: routes[0].match.host: must have no port, as hosts are compared without theirs, got "a.example:80"',
    ],
    [
      "{ match: { host: a-.b }, backend: app }",
      '8:26: routes[0].match.host: must be a host name, or "*." and a host name, got "a-.b"',
    ],
    [
      "{ match: { host: 'a.*.b' }, backend: app }",
      '8:26: routes[0].match.host: must be a host name, or "*." and a host name, got "a.*.b"',
    ],
    [
      "{ match: { host: *.b }, backend: app }",
      '8:26: routes[0].match.host: "*.b" is a YAML alias of an anchor that does not exist: quote it',
    ],
    [
      "{ match: { host: größe.example }, backend: app }",
      '8:26: routes[0].match.host: must be as browsers send it: "xn--gre-6ka8i.example"',
    ],
    ['{ match: { host: "[2001:db8::1]" }, backend: app }'],
    [
      '{ match: { host: "2001:db8::1" }, backend: app }',
      '8:26: routes[0].match.host: must be in brackets: "[2001:db8::1]"',
    ],
    [
      "{ match: { host: [] }, backend: app }",
      "8:26: routes[0].match.host: must not be empty: leave the key out to match everything",
    ],
    ["{ match: { path: api }, backend: app }", '8:26: routes[0].match.path: must begin with "/", got "api"'],
    [
      "{ match: { path: /api* }, backend: app }",
      '8:26: routes[0].match.path: "*" must be a whole segment, got "/api*"',
    ],
    [
      "{ match: { path: /a//b }, backend: app }",
      '8:26: routes[0].match.path: must not have "//": paths are compared with one slash for many, got "/a//b"',
    ],
    [
      "{ match: { method: get }, backend: app }",
      '8:28: routes[0].match.method: must be a method, got "get"; methods have capital letters: GET',
    ],
    [
      "{ match: { header: { a b: x } }, backend: app }",
      '8:30: routes[0].match.header.a b: must be a field name, got "a b"',
    ],
    [
      "{ match: { header: { x: 1 } }, backend: app }",
      '8:33: routes[0].match.header.x: is text, but YAML reads 1 as a number: quote it: "1"',
    ],
    [
      "{ match: { client: 10.0.0.0/40 }, backend: app }",
      '8:28: routes[0].match.client: must have a prefix of 0–32, got "/40"',
    ],
    ["{ match: { paths: /a }, backend: app }", '8:20: routes[0].match.paths: unknown key; did you mean "path"?'],
  ]);
});

Deno.test("load() refuses routes that nobody reaches", () => {
  const everything = "can never be reached: routes[0] before it matches everything";
  const all = "can never be reached: routes[0] before it matches all that this one would";
  table([
    [["{ backend: app }", "{ match: { path: /a }, backend: app }"], `9:9: routes[1]: ${everything}`],
    [
      ["{ match: { path: /* }, backend: app }", "{ match: { host: a.b }, backend: app }"],
      `9:9: routes[1]: ${everything}`,
    ],
    [["{ match: { path: /a/* }, backend: app }", "{ match: { path: /a/b }, backend: app }"], `9:9: routes[1]: ${all}`],
    [["{ match: { path: /a/* }, backend: app }", "{ match: { path: /a }, backend: app }"], `9:9: routes[1]: ${all}`],
    [["{ match: { path: /a/* }, backend: app }", "{ match: { path: /ab }, backend: app }"]],
    // A mistake is said once, and not again by everything behind it.
    [
      ["{ mtach: { path: /a }, backend: app }", "{ match: { path: /b }, backend: app }"],
      '8:11: routes[0].mtach: unknown key; did you mean "match"?',
    ],
    [
      ["{ match: { paht: /a }, backend: app }", "{ match: { path: /b }, backend: app }"],
      '8:20: routes[0].match.paht: unknown key; did you mean "path"?',
    ],
    [
      ["{ match: { host: a.b:80 }, backend: app }", "{ match: { path: /b }, backend: app }"],
      '8:26: routes[0].match.host: must have no port, as hosts are compared without theirs, got "a.b:80"',
    ],
    [["{ match: { path: /a/:x }, backend: app }", "{ match: { path: /a/b }, backend: app }"]],
    [
      ["{ match: { host: '*.b' }, backend: app }", "{ match: { host: [a.b, x.a.b] }, backend: app }"],
      `9:9: routes[1]: ${all}`,
    ],
    [["{ match: { host: '*.b' }, backend: app }", "{ match: { host: b }, backend: app }"]],
    [
      ["{ match: { client: 10.0.0.0/8 }, backend: app }", "{ match: { client: 10.1.0.0/16 }, backend: app }"],
      `9:9: routes[1]: ${all}`,
    ],
    [
      ["{ match: { header: { X: '*' } }, backend: app }", "{ match: { header: { x: a }, path: /y }, backend: app }"],
      `9:9: routes[1]: ${all}`,
    ],
    [["{ match: { header: { X: a } }, backend: app }", "{ match: { path: /y }, backend: app }"]],
    [["{ match: { method: GET }, backend: app }", "{ match: { method: [GET, PUT] }, backend: app }"]],
  ]);
});

Deno.test("load() refuses actions that cannot be done", () => {
  table([
    ["{ backend: ap }", '8:20: routes[0].backend: unknown backend "ap"; did you mean "app"?'],
    ["{ backend: app, redirect: /x }", "8:35: routes[0].redirect: is a second action beside backend: a route has one"],
    [
      "{ redirect: { to: /x, status: 200 } }",
      "8:39: routes[0].redirect.status: must be 301, 302, 303, 307 or 308, got 200",
    ],
    ["{ redirect: x }", '8:21: routes[0].redirect: must begin with "/", "http://" or "https://", got "x"'],
    [
      '{ redirect: "https://{hots}/" }',
      "8:21: routes[0].redirect: has an unknown placeholder {hots}; did you mean {host}?",
    ],
    [
      '{ match: { path: /a }, redirect: "/{*}" }',
      "8:42: routes[0].redirect: has an unknown placeholder {*}: each path of the route must end in /* for that",
    ],
    [
      '{ match: { path: /a/* }, redirect: "https://{host}{*}" }',
      '8:44: routes[0].redirect: must not have {*} in its host: a client could make any host of it; write "/" before it',
    ],
    ['{ match: { path: /a/* }, redirect: "https://{host}{uri}" }'],
    ['{ redirect: "https://{host" }', '8:21: routes[0].redirect: has "{" without "}": write "{{" for a brace'],
    [
      "{ redirect: /x, rewrite: { path: /y } }",
      "8:34: routes[0].rewrite: has no effect with redirect: no server is asked",
    ],
    [
      "{ backend: app, rewrite: { path: y } }",
      '8:42: routes[0].rewrite.path: must be a path: begin with "/", without "#"',
    ],
    ["{ respond: { status: 101 } }", "8:30: routes[0].respond.status: must be 200–599, got 101"],
    [
      "{ respond: { body: { file: gone.html } } }",
      "8:36: routes[0].respond.body.file: This text has no secret to read",
    ],
    [
      "{ app: x }",
      '8:16: routes[0].app: unknown app "x"; there is none under plugins:, and a file is written ./app.ts'.replace(
        "8:9",
        "8:9",
      ),
    ],
    ["{ forward_auth: { backend: x } }", '8:36: routes[0].forward_auth.backend: unknown backend "x"; there is app'],
    [
      "{ forward_auth: { backend: app, path: check } }",
      '8:47: routes[0].forward_auth.path: must be a path that begins with "/", without spaces, got "check"',
    ],
  ]);
});

Deno.test("load() refuses guards that would guard nothing, or everything", () => {
  table([
    ["{ allow: [] }", "8:18: routes[0].allow: must not be empty: nobody would be let in"],
    ["{ basic_auth: { users: {} } }", "8:32: routes[0].basic_auth.users: must not be empty: nobody could come in"],
    [
      "{ basic_auth: { users: { ann: secret } } }",
      '8:39: routes[0].basic_auth.users.ann: must be a hash of bcrypt ("$2y$…") or SHA-crypt ("$6$…"): make one with htpasswd -nB USER',
    ],
    [
      '{ basic_auth: { users: { ann: "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/" } } }',
      '8:39: routes[0].basic_auth.users.ann: MD5 and SHA-1 can be guessed by the billion; must be a hash of bcrypt ("$2y$…") or SHA-crypt ("$6$…"): make one with htpasswd -nB USER',
    ],
    [`{ basic_auth: { users: { ann: "$6$salt$${"a".repeat(86)}", bob: "$5$rounds=1000000$salt$${
      "a".repeat(43)
    }" } } }`],
    [
      `{ basic_auth: { users: { ann: "$5$rounds=1000001$salt$${"a".repeat(43)}" } } }`,
      "8:39: routes[0].basic_auth.users.ann: must have at most 1000000 rounds: more would take too long",
    ],
    [
      `{ basic_auth: { users: { ann: "${HASH.replace("10", "20")}" } } }`,
      "8:39: routes[0].basic_auth.users.ann: must have a cost of 4–14: one of 20 would take too long",
    ],
    ["{ rate_limit: { rate: 50 } }", '8:31: routes[0].rate_limit.rate: needs a unit: write "50/s", got "50"'],
    [
      "{ rate_limit: { rate: 0/s } }",
      '8:31: routes[0].rate_limit.rate: must be more than 0/s and at most 1000000/s, got "0/s"',
    ],
    [
      "{ rate_limit: { rate: 1/s, key: ip } }",
      '8:41: routes[0].rate_limit.key: must be client_ip or { header: NAME }, got "ip"',
    ],
    ["{ body_limit: 10 }", '8:23: routes[0].body_limit: needs a unit: write "10B", "10kB" or "10MB"'],
    ["{ retry: { on: 503s } }", '8:24: routes[0].retry.on: must be a whole number of 400–599, got "503s"'],
    [
      "{ retry: { repeat: never, on: [503] } }",
      "8:39: routes[0].retry.on: has no effect with repeat: never: a server that answered was sent the request",
    ],
    ["{ retry: { repeat: always } }", '8:28: routes[0].retry.repeat: must be never, safe or idempotent, got "always"'],
    [
      "{ request_headers: { set: { connection: x } } }",
      "8:37: routes[0].request_headers.set.connection: cannot be changed: framing and connection are decided by the proxy",
    ],
    [
      "{ request_headers: { set: { x-forwarded-for: x } } }",
      "8:54: routes[0].request_headers.set.x-forwarded-for: is written by forwardfor: set forwardfor: false to write it yourself",
    ],
    [
      "{ request_headers: { remove: [x-user, X-Forwarded-For, x_forwarded_host] } }",
      "8:47: routes[0].request_headers.remove[1]: has no effect, as forwardfor writes this field: set forwardfor: false to send none",
      "8:64: routes[0].request_headers.remove[2]: has no effect, as forwardfor writes this field: set forwardfor: false to send none",
    ],
    ["{ response_headers: { remove: x-forwarded-for } }"],
    [
      '{ response_headers: { add: { x: "a\\r\\nb" } } }',
      "8:41: routes[0].response_headers.add.x: must be a field value in one line, got something else (not shown: it may be secret)",
    ],
    [
      '{ response_headers: { set: { x: "{nope}" } } }',
      "8:41: routes[0].response_headers.set.x: has an unknown placeholder {nope}; there is {scheme} {host} {uri} {path} {query} {method} {client_ip} {request_id} {*}",
    ],
    [
      "{ response_headers: { remove: transfer-encoding } }",
      "8:39: routes[0].response_headers.remove: cannot be changed: framing and connection are decided by the proxy",
    ],
  ]);
});

const TCP = "needs mode: http; tcp has no requests, its routes go by match.sni and match.client to a backend";

Deno.test("load() lets a forward-auth server add to a request, not readdress it", () => {
  const at = (column: number, index: number) => `8:${column}: routes[0].forward_auth.copy_headers[${index}]:`;
  const framing = "cannot be changed: framing and connection are decided by the proxy";
  table([
    [
      "{ forward_auth: { backend: app, copy_headers: [Host, x-user, X-Forwarded-For, x-forwarded-proto] } }",
      `${at(56, 0)} must not have host: a request has one Host, and keeps it`,
      `${at(70, 2)} is written by forwardfor: set forwardfor: false to take the answer's instead`,
      `${at(87, 3)} is written by forwardfor: set forwardfor: false to take the answer's instead`,
    ],
    [
      "{ forward_auth: { backend: app, copy_headers: [content-length, Connection, transfer-encoding, te] } }",
      `${at(56, 0)} ${framing}`,
      `${at(72, 1)} ${framing}`,
      `${at(84, 2)} ${framing}`,
      `${at(103, 3)} ${framing}`,
    ],
    [
      "{ forward_auth: { backend: app, copy_headers: host } }",
      "8:55: routes[0].forward_auth.copy_headers: must not have host: a request has one Host, and keeps it",
    ],
  ]);
  const own = (forwardfor: boolean) =>
    frontend(
      `forwardfor: ${forwardfor}`,
      "request_headers: { remove: [x-forwarded-host] }",
      "routes:",
      "  - { forward_auth: { backend: app, copy_headers: [x-forwarded-for] } }",
    );
  assert.deepEqual(problemsOf(own(false)), []);
  assert.equal(problemsOf(own(true)).length, 2);
});

Deno.test("load() keeps requests at one Host", () => {
  table([
    ["{ request_headers: { set: { host: inner.example } } }"],
    [
      "{ request_headers: { remove: [Host] } }",
      "8:39: routes[0].request_headers.remove[0]: must not have host: a request without it is none; set another one instead",
    ],
    [
      "{ request_headers: { add: { host: x } } }",
      "8:43: routes[0].request_headers.add.host: must be in set: a request has one Host",
    ],
  ]);
});

Deno.test("load() judges monitors and what mode: tcp has no use for", () => {
  const rows: readonly [readonly string[], ...string[]][] = [
    [
      ["monitor: { path: /h, require: [backend:ap] }"],
      '7:36: frontends.web.monitor.require[0]: unknown backend "ap"; did you mean "app"?',
    ],
    [
      ["monitor: { path: /h, require: active }"],
      "7:35: frontends.web.monitor.require: can never be met: the frontend listens on no address of a vrrp instance",
    ],
    [
      ["monitor: { path: h }"],
      '7:22: frontends.web.monitor.path: must be a path that begins with "/", without spaces and query, got "h"',
    ],
    [
      ["monitor: { path: /h, require: [up] }"],
      '7:36: frontends.web.monitor.require[0]: must be active or backend:NAME, got "up"',
    ],
    [["mode: tcp", "monitor: { path: /h }"], "8:14: frontends.web.monitor: needs mode: http; tcp has no requests"],
    [["mode: tcp", "routes: [{ match: { sni: [a.example, '*.b.example'], client: 10.0.0.0/8 }, backend: app }]"]],
    [["mode: tcp", "routes: [{ match: { client: 10.0.0.0/8 } }]"]],
    [
      ["mode: tcp", "routes: [{ match: { sni: a.example, path: /b }, redirect: /c }]"],
      `8:47: frontends.web.routes[0].match.path: ${TCP}`,
      `8:63: frontends.web.routes[0].redirect: ${TCP}`,
    ],
    [
      ["mode: tcp", "routes: [{ match: { sni: '*.a' }, backend: app }, { match: { sni: b.a }, backend: app }]"],
      "8:55: frontends.web.routes[1]: can never be reached: routes[0] before it matches all that this one would",
    ],
    [["routes: [{ match: { path: /a }, app: ./my_app.ts, timeouts: { server: 2s } }]"]],
    [["routes: [{ app: ./my_app.ts, on_failure: pass }]"]],
    [
      ["routes: [{ app: my_app, on_failure: never }]"],
      '7:21: frontends.web.routes[0].app: unknown app "my_app"; there is none under plugins:, and a file is written ./app.ts',
      '7:41: frontends.web.routes[0].on_failure: must be block or pass, got "never"',
    ],
    [
      ["routes: [{ backend: app, on_failure: pass }]"],
      "7:42: frontends.web.routes[0].on_failure: has no effect without app",
    ],
    [
      ["routes: [{ app: ./a.ts, rewrite: { path: /c } }]"],
      "7:38: frontends.web.routes[0].rewrite: has no effect with app: the application forwards what it wants",
    ],
    [
      ["routes: [{ app: ./a.ts, redirect: /b }]"],
      "7:21: frontends.web.routes[0].app: is a second action beside redirect: a route has one",
    ],
    [
      ["routes: [{ match: { sni: a.example }, backend: app }]"],
      "7:30: frontends.web.routes[0].match.sni: needs mode: tcp; in http the name is in the request: use host",
    ],
  ];
  for (const [lines, ...wanted] of rows) assert.deepEqual(problemsOf(frontend(...lines)), wanted, lines.join());
  assert.deepEqual(
    problemsOf("version: 1\nfrontends: { web: { bind: :80, routes: [{ match: { path: /a } }] } }\n"),
    ["2:41: frontends.web.routes[0]: needs an action (backend, redirect, respond or app), as the frontend has no default_backend"],
  );
});

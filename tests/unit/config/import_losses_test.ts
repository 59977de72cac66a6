/** What an import cannot carry is said, with its line, and what it writes passes `check`. */
import assert from "node:assert/strict";
import { check } from "../../../runtime/config/check.ts";
import { defaultTimeouts } from "../../../runtime/config/haproxy_timeouts.ts";
import { importConfiguration, type Imported } from "../../../runtime/config/import.ts";
import { formatLeftover } from "../../../runtime/config/leftover.ts";
import { printDuration } from "../../../runtime/config/values.ts";
import { configOf, frontend } from "./loading.ts";

function fromHaproxy(text: string): Imported {
  const outcome = importConfiguration({ keepalived: [], haproxy: { file: "h.cfg", text } });
  assert.ok("yaml" in outcome);
  return outcome;
}

function assertGood({ yaml }: Imported): void {
  const { text, code } = check({ file: "t.yaml", text: yaml, node: null, hostname: "h", readSecret: () => "s" });
  assert.equal(code, 0, `${text}\n${yaml}`);
}

/** `lines` is where the row begins, `wanted` lines of the result, `left` the leftovers behind "h.cfg:". */
type Row = readonly [text: string, wanted: readonly (string | RegExp)[], left: readonly string[]];

function assertRows(rows: readonly Row[], around: (text: string) => string): void {
  for (const [text, wanted, left] of rows) {
    const imported = fromHaproxy(around(text));
    for (const one of wanted) {
      if (typeof one !== "string") assert.match(imported.yaml, one, text);
      else assert.ok(imported.yaml.split("\n").some((line) => line.trim() === one), `${one}\n${imported.yaml}`);
    }
    assert.deepEqual(imported.leftovers.map(formatLeftover).map((line) => line.replace("h.cfg:", "")), left, text);
    assertGood(imported);
  }
}

const listen = (mode: string) => (lines: string) =>
  `listen web\n mode ${mode}\n bind :80\n server one 192.0.2.1:80\n${lines}\n`;

Deno.test("importConfiguration() lists a timeout of 0, which is infinite in HAProxy, and what is used instead", () => {
  const infinite = "0 is infinite in HAProxy, and no timeout is here:";
  const rows: Row[] = [
    ["timeout client 0", [], [`5: timeout client 0: ${infinite} timeouts.client is 30s`]],
    ["timeout server 0s", [], [`5: timeout server 0s: ${infinite} timeouts.server is 30s`]],
    ["timeout connect 0ms", [], [`5: timeout connect 0ms: ${infinite} timeouts.connect is 5s`]],
    ["timeout connect 9s\ntimeout queue 0", ["timeouts: { connect: 9s, queue: 9s }"], [
      `6: timeout queue 0: ${infinite} timeouts.queue is that of timeouts.connect, or 5s`,
    ]],
    ["timeout http-request 0", [], [`5: timeout http-request 0: ${infinite} timeouts.http_request is 10s`]],
    ["timeout http-keep-alive 0", [], [`5: timeout http-keep-alive 0: ${infinite} timeouts.keep_alive is 10s`]],
    ["timeout tunnel 0", [], [`5: timeout tunnel 0: ${infinite} timeouts.tunnel is 1h`]],
    ["timeout check 0", [], [`5: timeout check 0: ${infinite} check.timeout is the interval, at most 1s`]],
    // 0 takes back what was said before.
    ["timeout client 5s\ntimeout client 0", ["default_backend: web"], [
      `6: timeout client 0: ${infinite} timeouts.client is 30s`,
    ]],
    ["timeout client 1us", ["timeouts: { client: 1ms }"], []],
    ["timeout client 24d20h", [], ["5: timeout client 24d20h: Tandem has its own bounds for this"]],
    ["timeout client 597h", [], ["5: timeout client 597h: must be at most 24d, got 24d21h: timeouts.client is 30s"]],
    // Up to HAProxy 2.0.
    ["clitimeout 50000\ncontimeout 4000\nsrvtimeout 0", ["timeouts: { client: 50s }"], [
      `7: srvtimeout 0: ${infinite} timeouts.server is 30s`,
    ]],
  ];
  assertRows(rows, listen("http"));
  const ofTunnels: Row[] = [
    ["timeout client 0", [], [`5: timeout client 0: ${infinite} timeouts.tunnel is 1h`]],
    ["timeout client 7s\ntimeout tunnel 0", ["timeouts: { tunnel: 7s }"], [
      `6: timeout tunnel 0: ${infinite} timeouts.tunnel is that of timeout client, or 1h`,
    ]],
  ];
  assertRows(ofTunnels, listen("tcp"));
});

Deno.test("importConfiguration() names the defaults that a configuration is built with", () => {
  const { frontends: [{ timeouts }], backends: [backend] } = configOf(frontend());
  const built: Readonly<Record<string, number>> = {
    client: timeouts.client,
    "http-request": timeouts.httpRequest,
    "http-keep-alive": timeouts.keepAlive,
    tunnel: timeouts.tunnel,
    connect: backend.timeouts.connect,
    server: backend.timeouts.server,
    queue: backend.timeouts.queue,
  };
  for (const [name, value] of Object.entries(built)) {
    assert.ok(defaultTimeouts.get(name)?.endsWith(` ${printDuration(value)}`), name);
  }
});

Deno.test("importConfiguration() says whom a lost line no longer keeps out", () => {
  const open = "whom this line keeps out is let in";
  const told = "is answered with 403, where HAProxy closes the connection";
  const http: Row[] = [
    ["tcp-request connection reject if { src 198.51.100.0/24 }", [
      "- match: { client: 198.51.100.0/24 }",
      "respond: { status: 403 }",
    ], [`5: tcp-request connection reject if { src 198.51.100.0/24 }: ${told}`]],
    ["tcp-request content reject if !{ src 10.0.0.0/8 }", [], [
      `5: tcp-request content reject if !{ src 10.0.0.0/8 }: routes have no negation: a route's allow: lets in who is named; ${open}`,
    ]],
    ["tcp-request connection accept if { src 10.0.0.0/8 }\ntcp-request connection reject", [], [
      "5: tcp-request connection accept if { src 10.0.0.0/8 }: accept is not part of routes",
      `6: tcp-request connection reject: line 5 lets some through before it: a route's allow: and deny: keep apart who may enter; ${open}`,
    ]],
    ["http-request allow if { src 10.0.0.0/8 }\nhttp-request deny", [], [
      "5: http-request allow if { src 10.0.0.0/8 }: allow is not part of routes",
      `6: http-request deny: line 5 lets some through before it: a route's allow: and deny: keep apart who may enter; ${open}`,
    ]],
    ["tcp-request content accept if WAIT_END", [], [
      "5: tcp-request content accept if WAIT_END: Tandem waits by itself for what its routes go by",
    ]],
    ["tcp-request connection track-sc0 src", [], [
      "5: tcp-request connection track-sc0 src: a route's rate_limit: { key, rate, burst } counts requests, by client_ip or by a field",
    ]],
    ["tcp-request connection expect-proxy layer4", [], [
      "5: tcp-request connection expect-proxy layer4: a bind expects it: bind: { address, proxy_protocol: true }",
    ]],
    // Up to HAProxy 2.0; evaluated before http-request.
    ["http-request return status 200 if { path /a }\nblock if { src 198.51.100.7 }", [
      /client: 198\.51\.100\.7 \}\n +respond: \{ status: 403 \}\n +- match: \{ path: \/a/,
    ], []],
    ["block if !{ src 10.0.0.0/8 }", [], [
      `5: block if !{ src 10.0.0.0/8 }: routes have no negation: a route's allow: lets in who is named; ${open}`,
    ]],
    ["reqideny ^GET", [], [`5: reqideny ^GET: means nothing to Tandem; ${open}`]],
    ['http-request deny if { src "$BAD" }', [], [
      `5: http-request deny if { src "$BAD" }: environment variables are not read: write the value into the file; ${open}`,
    ]],
  ];
  assertRows(http, listen("http"));
  const backend: Row[] = [
    ["http-request deny if { path /x }", [], [
      `7: http-request deny if { path /x }: only frontends have routes; put it into those that lead here; ${open}`,
    ]],
    ["http-request auth unless { http_auth(u) }", [], [
      `7: http-request auth …: only frontends have routes; put it into those that lead here; ${open}`,
    ]],
    ["http-request set-path /x", [], [
      "7: http-request set-path /x: only frontends have routes; put it into those that lead here",
    ]],
  ];
  assertRows(backend, (line) =>
    `defaults
 mode http
frontend a
 bind :80
 default_backend b
backend b
${line}
 server one 192.0.2.1:80
`);
  assertRows([["tcp-request connection reject if { src 198.51.100.0/24 }", [], [
    `5: tcp-request connection reject if { src 198.51.100.0/24 }: routes of mode tcp refuse nobody: allow: and deny: belong to routes of http; ${open}`,
  ]]], listen("tcp"));
});

Deno.test("importConfiguration() gives frontends what HAProxy's backends say of their requests", () => {
  const pair = (web: string, api: string) =>
    `defaults
 mode http
frontend in
 bind :80
 use_backend api if { path /api }
 default_backend web
frontend other
 bind :81
 default_backend api
backend web
 server one 192.0.2.1:80
 ${web}
backend api
 server one 192.0.2.2:80
 ${api}
`;
  const rows: Row[] = [
    ["option forwardfor except 10.0.0.0/8|option forwardfor", [
      /in:\n +bind: :80\n +forwardfor: true\n +trusted_proxies: \[ 10\.0\.0\.0\/8 \]/,
      /other:\n +bind: :81\n +forwardfor: true\n +default/,
    ], []],
    ["|option forwardfor", [
      /in:\n +bind: :80\n +forwardfor: true/,
      /other:\n +bind: :81\n +forwardfor: true/,
    ], ["15: option forwardfor: frontend in sets it for all its requests, also those to web"]],
    ["timeout tunnel 2h|", [/default_backend: web\n +timeouts: \{ tunnel: 2h \}/], []],
    ["|timeout tunnel 3h", [
      /backend: api\n +timeouts: \{ tunnel: 3h \}\n +default_backend: web\n +other:/,
      /default_backend: api\n +timeouts: \{ tunnel: 3h \}\nbackends/,
    ], []],
    ["timeout http-request 3s|", [], ["12: timeout http-request 3s: only frontends have this timeout"]],
  ];
  assertRows(rows, (text) => pair(text.split("|")[0], text.split("|")[1]));
  const tcp: Row[] = [["timeout tunnel 2h|timeout tunnel 3h", [
    /default_backend: web\n +timeouts: \{ tunnel: 2h \}/,
    /default_backend: api\n +timeouts: \{ tunnel: 3h \}/,
  ], ["15: timeout tunnel 3h: frontend in has one for all its tunnels, 2h"]]];
  assertRows(
    tcp,
    (text) =>
      pair(text.split("|")[0], text.split("|")[1]).replace("mode http", "mode tcp").replace(
        "path /api",
        "req.ssl_sni api.example",
      ),
  );
});

Deno.test("importConfiguration() lists every word of a line that it does not carry", () => {
  const missing = "is not in this version";
  const rows: Row[] = [
    ["balance uri path-only", ["balance: uri"], []],
    ["balance uri depth 2 whole", ["balance: uri"], [
      `5: balance uri depth 2 whole: depth 2 whole ${missing}; the whole path is hashed, without the query`,
    ]],
    ["balance hdr(X-A) use_domain_only", ["use: header"], [
      `5: balance hdr(X-A) use_domain_only: use_domain_only ${missing}; the whole field is hashed`,
    ]],
    ["balance random(2)", ["balance: random"], []],
    ["balance random(3)", ["balance: random"], [
      "5: balance random(3): two servers are drawn, of which the less busy one is taken",
    ]],
    ["hash-type consistent djb2 avalanche", [], [
      `5: hash-type consistent djb2 avalanche: djb2 avalanche ${missing}: keys are hashed in one way`,
    ]],
    ["cookie S insert indirect httponly attr SameSite=Strict", [
      "stickiness: { cookie: S, same_site: strict, value: name }",
    ], []],
    [
      "cookie S insert secure domain .x maxidle 30m maxlife 8h postonly",
      [],
      [
        "secure is not in this version: browsers send the cookie without TLS too",
        "domain .x is not in this version: the cookie comes back to this host alone",
        "maxidle 30m is not in this version: the cookie lasts until the browser forgets it",
        "maxlife 8h is not in this version: the cookie lasts until the browser forgets it",
        "postonly is not in this version",
      ].map((why) => `5: cookie S insert secure domain .x maxidle 30m maxlife 8h postonly: ${why}`),
    ],
    [
      "bind :81 interface eth0 maxconn 50 v6only name ssl tcp-ut 5s",
      ["bind: [ :80, :81 ]"],
      [
        `interface ${missing}: connections of every interface are taken`,
        `maxconn ${missing}: maxconn: belongs to the frontend`,
        `v6only ${missing}`,
        `name ${missing}`,
        `tcp-ut ${missing}`,
      ].map((why) => `5: bind :81 interface eth0 maxconn 50 v6only name ssl tcp-ut 5s: ${why}`),
    ],
    ["server two 192.0.2.2:80 disabled", ["servers: { one: 192.0.2.1:80 }"], [
      "5: server two 192.0.2.2:80 disabled: is left out: it is disabled; tandem maint BACKEND/SERVER takes out one that is there",
    ]],
    ["default-server disabled\nserver two 192.0.2.2:80 enabled", [/two: 192\.0\.2\.2:80/], []],
    [
      "server two 192.0.2.2:80 agent-check agent-port 80 agent-inter 5s agent-send x\\n",
      [],
      [
        "agent-check is not in this version: no agent is asked",
        "agent-port is not in this version",
        "agent-inter is not in this version",
        "agent-send is not in this version",
      ].map((why) => `5: server two 192.0.2.2:80 agent-check agent-port 80 agent-inter 5s agent-send x\\n: ${why}`),
    ],
    [
      "server two 192.0.2.2:80 redir http://x.example crl-file /c resolve-prefer ipv4 max-reuse 5 ws h1",
      [],
      [
        "redir is not in this version: requests go through the balancer to the server",
        "crl-file is not in this version",
        "resolve-prefer is not in this version",
        "max-reuse is not in this version",
        "ws is not in this version",
      ].map((why) =>
        `5: server two 192.0.2.2:80 redir http://x.example crl-file /c resolve-prefer ipv4 max-reuse 5 ws h1: ${why}`
      ),
    ],
    [
      "server two 192.0.2.2:80 source 192.0.2.9:1-9 usesrc clientip track web/one",
      [],
      [
        "source is not in this version",
        "usesrc is not in this version",
        "track is not in this version: a server has a check of its own, or is always up",
      ].map((why) => `5: server two 192.0.2.2:80 source 192.0.2.9:1-9 usesrc clientip track web/one: ${why}`),
    ],
    // A default-server is listed where it stands, not at each server behind it.
    ["default-server maxqueue 5\nserver two 192.0.2.2:80\nserver three 192.0.2.3:80", [], [
      `5: default-server maxqueue 5: maxqueue ${missing}`,
    ]],
    [
      "server two 192.0.2.2:80 check inter 2h rise 0 weight 300 maxconn 0",
      [],
      [
        "inter must be 10ms–1h, got 2h",
        "rise must be 1–1000, got 0",
        "weight must be 0–256, got 300",
      ].map((why) => `5: server two 192.0.2.2:80 check inter 2h rise 0 weight 300 maxconn 0: ${why}`),
    ],
    ["server two 192.0.2.2:80 check on-marked-down shutdown-sessions", ["on_down: close"], [
      "5: server two 192.0.2.2:80 check on-marked-down shutdown-sessions: sessions of all servers of the backend end when theirs goes down",
    ]],
    ["server-template srv 1-3 web.example:80 check", ["servers: { one: 192.0.2.1:80 }"], [
      "5: server-template srv 1-3 web.example:80 check: its servers are missing here: list them one by one under servers:",
    ]],
    ["dispatch 192.0.2.9:80", [], ["5: dispatch 192.0.2.9:80: its server is missing here: put it under servers:"]],
    [".if defined(X)\n.endif", [], [
      "5: .if defined(X): conditions are not decided here: the lines around are carried as if all of them were meant",
      "6: .endif: conditions are not decided here: the lines around are carried as if all of them were meant",
    ]],
  ];
  assertRows(rows, listen("http"));
  assertRows([["", [], ["1: maxconn 5: stands before any section"]]], () => `maxconn 5\n${listen("http")("")}`);
});

Deno.test("importConfiguration() says what a check no longer finds out", () => {
  const open = "servers that would fail this check get traffic";
  const rows: Row[] = [
    ["option tcp-check\ntcp-check connect\ntcp-check send PING\\r\\n\ntcp-check expect string role:master", [], [
      `7: tcp-check send PING\\r\\n: the check only connects; ${open}`,
      `8: tcp-check expect string role:master: the check only connects; ${open}`,
    ]],
    ["option redis-check", [], [`5: option redis-check: the check only connects; ${open}`]],
    ["option mysql-check user haproxy", [], [`5: option mysql-check user haproxy: the check only connects; ${open}`]],
    // The last one counts.
    ["option httpchk GET /up\noption tcp-check\nserver two 192.0.2.2:80 check", ["check: {}"], []],
    ["option httpchk HEAD /up\nserver two 192.0.2.2:80 check", ["check: { type: http, path: /up, method: HEAD }"], []],
    ["option httpchk /up\nserver two 192.0.2.2:80 check", ["check: { type: http, path: /up, method: OPTIONS }"], []],
    [
      "option httpchk GET /up HTTP/1.1\\r\\nHost:\\ a.example\\r\\nX-A:\\ 1\nserver two 192.0.2.2:80 check",
      ["host: a.example", 'headers: { X-A: "1" }'],
      [],
    ],
    ["option httpchk POST /up\nserver two 192.0.2.2:80 check", ["check: { type: http, path: /up }"], [
      "5: option httpchk POST /up: the check asks by GET, not POST",
    ]],
    ["http-check expect string ok", [], [
      `5: http-check expect string ok: only expect status is in this version; ${open}`,
    ]],
  ];
  assertRows(rows, listen("http"));
});

Deno.test("importConfiguration() writes addresses as HAProxy reads them", () => {
  const left = (line: string, why: string) => [`5: ${line}: is left out: ${why}`];
  const rows: Row[] = [
    ["server two ipv4@192.0.2.7:80", [/two: 192\.0\.2\.7:80/], []],
    ["server two inet@192.0.2.7:80", [/two: 192\.0\.2\.7:80/], []],
    ["server two ipv6@[2001:db8::1]:80", [/two: "\[2001:db8::1\]:80"/], []],
    // The port is behind the last colon.
    ["server two 2001:db8::1:80", [/two: "\[2001:db8::1\]:80"/], []],
    ["server two ipv6@web.example:80", [/two: web\.example:80/], [
      "5: server two ipv6@web.example:80: the name's addresses are used, not ipv6's alone",
    ]],
    [
      "server two unix@/run/x.sock",
      [],
      left(
        "server two unix@/run/x.sock",
        "a server has an address or a name, and a port",
      ),
    ],
    ["server two 192.0.2.7", [], left("server two 192.0.2.7", "it has no port of its own")],
    ["server two 192.0.2.7:+5", [], left("server two 192.0.2.7:+5", "it has no port of its own")],
    [
      "server two 192.0.2.7:70000",
      [],
      left(
        "server two 192.0.2.7:70000",
        "it must have a port of 1–65535, got 70000",
      ),
    ],
    ["server two $HOST:80", [], left("server two $HOST:80", "environment variables are not read")],
    ['server two "${HOST}:80"', [], [
      '5: server two "${HOST}:80": environment variables are not read: write the value into the file',
    ]],
    ["bind ipv4@192.0.2.8:81,:::82", ['bind: [ :80, 192.0.2.8:81, "[::]:82" ]'], []],
    ["bind 192.0.2.8:70000", ["bind: :80"], ['5: bind 192.0.2.8:70000: "192.0.2.8:70000" is not ADDRESS:PORT']],
  ];
  assertRows(rows, listen("http"));
});

Deno.test("importConfiguration() carries an address in a section's first line, as up to HAProxy 2.0", () => {
  // What CentOS 7 comes with.
  const stock = (text: string) =>
    `global
    maxconn     4000
${text}
defaults
    mode                    http
    option forwardfor       except 127.0.0.0/8
    timeout queue           1m
    timeout connect         10s
    maxconn                 3000
frontend  main *:5000
    acl url_static       path_beg       -i /static /images
    use_backend static          if url_static
    default_backend             app
backend static
    balance     roundrobin
    server      static 127.0.0.1:4331 check
backend app
    balance     roundrobin
    server  app1 127.0.0.1:5001 check
listen smtp :25
    mode tcp
    server mail 192.0.2.25:25
`;
  assertRows([["", ["bind: :5000", "bind: :25"], [
    "12: use_backend static          if url_static: path_beg is not part of routes",
  ]]], stock);
});

Deno.test("importConfiguration() leaves out what is disabled, and what leads to what was left out", () => {
  const rows: Row[] = [
    [
      "frontend b\n mode http\n bind :81\n use_backend off if { path /a }\n default_backend web\nbackend off\n disabled",
      [
        "respond: { status: 503 }",
      ],
      [
        "9: use_backend off if { path /a }: backend off is left out: its requests are answered with 503",
        "11: backend off: is left out: it is disabled",
      ],
    ],
    ["frontend b\n disabled\n bind :81\n default_backend web", [], ["6: frontend b: is left out: it is disabled"]],
    [
      "frontend b\n mode http\n bind :81\n use_backend tls if { path /a }\n default_backend web\nbackend tls\n server s 192.0.2.3:443 ssl",
      ["- match: { path: /a }", "respond: { status: 503 }"],
      [
        "9: use_backend tls if { path /a }: backend tls is left out: its requests are answered with 503",
        "11: backend tls: is left out: no server of it can be carried",
        "12: server s 192.0.2.3:443 ssl: is left out: TLS to servers is not in this version",
      ],
    ],
    ["frontend b\n mode http\n bind :81\n default_backend tls\nbackend tls\n server s 192.0.2.3:443 ssl", [], [
      "6: frontend b: is left out: it has no default_backend and no route that can be carried",
      "9: default_backend tls: backend tls is left out",
      "10: backend tls: is left out: no server of it can be carried",
      "11: server s 192.0.2.3:443 ssl: is left out: TLS to servers is not in this version",
    ]],
    [
      "frontend b\n bind :81\n maxconn 50000\n default_backend c\nbackend c\n balance uri\n cookie S insert\n server s 192.0.2.3:80",
      [],
      [
        "8: maxconn 50000: can never be reached: proxy.maxconn is 20000",
        "11: balance uri: tcp has no requests: roundrobin is used",
        "12: cookie S insert: tcp has no cookies",
      ],
    ],
  ];
  assertRows(rows, (text) => `${listen("http")("")}${text}\n`);
});

Deno.test("importConfiguration() changes names that tandem.yaml does not take, wherever they stand", () => {
  const wanted = "must be a name of at most 64 letters, digits, _ . and -, not a number or address";
  const text = `frontend web:80
 mode http
 bind :80
 use_backend 10.0.0.1:80 if { path /a }
 default_backend 8080
backend 8080
 mode http
 server a:1 192.0.2.1:80
 server a_1 192.0.2.2:80
backend 10.0.0.1:80
 mode http
 server one 192.0.2.1:80
backend 10.0.0.1_80
 mode http
 server one 192.0.2.1:80
`;
  assertRows([[text, [
    "web_80:",
    "default_backend: _8080",
    "backend: 10.0.0.1_80",
    /backends:\n +_8080:\n +servers: \{ a_1: 192\.0\.2\.1:80 \}\n +10\.0\.0\.1_80:/,
  ], [
    `1: frontend web:80: is called "web_80" here: ${wanted}`,
    `6: backend 8080: is called "_8080" here: ${wanted}`,
    `8: server a:1 192.0.2.1:80: is called "a_1" here: ${wanted}`,
    '9: server a_1 192.0.2.2:80: is left out: there is a server "a_1" already',
    `10: backend 10.0.0.1:80: is called "10.0.0.1_80" here: ${wanted}`,
    '13: backend 10.0.0.1_80: is left out: there is a "10.0.0.1_80" already',
  ]]], (text) => text);
});

/** One of nearly everything that a proxy of HAProxy can say, as it should be said and as it should not. */
const everything = `mode http
mode tcp
timeout client 0
timeout client 30s
timeout server 40d
timeout tunnel 1h
timeout check 2h
timeout queue 1us
maxconn 0
maxconn 3000
maxconn 2000000
retries 200
retries 2
balance uri depth 2
balance hdr(x)
balance hdr(a b)
balance source
balance rdp-cookie(x)
hash-type map-based
cookie S insert secure domain .x
cookie a,b insert
cookie S prefix
option forwardfor
option forwardfor except 10.0.0.0/8
option forwardfor except localhost
option httpchk
option httpchk GET /up HTTP/1.1\\r\\nHost:\\ a.example
option httpchk GET up
option tcp-check
option redis-check
option external-check
external-check command /bin/true
http-check expect status 200
http-check expect status 2000
http-check expect ! rstatus ^5
http-check send meth HEAD uri /x hdr Host a.example
http-check send meth PUT uri x hdr a
default-server check inter 1s
default-server inter 0 port 0 slowstart 5h
default-server disabled
server a ipv4@192.0.2.7:80 check
server b 2001:db8::1:80 send-proxy
server c 192.0.2.7 check
server d "\${HOST}:80"
server e $HOST:80
server f web_1.example.:80 weight 0
server g 192.0.2.8:80 disabled
server h 192.0.2.9:99999
server i 192.0.2.9:80 weight 999 maxconn 0 rise x check slowstart 1d
server j /run/x.sock
server k 192.0.2.10:80 backup ssl
server a:b 192.0.2.11:80
server a 192.0.2.12:80 check port 81 fall 9
server-template t 1-3 web.example:80
bind :81 interface eth0 v6only
bind 192.0.2.1:80,:::82
bind :8000-8010
bind /run/y.sock accept-proxy
bind :443 ssl crt x.pem
acl a hdr(host) -i a.example
acl b path_beg /b/
acl c src 10.0.0.0/8
monitor-uri /up
monitor-uri up
use_backend web if a
use_backend other if a b
use_backend gone if c
use_backend %[req.hdr(host)]
use_backend other if { req.ssl_sni -i x.example }
default_backend other
http-request deny if c
http-request deny deny_status 99 if b
http-request deny
http-request allow if c
http-request set-header X-A %[src]
http-request set-header "a b" c
http-request return status 200 content-type text/plain string ok if b
http-request redirect location /x code 399 if a
http-request redirect scheme https unless { ssl_fc }
http-response del-header Server
redirect prefix https://new.example if a
redirect location x{}
tcp-request connection reject if c
tcp-request connection reject if !c
tcp-request content reject
tcp-request inspect-delay 5s
block if b
disabled
enabled
stats enable
dispatch 192.0.2.1:80
log global
option httplog
.if defined(X)`.split("\n");

Deno.test("importConfiguration() writes what check takes, whatever a haproxy.cfg says", () => {
  let state = 7;
  const random = (below: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_521 % below;
  const some = () => Array.from({ length: random(12) }, () => everything[random(everything.length)]).join("\n ");
  const found = new Map<string, string>();
  for (let round = 0; round < 300; round++) {
    const imported = fromHaproxy(`defaults
 ${some()}
listen web
 bind :80
 ${some()}
frontend in :90
 ${some()}
backend other
 ${some()}
 server last 192.0.2.99:80
backend gone
 server s 192.0.2.3:443 ssl
`);
    const { text } = check({ file: "t.yaml", text: imported.yaml, node: null, hostname: "h", readSecret: () => "s" });
    // Two that listen at one place, a route behind a wider one, tunnels to a backend of http: as wrong as they were.
    const problems = text.split("\n").filter((line) =>
      /^t\.yaml:\d/.test(line) &&
      !/ is taken by | can never be reached| needs mode: http, but frontend /.test(line)
    );
    for (const problem of problems) found.set(problem.replace(/^\S+ /, ""), imported.yaml);
  }
  assert.deepEqual([...found.keys()], [], [...found.values()].at(0));
});

import assert from "node:assert/strict";
import { check } from "../../../runtime/config/check.ts";
import { parseHaproxy } from "../../../runtime/config/haproxy_text.ts";
import { importConfiguration, type Imported, type ImportSources } from "../../../runtime/config/import.ts";
import { conditionNames, parseKeepalived, unbalancedBraces } from "../../../runtime/config/keepalived_text.ts";
import { formatLeftover } from "../../../runtime/config/leftover.ts";
import { knownPlugins } from "./known_plugins.ts";

const instance = (lines: string) =>
  `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress {
    192.0.2.100/24
  }
${lines}
}
`;

/** A text, the lines it becomes, and those left over. */
type Row = readonly [text: string, written: readonly string[], left?: readonly string[]];

function fromKeepalived(...texts: string[]): Imported {
  const names = texts.length === 1 ? [null] : ["a", "b", "c"];
  return imported({
    keepalived: texts.map((text, i) => ({ node: names[i], file: `${names[i] ?? "k"}.conf`, text })),
    haproxy: null,
  });
}

function fromHaproxy(text: string): Imported {
  return imported({ keepalived: [], haproxy: { file: "h.cfg", text } });
}

function imported(sources: ImportSources): Imported {
  const outcome = importConfiguration(sources);
  if ("refused" in outcome) throw new Error(outcome.refused.map(formatLeftover).join("\n"));
  return outcome;
}

/** The lines after the header and `version: 1`. */
function body({ yaml }: Imported): string[] {
  return yaml.trimEnd().split("\n").slice(3);
}

function leftovers({ leftovers }: Imported): string[] {
  return leftovers.map(formatLeftover);
}

function assertGood({ yaml }: Imported): void {
  const plugins = knownPlugins();
  const { text, code } = check({
    file: "t.yaml",
    text: yaml,
    node: null,
    hostname: "h",
    readSecret: () => "s",
    plugins,
  });
  assert.equal(code, 0, `${text}\n${yaml}`);
}

Deno.test("importConfiguration() makes the classic pair of two keepalived.conf and one haproxy.cfg", () => {
  const keepalived = (state: string, priority: number) =>
    `! Configuration File for keepalived
global_defs {
  router_id ${state}
}
vrrp_script chk_haproxy {
  script "killall -0 haproxy"
  interval 2
}
vrrp_instance VI_1 {
  state ${state}
  interface ens32
  virtual_router_id 51
  priority ${priority}
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass 1111
  }
  virtual_ipaddress {
    192.168.219.100/24
  }
  track_script {
    chk_haproxy
  }
}
`;
  const haproxy = `global
    maxconn 4000
    user haproxy
defaults
    mode http
    option forwardfor
    retries 3
    timeout connect 10s
    timeout client 1m
    timeout server 1m
frontend http-in
    bind 192.168.219.100:80
    default_backend backend_servers
backend backend_servers
    balance roundrobin
    server node01 192.168.219.136:80 check
    server node02 192.168.219.137:80 check
`;
  const pair = imported({
    keepalived: [
      { node: "dlp1", file: "k1.conf", text: keepalived("MASTER", 101) },
      { node: "dlp2", file: "k2.conf", text: keepalived("BACKUP", 100) },
    ],
    haproxy: { file: "haproxy.cfg", text: haproxy },
  });
  assert.equal(
    pair.yaml,
    `# Imported from k1.conf, k2.conf, haproxy.cfg

version: 1
nodes:
  dlp1: {}
  dlp2: {}
vrrp:
  VI_1:
    interface: ens32
    virtual_router_id: 51
    version: 2
    priority: { dlp1: 101, dlp2: 100 }
    advert_int: 1s
    authentication: { type: pass, password: "1111" }
    virtual_addresses: [ 192.168.219.100/24 ]
frontends:
  http-in:
    bind: VI_1:80
    forwardfor: true
    default_backend: backend_servers
    timeouts: { client: 1m }
backends:
  backend_servers:
    check: {}
    servers: { node01: 192.168.219.136:80, node02: 192.168.219.137:80 }
    timeouts: { connect: 10s, server: 1m, queue: 10s }
    retries: 3
proxy:
  maxconn: 4000
`,
  );
  assertGood(pair);
  const follows = "an instance follows the frontends bound to its addresses by itself";
  const track = "track the backend's check instead (track: { backends: [NAME] })";
  assert.deepEqual(leftovers(pair), [
    "k1.conf:3: router_id MASTER: means nothing to Tandem",
    `k1.conf:5: vrrp_script chk_haproxy {: ${follows}`,
    `k1.conf:23: chk_haproxy: ${track}`,
    "k2.conf:3: router_id BACKUP: means nothing to Tandem",
    `k2.conf:5: vrrp_script chk_haproxy {: ${follows}`,
    `k2.conf:23: chk_haproxy: ${track}`,
    "haproxy.cfg:3: user haproxy: the proxy runs as proxy.user, without rights of its own",
  ]);
});

Deno.test("parseKeepalived() reads braces, comments, definitions and lines for one node", () => {
  const text = `$IF=eth7
a b "c d" { # comment
  e $IF \${IF}x ! another
  @n1 f 1
  @^n1 f 2
}
g
{
  h { i }
}
`;
  const shape = (statements: ReturnType<typeof parseKeepalived>): unknown =>
    statements.map(({ words, block }) => block === null ? words.join(" ") : [words.join(" "), shape(block)]);
  assert.deepEqual(shape(parseKeepalived(text, "n1")), [["a b c d", ["e eth7 eth7x", "f 1"]], ["g", [["h", ["i"]]]]]);
  assert.deepEqual(shape(parseKeepalived(text, "n2")), [["a b c d", ["e eth7 eth7x", "f 2"]], ["g", [["h", ["i"]]]]]);
  assert.deepEqual(conditionNames(text), ["n1"]);
});

Deno.test("importConfiguration() refuses a keepalived.conf whose braces do not pair up, and names the block", () => {
  const vip = "vrrp_instance VI_1 {\n  virtual_ipaddress {\n    192.0.2.1\n  }\n}\n";
  const rows: readonly [text: string, refused: readonly string[]][] = [
    [`vrrp_script chk {\n  script "x" {\n  interval 2\n}\n${vip}`, [
      "k.conf:1: vrrp_script chk {: is not closed before line 5, where vrrp_instance VI_1 begins",
    ]],
    [`vrrp_script chk {\n  script "x"\n@n1 ${vip}`, [
      "k.conf:1: vrrp_script chk {: is not closed before line 3, where vrrp_instance VI_1 begins",
    ]],
    ["vrrp_instance VI_1\n{\n  priority 1\n", [
      "k.conf:1: vrrp_instance VI_1: is not closed until the end of the file",
    ]],
    [`${vip}}\n`, ["k.conf:6: }: closes nothing"]],
    [`{\n${vip.slice(0, -2)}`, [
      "k.conf:1: {: opens a block of nothing",
      "k.conf:1: {: is not closed before line 2, where vrrp_instance VI_1 begins",
      "k.conf:2: vrrp_instance VI_1 {: is not closed until the end of the file",
    ]],
    ["authentication {\n  auth_pass {x}y\n  auth_pass y {\n}\n", [
      "k.conf:1: authentication {: is not closed until the end of the file",
    ]],
  ];
  for (const [text, refused] of rows) {
    const outcome = importConfiguration({ keepalived: [{ node: null, file: "k.conf", text }], haproxy: null });
    assert.ok("refused" in outcome, text);
    assert.deepEqual(outcome.refused.map(formatLeftover), refused, text);
  }
  // Comments, quotes and definitions may hold any brace.
  assert.deepEqual(unbalancedBraces(`# {\n$x={\n! }\n${vip}notify "a { b"\n`), []);
});

Deno.test("importConfiguration() leaves out an instance without an IPv4 address", () => {
  const named = (name: string, id: number, addresses: string) =>
    `vrrp_instance ${name} {\ninterface eth0\nvirtual_router_id ${id}\n${addresses}\n}\n`;
  const outcome = fromKeepalived(
    named("VI_6", 6, "virtual_ipaddress {\n2001:db8::9/64\n}") + named("VI_0", 7, "") +
      named("VI_4", 8, "virtual_ipaddress {\n192.0.2.9\n}"),
  );
  const why = "is left out: it has no IPv4 address in virtual_ipaddress, and IPv6 is not in this version of vrrp";
  assert.deepEqual(leftovers(outcome), [
    `k.conf:1: vrrp_instance VI_6 {: ${why}`,
    "k.conf:5: 2001:db8::9/64: IPv6 is not in this version of vrrp",
    `k.conf:8: vrrp_instance VI_0 {: ${why}`,
  ]);
  assert.ok(!/VI_[06]/.test(outcome.yaml), outcome.yaml);
  assertGood(outcome);
});

Deno.test("importConfiguration() carries what an instance of keepalived says", () => {
  const rows: readonly Row[] = [
    ["", ["version: 2"]],
    ["version 3\nadvert_int 0.3", ["advert_int: 300ms"]],
    ["advert_int 5", ["version: 2", "advert_int: 5s"]],
    ["advert_int 0.4", ["version: 2", "advert_int: 1s"], [
      "k.conf:7: advert_int 0.4: keepalived sends 1 s at version 2; so does this file",
    ]],
    ["priority 150\nnopreempt", ["version: 2", "priority: 150", "preempt: false"]],
    ["preempt_delay 30.5", ["version: 2", "preempt_delay: 30.5s"]],
    ["state BACKUP", ["version: 2"]],
    [
      "authentication {\nauth_type PASS\nauth_pass abcdefghij\n}",
      ["version: 2", "authentication: { type: pass, password: abcdefgh }"],
      ["k.conf:9: auth_pass …: keepalived sends the first 8 characters; so does this file"],
    ],
    ["authentication {\nauth_type AH\nauth_pass x\n}", ["version: 2"], [
      "k.conf:7: authentication {: authentication AH is not known; only PASS is",
    ]],
    ["version 3\nauthentication {\nauth_type PASS\nauth_pass x\n}", [], [
      "k.conf:8: authentication {: VRRPv3 has no passwords (RFC 9568 §1.2)",
    ]],
    ["track_interface {\neth1\neth2 weight -10\n}", [
      "version: 2",
      "track:",
      "  interfaces: [ eth1, { name: eth2, effect: yield } ]",
    ]],
    ["garp_master_repeat 3\ngarp_master_refresh 30", ["version: 2", "garp: { repeat: 3, refresh: 30s }"]],
    ["unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}", [
      "version: 2",
      "unicast:",
      "  peers: [ 192.0.2.2 ]",
      "  source: 192.0.2.1",
    ]],
    ["use_vmac", ["version: 2"], [
      "k.conf:7: use_vmac: virtual_mac is not in this version; the address moves to the interface's own MAC",
    ]],
    ["priority high", ["version: 2"], ["k.conf:7: priority high: must be a number"]],
    ["priority 300", ["version: 2"], ["k.conf:7: priority 300: is not carried: must be 1–255, got 300"]],
    ["version 3\nadvert_int 60", [], [
      "k.conf:8: advert_int 60: is not carried: must be at most 40.95 s at version 3, so advert_int is 1s",
    ]],
    ["garp_master_repeat 0", ["version: 2"], ["k.conf:7: garp_master_repeat 0: is not carried: must be 1–100, got 0"]],
  ];
  for (const [lines, wanted, left = []] of rows) {
    const imported = fromKeepalived(instance(lines));
    const written = body(imported).slice(2).map((line) => line.slice(4));
    const always = ["interface: eth0", "virtual_router_id: 51", "virtual_addresses: [ 192.0.2.100/24 ]"];
    assert.deepEqual(written.filter((line) => !always.includes(line)), wanted, lines);
    assert.deepEqual(leftovers(imported), left, lines);
    assertGood(imported);
  }
});

Deno.test("importConfiguration() carries keepalived's hooks where every instance has the same", () => {
  const other = "vrrp_instance VI_2 {\ninterface eth1\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.200\n}\n";
  const hooks = 'notify_master "/bin/x  up -v"\nnotify /bin/y';
  const left = (line: number, text: string, why: string) =>
    `k.conf:${line}: ${text}: ${why}; add to notify: { use: keepalived, with: { ${
      text.split(" ")[0]
    }: [PROGRAM, ARGUMENTS] }, events: vrrp.transition }`;
  const differ = "one notifier tells of all instances on all nodes, and theirs differ";
  const rows: [string, string[], string[]?][] = [
    [instance(""), []],
    [instance(hooks), [
      "notify:",
      "  - use: keepalived",
      "    with:",
      "      notify_master: [ /bin/x, up, -v ]",
      "      notify: [ /bin/y ]",
      "    events: vrrp.transition",
    ]],
    [`${instance("notify_stop /bin/x")}${other}notify_stop /bin/x\n}\n`, [
      "notify:",
      "  - use: keepalived",
      "    with:",
      "      notify_stop: [ /bin/x ]",
      "    events: vrrp.transition",
    ]],
    [`${instance("notify /bin/x")}${other}}\n`, [], [left(7, "notify /bin/x", differ)]],
    [instance("notify /bin/x nobody"), [], [
      left(7, "notify /bin/x nobody", "programs run as whoever Tandem runs as, not as another user"),
    ]],
    [instance("notify \"/bin/x 'a b'\""), [], [
      left(7, "notify \"/bin/x 'a b'\"", "quotes within a command are not carried"),
    ]],
    [instance("notify /bin/x\nnotify /bin/y"), [], [
      left(7, "notify /bin/x", "only one program of a kind is carried"),
      left(8, "notify /bin/y", "only one program of a kind is carried"),
    ]],
  ];
  for (const [text, wanted, lost = []] of rows) {
    const imported = fromKeepalived(text);
    const lines = body(imported);
    const from = lines.indexOf("notify:");
    assert.deepEqual(from === -1 ? [] : lines.slice(from), wanted, text);
    assert.deepEqual(leftovers(imported), lost, text);
    assertGood(imported);
  }
});

Deno.test("importConfiguration() keeps what differs between nodes under nodes:", () => {
  const imported = fromKeepalived(
    instance("priority 101\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}"),
    instance("priority 100\nunicast_src_ip 192.0.2.2\nunicast_peer {\n192.0.2.1\n}\npreempt_delay 5").replace(
      "eth0",
      "eth1",
    ) +
      "vrrp_instance VI_2 {\ninterface eth1\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.200\n}\n}\n",
  );
  assert.deepEqual(body(imported), [
    "nodes:",
    "  a:",
    "    address: 192.0.2.1",
    "    vrrp: { VI_2: null }",
    "  b:",
    "    address: 192.0.2.2",
    "    vrrp:",
    "      VI_1: { interface: eth1, preempt_delay: 5s }",
    "vrrp:",
    "  VI_1:",
    "    interface: eth0",
    "    virtual_router_id: 51",
    "    version: 2",
    "    priority: { a: 101, b: 100 }",
    "    virtual_addresses: [ 192.0.2.100/24 ]",
    "    unicast:",
    "      peers: [ 192.0.2.1, 192.0.2.2 ]",
    "  VI_2:",
    "    interface: eth1",
    "    virtual_router_id: 52",
    "    version: 2",
    "    virtual_addresses: [ 192.0.2.200 ]",
  ]);
  assertGood(imported);
});

Deno.test("importConfiguration() makes nodes of keepalived's @NODE lines", () => {
  const imported = fromKeepalived(instance("@dlp1 priority 101\n@dlp2 priority 100"));
  assert.deepEqual(body(imported).slice(0, 3), ["nodes:", "  dlp1: {}", "  dlp2: {}"]);
  assert.ok(body(imported).includes("    priority: { dlp1: 101, dlp2: 100 }"));
  assertGood(imported);
});

Deno.test("parseHaproxy() reads quotes, escapes and comments", () => {
  const text = `# comment
global
  a "b c" 'd"e' f\\ g # rest
  h "i\\"j"
frontend x
`;
  assert.deepEqual(
    parseHaproxy(text).map(({ kind, name, lines }) => [kind, name, ...lines.map(({ words }) => words)]),
    [["global", "", ["a", "b c", 'd"e', "f g"], ["h", 'i"j']], ["frontend", "x"]],
  );
});

Deno.test("importConfiguration() carries what HAProxy's proxies say", () => {
  const listen = (...lines: string[]) => `listen web\n bind :80\n server one 192.0.2.1:80\n${lines.join("\n")}\n`;
  const http = ["bind: :80", "forwardfor: false", "default_backend: web"];
  const tcp = ["bind: :80", "mode: tcp", "default_backend: web"];
  const server = "servers: { one: 192.0.2.1:80 }";
  const rows: readonly Row[] = [
    [listen(), [...tcp, server]],
    [listen("mode http"), [...http, server]],
    [listen("mode http", "option forwardfor except 10.0.0.0/8"), [
      "bind: :80",
      "forwardfor: true",
      "trusted_proxies: [ 10.0.0.0/8 ]",
      "default_backend: web",
      server,
    ]],
    [listen("timeout client 1500", "timeout server 2m"), [
      ...tcp,
      "timeouts: { tunnel: 1.5s }",
      server,
      "timeouts: { server: 2m }",
    ]],
    [listen("timeout client 5s", "timeout tunnel 1h"), [...tcp, "timeouts: { tunnel: 1h }", server]],
    [listen("server two 192.0.2.2:80 weight 5 maxconn 10 backup"), [
      ...tcp,
      "servers:",
      "  one: 192.0.2.1:80",
      "  two: { address: 192.0.2.2:80, weight: 5, maxconn: 10, backup: true }",
    ]],
    [listen("server two 192.0.2.2:80 check inter 500 fall 2 port 81"), [
      ...tcp,
      "check: { port: 81, interval: 500ms, fall: 2 }",
      "servers:",
      "  one: { address: 192.0.2.1:80, check: none }",
      "  two: 192.0.2.2:80",
    ]],
    [
      listen(
        "default-server check inter 1s fastinter 200ms slowstart 30s on-marked-down shutdown-sessions",
        "server two 192.0.2.2:80 fall 5 port 81",
      ).replace(
        "\n server one",
        "\n default-server check inter 1s fastinter 200ms slowstart 30s on-marked-down shutdown-sessions\n server one",
      ),
      [
        ...tcp,
        "check: { interval: 1s, fast_interval: 200ms }",
        "on_down: close",
        "slow_start: 30s",
        "servers:",
        "  one: 192.0.2.1:80",
        "  two:",
        "    address: 192.0.2.2:80",
        "    check: { port: 81, fall: 5 }",
      ],
    ],
    [
      "defaults\n mode http\n option httpchk GET /up HTTP/1.1\\r\\nHost:\\ a.example\n timeout check 3s\n" +
      listen("http-check expect status 200-299", "default-server check").replace(
        "\n server",
        "\n default-server check\n server",
      ),
      [
        ...http,
        "check:",
        "  type: http",
        "  path: /up",
        "  host: a.example",
        "  expect:",
        "    status: [ 200-299 ]",
        "  timeout: 3s",
        server,
      ],
    ],
    [
      "global\n external-check\n insecure-fork-wanted\ndefaults\n external-check command /usr/local/bin/ok\n" +
      listen("option external-check", "external-check path /usr/bin:/bin").replace(
        ":80\nopt",
        ":80 check inter 5s port 81\nopt",
      ),
      [
        ...tcp,
        "check:",
        "  type: command",
        "  command: [ /usr/local/bin/ok ]",
        "  arguments: haproxy",
        "  interval: 5s",
        server,
      ],
    ],
    [listen("balance leastconn"), [...tcp, "balance: leastconn", server]],
    [listen("mode http", "balance hdr(X-User)", "hash-type consistent"), [
      ...http,
      "balance:",
      "  use: header",
      "  with: { name: X-User }",
      server,
    ]],
    [listen("balance url_param u"), [...tcp, server], [
      "h.cfg:4: balance url_param u: balance url_param is not in this version; roundrobin is used",
    ]],
    [listen("mode http", "cookie SRV insert indirect nocache", "server two 192.0.2.2:80 cookie s2"), [
      ...http,
      "stickiness: { cookie: SRV, value: name }",
      "servers: { one: 192.0.2.1:80, two: 192.0.2.2:80 }",
    ], [
      "h.cfg:5: cookie SRV insert indirect nocache: nocache is not in this version: a response that brings the cookie may be kept by caches",
      'h.cfg:6: server two 192.0.2.2:80 cookie s2: the cookie\'s value is the server\'s name, "two", and not "s2"',
    ]],
    [listen("mode http", "cookie SRV prefix"), [...http, server], [
      "h.cfg:5: cookie SRV prefix: only cookies that the balancer inserts are part of Tandem: cookie NAME insert",
    ]],
    [listen("server two 192.0.2.2:80 check port 81 rise 9", "server three 192.0.2.3:80 check"), [
      ...tcp,
      "check: { port: 81, rise: 9 }",
      "servers:",
      "  one: { address: 192.0.2.1:80, check: none }",
      "  two: 192.0.2.2:80",
      "  three:",
      "    address: 192.0.2.3:80",
      "    check: { port: null, rise: null }",
    ]],
    [listen("server tls 192.0.2.9:443 ssl verify none"), [...tcp, server], [
      "h.cfg:4: server tls 192.0.2.9:443 ssl verify none: is left out: TLS to servers is not in this version",
    ]],
    [listen("server dns web.example:80"), [...tcp, "servers: { one: 192.0.2.1:80, dns: web.example:80 }"]],
    [listen("bind :443 ssl crt x.pem"), [...tcp, server], [
      "h.cfg:4: bind :443 ssl crt x.pem: TLS is not in this version",
    ]],
    [listen("stats auth admin:hunter2"), [...tcp, server], [
      "h.cfg:4: stats auth …: the dashboard of the admin API takes its place (admin:)",
    ]],
  ];
  for (const [text, wanted, left = []] of rows) {
    const imported = fromHaproxy(text);
    const written = body(imported).filter((line) => line.startsWith("    ")).map((line) => line.slice(4));
    assert.deepEqual(written, wanted, text);
    assert.deepEqual(leftovers(imported), left, text);
    assertGood(imported);
  }
});

Deno.test("importConfiguration() says once that a page of statistics is left out", () => {
  const imported = fromHaproxy(
    "listen stats\nbind :8404\nstats enable\nstats uri /\nlisten a\nbind :80\nserver s 192.0.2.1:80\n",
  );
  assert.deepEqual(leftovers(imported), [
    "h.cfg:1: listen stats: the dashboard of the admin API takes its place (admin:)",
  ]);
  assertGood(imported);
});

Deno.test("importConfiguration() leaves out what would not be served, and says so", () => {
  const imported = fromHaproxy(
    "frontend a\n bind :443 ssl crt x\n default_backend b\nbackend b\n server x web:443 ssl\npeers p\n peer x\n",
  );
  assert.deepEqual(body(imported), []);
  assert.deepEqual(leftovers(imported), [
    "h.cfg:1: frontend a: is left out: no bind of it can be carried",
    "h.cfg:2: bind :443 ssl crt x: TLS is not in this version",
    "h.cfg:4: backend b: is left out: no server of it can be carried",
    "h.cfg:5: server x web:443 ssl: is left out: TLS to servers is not in this version",
    "h.cfg:6: peers p: has no counterpart in this version",
  ]);
});

Deno.test("importConfiguration() answers any text without an exception, and writes nothing that is no value", () => {
  const scraps = [
    "{",
    "}",
    '"',
    "vrrp_instance",
    "server",
    "bind",
    "option httpchk",
    "http-check send hdr",
    "timeout",
    "\nacl a path",
    "\nuse_backend web if a !{ src 10.0.0.0/8 } or",
    "\nhttp-request deny deny_status 4 if {",
    "\nhttp-request set-header X {%[src]}",
    "\nredirect prefix x code",
    "\nmonitor-uri",
    "\n",
    "@a",
    "$x=1",
    "$x",
  ];
  const base = [
    "global\n maxconn 10\ndefaults\n mode http\n timeout client 5s\nlisten web\n bind :80\n server a 192.0.2.1:80 check inter 1s weight 2\n",
    instance(
      "priority 100\nauthentication {\nauth_type PASS\nauth_pass x\n}\ntrack_interface {\neth1 weight 2\n}\ngarp_master_delay 5",
    ),
  ];
  let state = 42;
  const random = (below: number) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
  for (let round = 0; round < 200; round++) {
    let text = base[round % 2];
    for (let step = 0; step < 3; step++) {
      const at = random(text.length);
      text = text.slice(0, at) + (random(2) ? scraps[random(scraps.length)] : "") + text.slice(at + random(8));
    }
    const readable = unbalancedBraces(text).length === 0;
    if (!readable) assert.throws(() => fromKeepalived(text));
    const outcomes = readable ? [fromKeepalived(text), fromKeepalived(text, base[1])] : [];
    for (const imported of [fromHaproxy(text), ...outcomes]) {
      assert.ok(!/undefined|\.nan|\[object/i.test(imported.yaml), `${text}\n${imported.yaml}`);
      check({ file: "t.yaml", text: imported.yaml, node: null, hostname: "h", readSecret: () => "s" });
    }
  }
});

/** A frontend with these lines, in front of backends app and api. */
function routed(lines: readonly string[], mode = "http"): string {
  return `defaults
mode ${mode}
frontend web
bind :80
${lines.join("\n")}
default_backend app
backend app
server a 192.0.2.10:80
backend api
server a 192.0.2.11:80
`;
}

Deno.test("importConfiguration() makes routes of what decides about requests", () => {
  const imported = fromHaproxy(routed([
    "acl shop hdr(host) -i Shop.example www.shop.example",
    "acl shop hdr_end(host) .shop.example",
    "acl api path_beg /api/",
    "acl beta req.hdr(x-beta) 1",
    "monitor-uri /lb-health",
    "http-request set-header X-Edge 1",
    "http-request add-header X-Client %[src]",
    "http-response del-header Server",
    "use_backend api if shop api or beta",
    "redirect prefix https://new.example code 301 if { hdr(host) old.example }",
    "http-request deny deny_status 404 if { path_beg /.git/ } || { path /.env }",
    'http-request return status 503 content-type text/plain string "back soon" if { src 10.0.0.0/8 }',
    "use_backend api if METH_POST { urlp(v) 2 3 }",
    "http-request redirect scheme https unless { ssl_fc }",
  ]));
  assert.deepEqual(body(imported).slice(0, 25), [
    "frontends:",
    "  web:",
    "    bind: :80",
    "    forwardfor: false",
    "    monitor: { path: /lb-health }",
    "    request_headers:",
    '      set: { X-Edge: "1" }',
    '      add: { X-Client: "{client_ip}" }',
    "    response_headers:",
    "      remove: [ Server ]",
    "    routes:",
    "      - match: { path: /.git/* }",
    "        respond: { status: 404 }",
    "      - match: { path: /.env }",
    "        respond: { status: 404 }",
    "      - match: { client: 10.0.0.0/8 }",
    "        respond:",
    "          status: 503",
    "          headers: { content-type: text/plain }",
    "          body: back soon",
    '      - redirect: { to: "https://{host}{uri}", status: 302 }',
    "    default_backend: app",
    "backends:",
    "  app:",
    "    servers: { a: 192.0.2.10:80 }",
  ]);
  assertGood(imported);
  const why = "line 18 takes every request before it, as nothing here is TLS";
  assert.deepEqual(leftovers(imported), [
    `h.cfg:13: use_backend api if shop api or beta: ${why}`,
    `h.cfg:14: redirect prefix https://new.example code 301 if { hdr(host) old.example }: ${why}`,
    `h.cfg:17: use_backend api if METH_POST { urlp(v) 2 3 }: ${why}`,
  ]);
});

Deno.test("importConfiguration() carries conditions that a match says exactly, and no others", () => {
  const rows: readonly [lines: readonly string[], match: readonly string[] | null, why?: string][] = [
    [["use_backend api if { hdr(host) -i A.example b.example }"], ["host: [ a.example, b.example ]"]],
    [["use_backend api if { req.hdr(host) -m end .a.example }"], ['host: "*.a.example"']],
    [["use_backend api if { path /a /b }"], ["path: [ /a, /b ]"]],
    [["use_backend api if METH_GET"], ["method: [ GET, HEAD ]"]],
    [["use_backend api if { src 192.0.2.1 } { path /a }"], ["client: 192.0.2.1", "path: /a"]],
    [["use_backend api if !{ ssl_fc } { path /a }"], ["path: /a"]],
    [["acl a hdr(x) 1", "acl a hdr(x) 2", "use_backend api if a"], ["header:", '  x: [ "1", "2" ]']],
    [
      ["use_backend api if { path_beg /v1 }"],
      null,
      '"/v1" at the beginning is "/v1x" too: routes go by whole segments, "/v1/*"',
    ],
    [["use_backend api if { path_reg ^/x }"], null, "path_reg is not part of routes"],
    [["use_backend api if !{ path /a }"], null, "routes have no negation"],
    [
      ["http-request deny if { path /a } !{ src 10.0.0.0/8 }"],
      null,
      "routes have no negation: a route's allow: lets in who is named; whom this line keeps out is let in",
    ],
    [
      ["use_backend api if { path /a } { path_beg /b/ }"],
      null,
      "two demands on the path at once are not part of routes",
    ],
    [["use_backend api if unknown"], null, "acl unknown is not known here"],
    [["use_backend %[req.hdr(host)]"], null, "names made of samples are not part of routes"],
    [
      ["http-request deny if { src -f /etc/bad }"],
      null,
      "-f is not part of routes; whom this line keeps out is let in",
    ],
    [
      ["http-request auth realm x if !{ http_auth(u) }"],
      null,
      "a route's basic_auth: { realm, users } asks for passwords; whom this line keeps out is let in",
    ],
    [
      ["http-request track-sc0 src"],
      null,
      "a route's rate_limit: { key, rate, burst } counts requests, by client_ip or by a field",
    ],
    [
      ["use_backend api if { sc_http_req_rate(0) gt 10 }"],
      null,
      "a route's rate_limit: { key, rate, burst } counts requests, by client_ip or by a field",
    ],
    [["use_backend api if { src_is_local }"], null, "src_is_local is not part of routes"],
    [["http-request set-path /x"], null, "a route's rewrite: { path } changes the path"],
    [["http-request set-header X-Forwarded-Proto http"], null, "forwardfor writes this field"],
    [["http-request set-header X %[rand]"], null, "formats are not carried"],
    [["http-request set-header X 1 if { path /a }"], null, "fields are changed for all requests, or by a route"],
    [["redirect location /x?%[query]"], null, "formats are not carried"],
    [["redirect prefix /x drop-query"], null, "only code is carried of a redirect's options"],
  ];
  for (const [lines, match, why] of rows) {
    const imported = fromHaproxy(routed(lines));
    assertGood(imported);
    const written = body(imported);
    const at = written.findIndex((line) => line.includes("match:"));
    if (match === null) {
      assert.equal(at, -1, lines.join());
      assert.equal(leftovers(imported).length, 1, lines.join());
      assert.ok(leftovers(imported)[0].endsWith(`: ${why}`), leftovers(imported)[0]);
      continue;
    }
    assert.deepEqual(leftovers(imported), []);
    const text = written.slice(at, written.indexOf("        backend: api")).join("\n");
    for (const line of match) assert.ok(text.includes(line.trim()), `${line} in ${text}`);
  }
});

Deno.test("importConfiguration() makes routes by name of what goes by the ClientHello", () => {
  const imported = fromHaproxy(routed([
    "tcp-request inspect-delay 5s",
    "use_backend api if { req.ssl_sni -i db.example }",
    "use_backend api if { path /a }",
  ], "tcp"));
  assertGood(imported);
  assert.ok(body(imported).includes("      - match: { sni: db.example }"));
  assert.deepEqual(leftovers(imported), [
    "h.cfg:5: tcp-request inspect-delay 5s: Tandem waits by itself for what its routes go by",
    "h.cfg:7: use_backend api if { path /a }: path is nothing to go by in mode tcp",
  ]);
});

Deno.test("importConfiguration() carries where HAProxy logs requests", () => {
  const to = (log: string) => `    to: ${log}`;
  const rows: readonly (readonly [global: string, proxy: string, to: string | null, left: readonly string[]])[] = [
    ["log /dev/log local0", "log global\noption httplog", to("{ syslog: /dev/log }"), []],
    ["log 127.0.0.1 local0 info", "log global", to("{ syslog: 127.0.0.1:514 }"), []],
    [
      "log 192.0.2.1:5514 len 4096 format rfc5424 daemon",
      "log global",
      to("{ syslog: 192.0.2.1:5514, facility: daemon }"),
      [],
    ],
    ["log 192.0.2.1 sample 1:10 local0", "log global", to("{ syslog: 192.0.2.1:514 }"), [
      "log 192.0.2.1 sample 1:10 local0: every request is logged, not a sample of them",
    ]],
    ["", "log [2001:db8::1]:514 local0\noption tcplog", to('{ syslog: "[2001:db8::1]:514" }'), []],
    ["log 192.0.2.1 locl0", "log global", null, ["log 192.0.2.1 locl0: there is no facility locl0"]],
    ["log stdout format raw daemon", "log global", to("stdout"), []],
    // Debian's: events on their own facility, which requests never go to.
    [
      "log /dev/log local0\nlog /dev/log local1 notice",
      "log global",
      to("{ syslog: /dev/log }"),
      ['log /dev/log local1 notice: takes no requests, which are "info"; events go to stderr'],
    ],
    ["log /dev/log local0", "option httplog", null, [
      'log /dev/log local0: no proxy says "log global", so no request is logged; events go to stderr',
      "option httplog: no request is logged before a target is: log: { access: { format: text } }",
    ]],
    ["", "log loghost:514 local0", null, [
      'log loghost:514 local0: log.access.to is stdout, { file }, or { syslog } with an IP address, such as "192.0.2.1:514", or a path',
    ]],
    [
      "log 192.0.2.1 local0",
      "log global\nlog 192.0.2.2 local0\nlog-format %ci\nno log",
      to("{ syslog: 192.0.2.1:514 }"),
      [
        "log 192.0.2.2 local0: requests are logged to one place, log.access.to",
        "log-format %ci: a line has the format log.access.format: json or text",
        "no log: requests of all frontends are logged alike, by log.access",
      ],
    ],
  ];
  for (const [global, proxy, wanted, left] of rows) {
    const text = `global\n${global || "\n"}\ndefaults\n${proxy}\nlisten a\nbind :80\nserver s 192.0.2.9:80\n`;
    const imported = fromHaproxy(text);
    assertGood(imported);
    const [, log = null] = imported.yaml.split("log:\n  access:\n    format: text\n");
    assert.equal(log, wanted === null ? null : `${wanted}\n`, text);
    assert.deepEqual(leftovers(imported).map((line) => line.replace(/^h\.cfg:\d+: /, "")), left, text);
  }
});

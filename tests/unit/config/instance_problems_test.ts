import assert from "node:assert/strict";
import { instance, problemsOf } from "./loading.ts";

/** Lines of an instance (the first is line 7), and its problems. */
type Row = readonly [string | readonly string[], ...string[]];

function table(rows: readonly Row[]): void {
  for (const [lines, ...wanted] of rows) {
    const text = instance(...(typeof lines === "string" ? [lines] : lines));
    assert.deepEqual(problemsOf(text), wanted.map((line) => line.replace(/^(\d+:\d+: )/, "$1vrrp.VI_1.")), text);
  }
}

Deno.test("load() refuses values of an instance outside their range, got and wanted", () => {
  table([
    ["version: 4", "7:14: version: must be 2 or 3, got 4"],
    ["priority: 0", "7:15: priority: must be 1–255, got 0"],
    ["priority: 256", "7:15: priority: must be 1–255, got 256"],
    ["priority: 1.5", "7:15: priority: must be a whole number of 1–255, got 1.5"],
    ['priority: "100"', '7:15: priority: must be a whole number of 1–255, got "100" in quotes'],
    ["preempt: yes", '7:14: preempt: must be true or false, got "yes"'],
    ["checksum: puesdo", '7:15: checksum: must be auto, pseudo or plain, got "puesdo"; did you mean pseudo?'],
    ["garp: { repeat: 0 }", "7:21: garp.repeat: must be 1–100, got 0"],
    ["garp: { refresh: 10ms }", "7:22: garp.refresh: must be 0s (off) or at least 1s, got 10ms"],
    ["garp: { delay: 2m }", "7:20: garp.delay: must be 0ms–1m, got 2m"],
    ["handover: { drain: 2h }", "7:24: handover.drain: must be 0ms–1h, got 2h"],
    ["handover: { connections: on }", '7:30: handover.connections: must be auto or none, got "on"'],
    ["unicast: { peers: [192.0.2.2], min_ttl: 0 }", "7:45: unicast.min_ttl: must be 1–255, got 0"],
    ["unicast: { peers: [] }", "7:23: unicast.peers: must not be empty: leave unicast out for multicast"],
    ["unicast: {}", "7:14: unicast.peers: is required"],
    ["unicast: { peers: [peer] }", '7:24: unicast.peers[0]: must be an IP address, got "peer"'],
    ["virtual_addresses: []", "6:24: virtual_addresses: must not be empty: an instance holds an address"],
    ["virtual_addresses: 192.0.2.1", '6:24: virtual_addresses: must be a list, got "192.0.2.1"'],
    ["virtual_addresses: [192.0.2.1/33]", '6:25: virtual_addresses[0]: must have a prefix of 0–32, got "/33"'],
    ["virtual_addresses: [{ interface: eth1 }]", "6:25: virtual_addresses[0].address: is required"],
  ]);
});

Deno.test("load() takes an advert_int that the version can put on the wire, and rounds none", () => {
  const bare = (value: string) =>
    `7:17: advert_int: needs a unit: keepalived would read ${value} s, HAProxy ${value} ms; write "${value}s" or "${value}ms"`;
  const whole = "8:17: advert_int: must be whole seconds at version 2 (version 3 has 10ms–40.95s), got";
  const range3 = "7:17: advert_int: must be 10ms–40.95s at version 3, got";
  table([
    ["advert_int: 1s"],
    ["advert_int: 10ms"],
    ["advert_int: 40.95s"],
    [["version: 2", "advert_int: 1s"]],
    [["version: 2", "advert_int: 255s"]],
    ["advert_int: 1", bare("1")],
    ["advert_int: 0.4", bare("0.4")],
    ["advert_int: 0s", `${range3} 0ms`],
    ["advert_int: 40.96s", `${range3} 40.96s`],
    ["advert_int: 15ms", "7:17: advert_int: must be a multiple of 10ms at version 3, got 15ms"],
    [["version: 2", "advert_int: 100ms"], `${whole} 100ms`],
    [["version: 2", "advert_int: 1.5s"], `${whole} 1.5s`],
    [["version: 2", "advert_int: 0s"], "8:17: advert_int: must be 1s–255s at version 2, got 0ms"],
    [["version: 2", "advert_int: 256s"], "8:17: advert_int: must be 1s–255s at version 2, got 4m16s"],
  ]);
});

Deno.test("load() refuses passwords that YAML or the wire would change, and shows none", () => {
  const pass = (value: string) => ["version: 2", `authentication: { type: pass, password: ${value} }`];
  const at = "8:45: authentication.password:";
  table([
    [pass('"1111"')],
    [pass("secret#1")],
    [pass("1111"), `${at} is text, but YAML reads it as a number: quote it`],
    [pass("00001111"), `${at} is text, but YAML reads it as a number: quote it`],
    [pass("0x1F"), `${at} is text, but YAML reads it as a number: quote it`],
    [pass("on"), `${at} is text, but YAML reads it as yes or no: quote it`],
    [pass("11:22"), `${at} is text, but YAML 1.1 reads it as a number in base 60: quote it`],
    [pass('"123456789"'), `${at} must be at most 8 bytes, got 9; keepalived would cut it silently`],
    [pass('"päßwörd"'), `${at} must be at most 8 bytes, got 10; keepalived would cut it silently`],
    [pass('""'), `${at} must not be empty`],
    [pass("[hunter2]"), `${at} must be text, { file }, { env } or { secret }, got a list`],
    [pass("{ fil: hunter2 }"), `${at} must have one of the keys file, env and secret`],
    [pass("{ file: hunter2, env: HUNTER2 }"), `${at} must have only one of the keys file, env and secret`],
    [pass("{ env: A, secret: b, x: c }"), `${at} must have only one of the keys file, env and secret`],
    [pass("!!binary aHVudGVyMg=="), `${at} begins with ! and is a YAML tag, which means nothing here: quote it`],
    [pass("!!str 1111")],
    [pass("!hunter2"), `${at} begins with ! and is a YAML tag, which means nothing here: quote it`],
    [
      ["version: 2", "authentication:", "  type: pass", "  password: ab #cd"],
      '10:17: authentication.password: is cut at " #", where YAML begins a comment: quote it, or move the comment',
    ],
    [
      ["version: 2", "authentication:", "  type: pass", "  password: #cd"],
      "10:17: authentication.password: is nothing, because YAML begins a comment at #: quote it",
    ],
    [
      ["version: 2", "authentication: hunter2"],
      "8:21: authentication: must be a map (type, password, also_accept), got something else (not shown: it may be secret)",
    ],
    [["version: 2", "authentication: { type: ah, password: x }"], '8:29: authentication.type: must be pass, got "ah"'],
    [
      ["version: 2", "authentication: { type: pass, password: x, also_accept: [123456789, y] }"],
      "8:62: authentication.also_accept[0]: is text, but YAML reads it as a number: quote it",
    ],
    [
      ["authentication: { type: pass, password: x }"],
      "7:21: authentication: needs version: 2; VRRPv3 has no passwords (RFC 9568 §1.2)",
    ],
  ]);
});

Deno.test("load() refuses instances that cannot do what they say", () => {
  table([
    [
      ["preempt: false", "preempt_delay: 5s"],
      "8:20: preempt_delay: delays nothing with preempt: false: leave one of the two out",
    ],
    [["version: 2", "checksum: plain"], "8:15: checksum: needs version: 3; version 2 has one checksum only"],
    [
      ["handover: { connections: none, drain: 5s }"],
      "7:43: handover.drain: waits for nothing with connections: none: leave one of the two out",
    ],
    [
      ["virtual_addresses: [192.0.2.1/24, 192.0.2.1/24]"],
      "6:39: virtual_addresses[1]: 192.0.2.1 is given twice, first as entry 1",
    ],
    [
      ["virtual_addresses: [224.0.0.18]"],
      "6:25: virtual_addresses[0]: 224.0.0.18 is a multicast address: no machine can hold it",
    ],
    [
      ["virtual_addresses: [127.0.0.1/8]"],
      "6:25: virtual_addresses[0]: 127.0.0.1 is a loopback address: no machine can hold it",
    ],
    [
      ["virtual_addresses: [192.0.2.0/24]"],
      "6:25: virtual_addresses[0]: 192.0.2.0/24 is the address of the network itself: no machine can hold it",
    ],
    [
      ["virtual_addresses: [192.0.2.255/24]"],
      "6:25: virtual_addresses[0]: 192.0.2.255/24 is the broadcast address of its network: no machine can hold it",
    ],
    [["virtual_addresses: [192.0.2.0/31, 192.0.2.255/32]"]],
    [
      ["virtual_addresses: [2001:db8::1/64]"],
      "6:25: virtual_addresses[0]: IPv6 is not in this version of vrrp: give an IPv4 address",
    ],
    [
      ["unicast: { peers: [192.0.2.100] }"],
      "7:24: unicast.peers[0]: 192.0.2.100 is a virtual address of this instance: name the peers' own addresses",
    ],
    [
      ["unicast: { peers: [224.0.0.18] }"],
      "7:24: unicast.peers[0]: 224.0.0.18 is a multicast address: it cannot be a peer",
    ],
    [["unicast: { peers: [192.0.2.2, 192.0.2.2] }"], "7:35: unicast.peers[1]: 192.0.2.2 is given twice"],
    [["track: { backends: [web] }"], '7:25: track.backends[0]: unknown backend "web"; there is none'],
    [["track: { frontends: [{ name: web }] }"], '7:34: track.frontends[0].name: unknown frontend "web"; there is none'],
    [
      ["track: { interfaces: [{ name: eth0, effect: none }] }"],
      "7:49: track.interfaces[0].effect: cannot be none for eth0: without its own interface an instance cannot advertise",
    ],
    [["track: { interfaces: [eth1, eth1] }"], '7:33: track.interfaces[1]: "eth1" is tracked twice'],
  ]);
});

Deno.test("load() answers what later versions bring with what to do instead", () => {
  table([
    [["virtual_mac: false"]],
    [
      ["virtual_mac: true"],
      "7:18: virtual_mac: true is not in this version: the address moves to the interface's own MAC; leave it out",
    ],
    [
      ["sync_group: edge"],
      "7:5: sync_group: is not in this version: give each instance the same track: entries, so that they move together",
    ],
    [
      ["authentication: { type: hmac, keys: { 1: { secret: k } }, sign_with: 1 }"],
      "7:29: authentication.type: is not in this version: use type: pass with version: 2, or leave authentication out",
    ],
    [
      ["virtual_addresses: [{ address: 192.0.2.1, via: aws }]"],
      "6:47: virtual_addresses[0].via: is not in this version: virtual addresses are put on an interface of this machine; leave via out",
    ],
    [
      ["track: { scripts: [{ command: [/bin/true] }] }"],
      "7:14: track.scripts: is not in this version: write a health check of a backend (check: { type: http, … }) and track that",
    ],
  ]);
});

Deno.test("load() names the nearest known key", () => {
  table([
    ["advert_interval: 1s", '7:5: advert_interval: unknown key; did you mean "advert_int"?'],
    ["virtual-mac: false", '7:5: virtual-mac: unknown key; did you mean "virtual_mac"?'],
    ["preemptdelay: 1s", '7:5: preemptdelay: unknown key; did you mean "preempt_delay"?'],
    ["nopreempt: true", '7:5: nopreempt: unknown key; did you mean "preempt"?'],
    ["garp: { repaet: 3 }", '7:13: garp.repaet: unknown key; did you mean "repeat"?'],
    ["garp: { qqqq: 3 }", "7:13: garp.qqqq: unknown key; there is repeat, delay, refresh"],
    ["x-mine: 1", "7:5: x-mine: unknown key"],
  ]);
});

Deno.test("load() refuses two instances that are one on the wire", () => {
  const text = `version: 1
vrrp:
  A: { interface: eth0, virtual_router_id: 51, virtual_addresses: [192.0.2.1/24] }
  B: { interface: eth0, virtual_router_id: 51, virtual_addresses: [{ address: 192.0.2.1/24 }] }
  C: { interface: eth1, virtual_router_id: 51, virtual_addresses: [192.0.2.3/24] }
`;
  assert.deepEqual(problemsOf(text), [
    "4:44: vrrp.B.virtual_router_id: is 51 on eth0 for both A and B: give each its own",
    "4:79: vrrp.B.virtual_addresses[0].address: 192.0.2.1 belongs to both A and B: an address has one instance",
  ]);
});

Deno.test("load() judges priorities by node", () => {
  const text = (priority: string) =>
    `version: 1
nodes: { dlp1: {}, dlp2: {} }
vrrp:
  VI_1: { interface: eth0, virtual_router_id: 1, virtual_addresses: [192.0.2.1/24], priority: ${priority} }
`;
  const rows: readonly (readonly [string, ...string[]])[] = [
    ["{ dlp1: 101, dlp2: 100 }"],
    ["100"],
    [
      "{ dlp1: 100, dlp2: 100 }",
      "4:114: vrrp.VI_1.priority.dlp2: is 100 on both dlp1 and dlp2: give them different ones, or write priority: 100 if neither is preferred",
    ],
    ["{ dlp2: 100 }", '4:95: vrrp.VI_1.priority: has no entry for node "dlp1"'],
    ["{ dlp1: 101, dlp3: 100 }", '4:114: vrrp.VI_1.priority.dlp3: unknown node "dlp3"; did you mean "dlp1"?'],
    ["{ dlp1: 101, dlp2: 0 }", "4:114: vrrp.VI_1.priority.dlp2: must be 1–255, got 0"],
    ["{}", "4:95: vrrp.VI_1.priority: must name a node"],
  ];
  for (const [priority, ...wanted] of rows) assert.deepEqual(problemsOf(text(priority)), wanted, priority);
});

Deno.test("load() refuses a virtual address that a node has for itself, unless it is the owner", () => {
  const text = (priority: string) =>
    `version: 1
nodes: { dlp1: { address: 192.0.2.1 }, dlp2: { address: 192.0.2.2 } }
vrrp:
  VI_1: { interface: eth0, virtual_router_id: 1, virtual_addresses: [192.0.2.1/24], priority: ${priority} }
`;
  assert.deepEqual(problemsOf(text("{ dlp1: 255, dlp2: 100 }")), []);
  assert.deepEqual(problemsOf(text("100")), [
    '4:70: vrrp.VI_1.virtual_addresses[0]: 192.0.2.1 is the own address of node "dlp1": a virtual address is one that no node has for itself',
  ]);
});

Deno.test("load() refuses trackers that can never cause a failover", () => {
  const text = (check: string, track: string) =>
    `version: 1
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 1
    virtual_addresses: [192.0.2.1/24]
    track: { backends: [${track}] }
backends:
  app: { ${check} servers: { a: 192.0.2.8:80, b: 192.0.2.9:80 } }
`;
  const rows: readonly (readonly [string, string, ...string[]])[] = [
    ["check: {},", "app"],
    ["", "{ name: app, effect: none }"],
    [
      "",
      "app",
      '7:25: vrrp.VI_1.track.backends[0]: can never cause a failover: backend "app" has no check, so its servers are always up; give it one (check: {})',
    ],
    [
      "check: {},",
      "{ name: app, min_up: 3 }",
      '7:46: vrrp.VI_1.track.backends[0].min_up: can never be met: backend "app" has 2 servers, got 3',
    ],
    ["check: {},", "{ name: app, min_up: 0 }", "7:46: vrrp.VI_1.track.backends[0].min_up: must be 1–10000, got 0"],
    ["check: {},", "aap", '7:25: vrrp.VI_1.track.backends[0]: unknown backend "aap"; did you mean "app"?'],
  ];
  for (const [check, track, ...wanted] of rows) assert.deepEqual(problemsOf(text(check, track)), wanted, track);
});

Deno.test("load() refuses nodes of one file that are no pair", () => {
  const text = (dlp2: string, address = "192.0.2.12") =>
    `version: 1
nodes:
  dlp1: { address: 192.0.2.11 }
  dlp2:
    address: ${address}
    vrrp: { VI_1: { ${dlp2} } }
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    virtual_addresses: [192.0.2.1/24, 192.0.2.2/24]
    priority: { dlp1: 101, dlp2: 100 }
`;
  const rows: readonly [dlp2: string, ...wanted: string[]][] = [
    ["interface: eth1, advert_int: 1s"],
    ["version: 3"],
    ["virtual_addresses: [192.0.2.2/24, 192.0.2.1/24]"],
    [
      "virtual_router_id: 52",
      "10:24: vrrp.VI_1.virtual_router_id: is 51 on dlp1 and 52 on dlp2: both would hold its addresses; VI_1 is one " +
      "virtual router, with one VRID",
    ],
    [
      "virtual_addresses: [192.0.2.2/24]",
      "11:24: vrrp.VI_1.virtual_addresses: has 192.0.2.1 on dlp1 and not on dlp2: nobody would hold what dlp1 leaves",
    ],
    // What is wrong with it for itself is told where that node is judged.
    ["virtual_router_id: 300"],
  ];
  for (const [dlp2, ...wanted] of rows) assert.deepEqual(problemsOf(text(dlp2)), wanted, dlp2);
  assert.deepEqual(problemsOf(text("version: 3", "192.0.2.11")), [
    "5:14: nodes.dlp2.address: 192.0.2.11 is the address of dlp1 already",
  ]);
});

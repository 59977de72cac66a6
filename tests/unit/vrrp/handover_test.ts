import { deepEqual, equal, match } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { advance, handoverDeadline } from "../../../runtime/vrrp/handover.ts";
import {
  type Handover,
  type HandoverEffect,
  type HandoverEvent,
  idle,
  type Standing,
} from "../../../runtime/vrrp/handover_state.ts";
import {
  decodeHandover,
  encodeHandover,
  type HandoverMessage,
  routerOf,
} from "../../../runtime/vrrp/handover_message.ts";
import { servedByBoth } from "../../../runtime/vrrp/handover_terms.ts";

const peer = parseAddress("192.0.2.2");
const stranger = parseAddress("192.0.2.66");

const terms = {
  id: "m1",
  cause: "failover",
  mac: "02:00:00:00:00:01",
  addresses: ["192.0.2.100"],
  ports: [80],
  drain: 30_000,
  keep: null,
} as const;
const offer: HandoverMessage = { type: "offer", ...terms };
const ready: HandoverMessage = { type: "ready", id: "m1", keep: null };
const refusal: HandoverMessage = { type: "refuse", id: "m1", reason: "it yields too" };
const released: HandoverMessage = { type: "released", id: "m1" };
const drained: HandoverMessage = { type: "drained", id: "m1" };
const request: HandoverMessage = { type: "request", id: "r1", priority: 200, cause: "preemption" };
const rescue: HandoverMessage = { ...request, cause: "rescue" };

const backup: Standing = { state: "backup", active: peer, priority: 100, yields: false, leaving: false };
const active: Standing = { ...backup, state: "active", active: null };

type Happening = HandoverEvent extends infer E ? E extends HandoverEvent ? Omit<E, "now"> : never : never;
const hears = (message: HandoverMessage, standing: Standing, from = peer): Happening => ({
  type: "message",
  from,
  message,
  standing,
});
const begin: Happening = { type: "offer", terms, peer };
const timer: Happening = { type: "timer" };

type Story = readonly (readonly [at: number, happening: Happening])[];

function play(story: Story): { state: Handover; effects: readonly HandoverEffect[] } {
  let state = idle;
  let effects: readonly HandoverEffect[] = [];
  for (const [now, happening] of story) [state, effects] = advance(state, { ...happening, now } as HandoverEvent);
  return { state, effects };
}

function brief(effect: HandoverEffect): string {
  if (effect.type === "send") return `send ${effect.message.type}`;
  if (effect.type === "proceed") return effect.keep === null ? "proceed" : `proceed without: ${effect.keep}`;
  return effect.type;
}

const offering: Story = [[0, begin]];
const moving: Story = [...offering, [5, hears(ready, active)]];
const draining: Story = [...moving, [10, { type: "moved" }]];
const agreed: Story = [[0, hears(offer, backup)], [0, { type: "forwarded", keep: null }]];
const forwarding: Story = [...agreed, [10, { type: "active" }]];
const asking: Story = [[0, { type: "ask", id: "r1", priority: 200, cause: "preemption", peer }]];

const rows: readonly [name: string, given: Story, at: number, happening: Happening, effects: string][] = [
  // giver
  ["offers to the peer", [], 0, begin, "send offer"],
  ["no Tandem peer", [], 0, { type: "offer", terms, peer: null }, "proceed without: no Tandem peer is heard"],
  ["too early for another try", offering, 60, timer, ""],
  ["second try", offering, 66, timer, "send offer"],
  ["third try", [...offering, [66, timer]], 132, timer, "send offer"],
  ["nobody answers", [...offering, [66, timer], [132, timer]], 198, timer, "proceed without: the peer does not answer"],
  ["ready", offering, 5, hears(ready, active), "retain, proceed"],
  [
    "ready, but its kernel cannot",
    offering,
    5,
    hears({ ...ready, keep: "no nftables" }, active),
    "proceed without: no nftables",
  ],
  ["ready from a stranger", offering, 5, hears(ready, active, stranger), ""],
  ["ready to another offer", offering, 5, hears({ ...ready, id: "m0" }, active), ""],
  ["ready twice", moving, 6, hears(ready, active), ""],
  ["refused", offering, 5, hears({ type: "refuse", id: "m1", reason: "it yields too" }, active), "cancel"],
  ["refused by a stranger", offering, 5, hears({ type: "refuse", id: "m1", reason: "no" }, active, stranger), ""],
  ["moved", moving, 10, { type: "moved" }, "stopForwarding, send released, drain"],
  [
    "moved without keeping",
    [...offering, [5, hears({ ...ready, keep: "no" }, active)]],
    10,
    { type: "moved" },
    "stopForwarding, send released, finished",
  ],
  ["moved to no Tandem", [], 10, { type: "moved" }, "stopForwarding, finished"],
  ["nobody took it", moving, 10, { type: "kept" }, "letGo, finished"],
  ["fault on the way", moving, 10, { type: "lost" }, "letGo, finished"],
  ["last connection ended", draining, 500, { type: "drained" }, "send drained, finished"],
  ["active again while draining", draining, 500, { type: "active" }, "letGo, send drained, finished"],
  ["drained without a move", [], 0, { type: "drained" }, ""],
  // taker
  ["offered", [], 0, hears(offer, backup), "forward, agreed"],
  ["rules are loaded", [[0, hears(offer, backup)]], 0, { type: "forwarded", keep: null }, "send ready"],
  ["offered by one who is not active", [], 0, hears(offer, { ...backup, active: stranger }), "send refuse"],
  ["offered before anyone was heard", [], 0, hears(offer, { ...backup, active: null }), "send refuse"],
  ["offered in fault", [], 0, hears(offer, { ...backup, state: "fault" }), "send refuse"],
  ["offered while active", [], 0, hears(offer, active), "send refuse"],
  [
    "offered because it yields, and we do too",
    [],
    0,
    hears({ ...offer, cause: "yield" }, { ...backup, yields: true }),
    "send refuse",
  ],
  ["offered by order, and we yield", [], 0, hears(offer, { ...backup, yields: true }), "forward, agreed"],
  ["agreement expires", agreed, 5000, timer, "stopForwarding"],
  ["became active", agreed, 10, { type: "active" }, "confirm, letGo"],
  [
    "became active without rules",
    [[0, hears(offer, backup)], [0, { type: "forwarded", keep: "no" }]],
    10,
    { type: "active" },
    "letGo, finished",
  ],
  ["became active by itself", [], 10, { type: "active" }, "letGo, finished"],
  ["giver released", forwarding, 12, hears(released, active), "announce"],
  ["stranger released", forwarding, 12, hears(released, active, stranger), ""],
  ["giver drained", forwarding, 900, hears(drained, active), "stopForwarding, finished"],
  ["stranger drained", forwarding, 900, hears(drained, active, stranger), ""],
  ["another move drained", forwarding, 900, hears({ ...drained, id: "m0" }, active), ""],
  ["rules ended by themselves", forwarding, 35_000, { type: "expired" }, "finished"],
  // request
  ["asks", [], 0, { type: "ask", id: "r1", priority: 200, cause: "preemption", peer }, "send request"],
  ["asks again", asking, 66, timer, "send request"],
  ["not answered", [...asking, [66, timer], [132, timer]], 198, timer, "refused"],
  ["refused request", asking, 5, hears({ type: "refuse", id: "r1", reason: "no" }, backup), "refused"],
  ["answered by an offer", asking, 5, hears(offer, backup), "forward, agreed"],
  ["asked", [], 0, hears(request, active), "leave"],
  ["asked while leaving", [], 0, hears(request, { ...active, leaving: true }), ""],
  ["asked with no higher priority", [], 0, hears({ ...request, priority: 100 }, active), "send refuse"],
  ["asked as backup", [], 0, hears(request, backup), "send refuse"],
  ["asked as a rescue while it yields", [], 0, hears(rescue, { ...active, priority: 1, yields: true }), "leave"],
  [
    "asked as a rescue, and priority 1 is all it was given",
    [],
    0,
    hears(rescue, { ...active, priority: 1 }),
    "send refuse",
  ],
  ["asked by failback", [], 0, hears({ ...request, cause: "failback" }, { ...active, priority: 1 }), "leave"],
];

Deno.test("advance() coordinates a move, row by row", () => {
  for (const [name, given, now, happening, effects] of rows) {
    const [, got] = advance(play(given).state, { ...happening, now } as HandoverEvent);
    equal(got.map(brief).join(", "), effects, name);
  }
});

Deno.test("handoverDeadline() is when the next try or the end of the agreement is due", () => {
  equal(handoverDeadline(idle), Infinity);
  equal(handoverDeadline(play(offering).state), 66);
  equal(handoverDeadline(play(moving).state), Infinity);
  equal(handoverDeadline(play(agreed).state), 5000);
  equal(handoverDeadline(play(forwarding).state), Infinity);
  equal(handoverDeadline(play([...asking, [66, timer]]).state), 132);
});

const messages: readonly HandoverMessage[] = [
  { type: "hello", priority: 100, takes: null, answer: false },
  { type: "hello", priority: 1, takes: "backend web: 0 of 2 servers are up", answer: true },
  offer,
  { ...offer, keep: "handover.connections is none" },
  ready,
  refusal,
  request,
  { ...request, cause: "failback" },
  rescue,
  released,
  drained,
];

Deno.test("decodeHandover() reads what encodeHandover() writes, with and without a password", () => {
  for (const message of messages) {
    for (const key of [null, "1111"]) {
      const bytes = encodeHandover(message, 51, key);
      equal(routerOf(bytes), 51);
      deepEqual(decodeHandover(bytes, 51, key === null ? null : ["other", key]), message);
    }
  }
});

Deno.test("encodeHandover() fits whatever a router may have into a datagram", () => {
  const addresses = Array.from({ length: 255 }, (_, i) => `192.168.219.${i}`);
  const ports = Array.from({ length: 300 }, (_, i) => 60_000 + i);
  const read = (message: HandoverMessage) => {
    const bytes = encodeHandover(message, 255, "1111");
    equal(bytes.length <= 2048, true, `${bytes.length} bytes`);
    equal(routerOf(bytes), 255);
    return decodeHandover(bytes, 255, ["1111"]);
  };
  const few = { ...offer, addresses: addresses.slice(0, 60) };
  deepEqual(read(few), few, "listed where there is room");
  const rows: [string, readonly string[], readonly number[]][] = [
    ["addresses", addresses, [80, 443]],
    ["ports", ["192.0.2.100"], ports],
    ["both", addresses, ports],
  ];
  for (const [name, addresses, ports] of rows) {
    const got = read({ ...offer, addresses, ports });
    equal("type" in got && got.type, "offer", name);
    if (!("type" in got) || got.type !== "offer") continue;
    // What a version that knows no digest makes of it: nothing in common, so no connection is kept.
    deepEqual([got.addresses, got.ports], [[], []], name);
    const own = { addresses: addresses.toReversed(), ports: ports.toReversed() };
    deepEqual(servedByBoth(own, got), own, `${name}: the order does not matter`);
    equal(servedByBoth({ ...own, ports: [81] }, got), null, `${name}: another set`);
  }
  const long = "x".repeat(500);
  deepEqual(read({ type: "hello", priority: 1, takes: long, answer: false }), {
    type: "hello",
    priority: 1,
    takes: `${"x".repeat(199)}…`,
    answer: false,
  });
  for (const message of [{ ...ready, keep: long }, { ...offer, keep: long }, { ...refusal, reason: long }]) {
    equal("type" in read(message as HandoverMessage), true, message.type);
  }
});

Deno.test("servedByBoth() is what lists have in common", () => {
  const own = { addresses: ["192.0.2.100", "192.0.2.101"], ports: [80, 443] };
  deepEqual(servedByBoth(own, { addresses: ["192.0.2.101", "192.0.2.102"], ports: [443, 80] }), {
    addresses: ["192.0.2.101"],
    ports: [80, 443],
  });
  deepEqual(servedByBoth(own, { addresses: ["192.0.2.102"], ports: [443] }), null);
});

Deno.test("decodeHandover() says why it refuses", () => {
  const text = (body: string) => new TextEncoder().encode(`-\n${body}`);
  const head = `"v":1,"vrid":51`;
  const rows: [Uint8Array, readonly string[] | null, string][] = [
    [encodeHandover(ready, 51, "1111"), null, "auth"],
    [encodeHandover(ready, 51, null), ["1111"], "auth"],
    [encodeHandover(ready, 51, "2222"), ["1111"], "auth"],
    [encodeHandover(ready, 52, null), null, "vrid"],
    [new Uint8Array(3000), null, "length"],
    [text("{"), null, "json"],
    [text("null"), null, "json"],
    [new Uint8Array([0x2d, 0x0a, 0xff]), null, "json"],
    [new Uint8Array(0), null, "auth"],
    [text(`{"v":2,"vrid":51,"type":"ready","id":"m1","keep":null}`), null, "version"],
    [text(`{${head},"type":"take","id":"m1"}`), null, "type"],
    [text(`{${head},"type":"ready","id":"","keep":null}`), null, "type"],
    [text(`{${head},"type":"ready","id":"m1"}`), null, "type"],
    [text(`{${head},"type":"request","id":"m1","priority":256}`), null, "type"],
    [text(`{${head},"type":"request","id":"m1","priority":2,"cause":"whim"}`), null, "type"],
    [text(`{${head},"type":"hello","priority":1,"takes":7,"answer":true}`), null, "type"],
    [text(JSON.stringify({ v: 1, vrid: 51, ...offer, mac: "02:00:00:00:00" })), null, "type"],
    [text(JSON.stringify({ v: 1, vrid: 51, ...offer, ports: ["80"] })), null, "type"],
    [text(JSON.stringify({ v: 1, vrid: 51, ...offer, cause: "whim" })), null, "type"],
    [text(JSON.stringify({ v: 1, vrid: 51, ...offer, drain: -1 })), null, "type"],
    [text(JSON.stringify({ v: 1, vrid: 51, ...offer, digest: "short" })), null, "type"],
  ];
  for (const [bytes, keys, drop] of rows) deepEqual(decodeHandover(bytes, 51, keys), { drop });
});

Deno.test("decodeHandover() takes a request without a cause, as it was said before there was one, for preemption", () => {
  const bytes = new TextEncoder().encode(`-\n{"v":1,"vrid":51,"type":"request","id":"r1","priority":200}`);
  deepEqual(decodeHandover(bytes, 51, null), request);
});

Deno.test("encodeHandover() signs what it says", () => {
  const bytes = encodeHandover(released, 51, "1111");
  match(new TextDecoder().decode(bytes), /^[0-9a-f]{64}\n\{/);
  bytes[bytes.length - 3] ^= 1;
  deepEqual(decodeHandover(bytes, 51, ["1111"]), { drop: "auth" });
});

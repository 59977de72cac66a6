/** What a plugin's author gets wrong is told where it was written, and is never a message that ends the process. */
import assert from "node:assert/strict";
import { decodeMessage } from "../../../runtime/plugin/decode.ts";
import { encodeFrame } from "../../../runtime/plugin/frame.ts";
import { Asking } from "../../../runtime/plugin/host/asking.ts";
import { toWireError } from "../../../runtime/plugin/host/authored.ts";
import { grantedNames } from "../../../runtime/plugin/grants.ts";
import { createContext } from "../../../runtime/plugin/host/context.ts";
import { deliveryOf } from "../../../runtime/plugin/remote.ts";
import type { FromPlugin, GrantedNames } from "../../../runtime/plugin/protocol.ts";
import { Retry } from "../../../plugins/contract.ts";

/** A context, and what control would make of everything that it sent. */
function context(granted: GrantedNames = { fetch: ["web"], send: ["log"], run: ["id"], store: true }) {
  const received: FromPlugin[] = [];
  const pipe = {
    send: (message: FromPlugin) => {
      encodeFrame(message);
      received.push(decodeMessage(JSON.parse(JSON.stringify(message))));
    },
    run: () => Promise.resolve(),
  };
  const ctx = createContext({
    call: 1,
    config: {},
    host: { node: "dlp1", cluster: "edge", labels: {} },
    granted,
    signal: new AbortController().signal,
    asking: new Asking(pipe),
    pipe,
  });
  return { ctx, received };
}

type Ctx = ReturnType<typeof context>["ctx"];
// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;

const mistakes: readonly [name: string, make: (ctx: Ctx) => unknown, error: string, message: RegExp][] = [
  [
    "a gauge that is no number",
    (ctx) => ctx.metrics.gauge("lag", NaN),
    "RangeError",
    /"lag" must be a finite.*got NaN/,
  ],
  ["a count without end", (ctx) => ctx.metrics.count("lag", 1 / 0), "RangeError", /"lag" must be a finite.*Infinity/],
  ["a count that goes down", (ctx) => ctx.metrics.count("lag", -1), "RangeError", /"lag" can only grow, got -1/],
  ["a gauge of text", (ctx) => ctx.metrics.gauge("lag", any("x")), "TypeError", /"lag" must be a number, got string/],
  ["port 0", (ctx) => ctx.connect({ port: 0 }), "RangeError", /Port must be 1 to 65535, got 0/],
  ["port 70000", (ctx) => ctx.connect({ port: 70_000 }), "RangeError", /Port must be 1 to 65535, got 70000/],
  ["port 1.5", (ctx) => ctx.connect({ port: 1.5 }), "RangeError", /got 1\.5/],
  ["port NaN", (ctx) => ctx.connect({ port: NaN }), "RangeError", /Port must be 1 to 65535, got NaN/],
  ["a port as text", (ctx) => ctx.connect({ port: any("80") }), "TypeError", /Port must be a number, got string/],
  ["another transport", (ctx) => ctx.connect({ transport: any("sctp") }), "TypeError", /"tcp" or "udp", got "sctp"/],
  [
    "a long datagram",
    (ctx) => ctx.send!("log", "x".repeat(100_000)),
    "RangeError",
    /100000 bytes, a datagram may have 65536/,
  ],
  ["a datagram of nothing", (ctx) => ctx.send!("log", any(undefined)), "TypeError", /text and bytes can be sent/],
];
for (const [name, make, error, message] of mistakes) {
  Deno.test(`ctx refuses ${name} at the author's line`, async () => {
    const { ctx, received } = context();
    // deno-lint-ignore require-await
    await assert.rejects(async () => make(ctx), (thrown: Error) => {
      assert.deepEqual([thrown.name, message.test(thrown.message)], [error, true], thrown.message);
      assert.match(thrown.stack ?? "", /context_test\.ts/);
      return true;
    });
    assert.deepEqual(received, []);
  });
}

const nothing: GrantedNames = { fetch: [], send: [], run: [], store: false };
const there: readonly [granted: Partial<GrantedNames>, names: readonly string[]][] = [
  [{}, []],
  [{ store: true }, ["store"]],
  [{ fetch: ["web"] }, ["fetch"]],
  [{ send: ["log"] }, ["send"]],
  [{ run: ["id"], store: true }, ["run", "store"]],
];
for (const [granted, names] of there) {
  Deno.test(`ctx has ${names.join(" and ") || "nothing"} where ${JSON.stringify(granted)} is granted`, () => {
    const { ctx } = context({ ...nothing, ...granted });
    assert.deepEqual(["fetch", "send", "run", "store"].filter((name) => name in ctx), names);
  });
}

Deno.test("grantedNames() tells requests from datagrams by where the endpoints are", () => {
  const endpoints = {
    web: { url: "https://a.example/" },
    plain: { url: "HTTP://a.example/" },
    log: { url: "udp://192.0.2.1:514" },
    local: { url: "unix:/dev/log" },
    other: { url: "https://not.asked.example/" },
  };
  const grants = { targets: false, endpoints: ["web", "plain", "log", "local"], commands: ["id"], store: 10 };
  assert.deepEqual(grantedNames(grants, { endpoints }), {
    fetch: ["web", "plain"],
    send: ["log", "local"],
    run: ["id"],
    store: true,
  });
  const none = { targets: true, endpoints: [], commands: [], store: 0 };
  assert.deepEqual(grantedNames(none, { endpoints }), nothing);
});

Deno.test("ctx.connect() asks for nothing but a connection", () => {
  const { ctx, received } = context();
  void ctx.connect(any({ what: "get", key: "x", port: 53, transport: "udp" }));
  const [asked] = received as Extract<FromPlugin, { type: "ask" }>[];
  assert.deepEqual(asked.ask, { what: "connect", port: 53, tls: false, transport: "udp" });
});

const thrown: readonly [name: string, error: unknown, afterMs: number | undefined][] = [
  ["in a while", new Retry("busy", 500), 500],
  ["NaN later", new Retry("busy", NaN), undefined],
  ["for ever later", new Retry("busy", Infinity), undefined],
  ["a text later", Object.assign(new Error("busy"), { afterMs: "5" }), undefined],
  [
    "what throws when it is read",
    Object.defineProperty(new Error("x"), "message", { get: () => assert.fail() }),
    undefined,
  ],
  ["a proxy that throws", new Proxy({}, { getPrototypeOf: () => assert.fail() }), undefined],
  ["nothing", undefined, undefined],
];
for (const [name, error, afterMs] of thrown) {
  Deno.test(`toWireError() makes a message of a plugin that throws ${name}`, () => {
    const message = JSON.parse(JSON.stringify({ type: "answer", id: 1, error: toWireError(error, "/tmp/plugin") }));
    const answer = decodeMessage(message) as { error: { afterMs?: number; message: string } };
    assert.equal(answer.error.afterMs, afterMs);
    assert.notEqual(answer.error.message, "");
  });
}

for (const [afterMs, wanted] of [[500, 500], [-1, 0], [NaN, null], [Infinity, null], [1e12, 3_600_000]] as const) {
  Deno.test(`deliveryOf() of a notifier of ours that wants to try again after ${afterMs} is ${wanted}`, () => {
    // Its errors cross no pipe, where somebody would have looked at them.
    const { name, message } = new Retry("busy", afterMs);
    assert.deepEqual(deliveryOf({ name, message, afterMs }), { result: "again", reason: "busy", afterMs: wanted });
  });
}

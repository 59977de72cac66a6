import assert from "node:assert/strict";
import { decodeMessage } from "../../../runtime/plugin/decode.ts";
import { redactor } from "../../../runtime/plugin/output.ts";

const valid: unknown[] = [
  { type: "ready" },
  { type: "confined", measures: [], directory: "/tmp/plugin" },
  { type: "loaded", kind: "checker", schema: {} },
  { type: "failed", error: { name: "Error", message: "no" } },
  { type: "answer", id: 1, value: { state: "up" } },
  { type: "answer", id: 1, error: { name: "Retry", message: "later", afterMs: 5 } },
  { type: "answer", id: 1, abandoned: true },
  { type: "ask", id: 1, call: 2, ask: { what: "connect", port: 80, tls: false, transport: "tcp" } },
  { type: "ask", id: 1, call: 2, ask: { what: "connect", port: 53, tls: false, transport: "udp" } },
  { type: "ask", id: 1, call: 2, ask: { what: "run", command: "x", args: ["a"], input: "", env: { TANDEM_A: "b" } } },
  { type: "ask", id: 1, call: 2, ask: { what: "read", connection: 1 } },
  { type: "ask", id: 1, call: 2, ask: { what: "write", connection: 1, data: "AQI=" } },
  { type: "ask", id: 1, call: 2, ask: { what: "set", key: "k", value: null } },
  { type: "log", level: "info", text: "x", fields: { a: 1 } },
  { type: "metric", kind: "gauge", name: "x", value: 1.5 },
  { type: "pong", n: 3, abandoned: 0 },
];
for (const message of valid) {
  Deno.test(`decodeMessage() takes ${JSON.stringify(message)}`, () =>
    assert.deepEqual(decodeMessage(message), message));
}

const invalid: [message: unknown, error: RegExp][] = [
  [null, /message is wrong: got null/],
  [[], /message is wrong/],
  ["ready", /message is wrong/],
  [{}, /type of a message is wrong: got nothing/],
  [{ type: "gift" }, /type of a message is wrong: got "gift"/],
  [{ type: "answer" }, /id is wrong: got nothing/],
  [{ type: "answer", id: -1 }, /id is wrong: got -1/],
  [{ type: "answer", id: 1.5 }, /id is wrong/],
  [{ type: "answer", id: 1, error: "no" }, /error is wrong/],
  [{ type: "log", level: "loud", text: "x" }, /level is wrong: got "loud"/],
  [{ type: "log", level: "info", text: 1 }, /text is wrong/],
  [{ type: "metric", kind: "sum", name: "x", value: 1 }, /kind of a metric is wrong/],
  [{ type: "metric", kind: "count", name: "x", value: null }, /value is wrong/],
  [{ type: "ask", id: 1, call: 1, ask: { what: "exec" } }, /question is wrong: got "exec"/],
  [{ type: "ask", id: 1, call: 1, ask: { what: "connect", port: 65536 } }, /port is wrong/],
  [
    { type: "ask", id: 1, call: 1, ask: { what: "run", command: "x", args: [], input: "", env: { A: 1 } } },
    /env is wrong/,
  ],
  [{ type: "ask", id: 1, call: 1, ask: { what: "connect", port: 0 } }, /port is wrong/],
  [
    { type: "ask", id: 1, call: 1, ask: { what: "write", connection: 1, data: "A".repeat(90_000) } },
    /more than 65536 bytes/,
  ],
  [{
    type: "ask",
    id: 1,
    call: 1,
    ask: { what: "fetch", endpoint: "e", method: "GET", path: "", headers: [["a"]], body: null },
  }, /header is wrong/],
];
for (const [message, error] of invalid) {
  Deno.test(`decodeMessage() refuses ${JSON.stringify(message)?.slice(0, 80)}`, () => {
    assert.throws(() => decodeMessage(message), error);
  });
}

Deno.test("decodeMessage() drops what the protocol does not know", () => {
  const message = JSON.parse('{"type":"ready","__proto__":{"polluted":true},"more":1}');
  assert.deepEqual(decodeMessage(message), { type: "ready" });
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

// Every word that the protocol goes by as a secret of its own: they must mean what they mean, and be dots in sentences only.
const words = [
  "answer",
  "type",
  "info",
  "down",
  "state",
  "reason",
  "value",
  "error",
  "Retry",
  "node01",
  "smooth",
  "count",
  "text",
];
const wordy: readonly (readonly [sent: unknown, decoded: unknown])[] = [
  ...valid.filter((message) => !JSON.stringify(message).includes("fields")).map((message) =>
    [message, message] as const
  ),
  [
    { type: "answer", id: 1, value: { state: "down", reason: "node01 is down", got: "info", weightPercent: 1 } },
    { type: "answer", id: 1, value: { state: "down", reason: "••• is •••", got: "•••", weightPercent: 1 } },
  ],
  [
    { type: "answer", id: 1, value: { weights: { node01: 1 }, pick: "smooth", explain: "all to node01" } },
    { type: "answer", id: 1, value: { weights: { node01: 1 }, pick: "smooth", explain: "all to •••" } },
  ],
  [
    { type: "answer", id: 1, error: { name: "Retry", message: "an error", stack: "at state (main.ts:1:1)" } },
    { type: "answer", id: 1, error: { name: "Retry", message: "an •••", stack: "at ••• (main.ts:1:1)" } },
  ],
  [{ type: "failed", error: { name: "Error", message: "no value" } }, {
    type: "failed",
    error: { name: "Error", message: "no •••" },
  }],
  [{ type: "metric", kind: "count", name: "down_count", value: 1 }, {
    type: "metric",
    kind: "count",
    name: "•••_•••",
    value: 1,
  }],
  [{ type: "log", level: "info", text: "x" }, { type: "log", level: "info", text: "x", fields: undefined }],
];
for (const [sent, decoded] of wordy) {
  Deno.test(`decodeMessage() redacts sentences and no words of ${JSON.stringify(sent)}`, () => {
    assert.deepEqual(decodeMessage(sent, redactor(words)), decoded);
  });
}

Deno.test("decodeMessage() redacts before it cuts, and what escape sequences had hidden", () => {
  const secret = "correct-horse";
  const hidden = {
    type: "failed",
    error: { name: "E", message: `no cor\x1b[0mrect-horse, ${"x".repeat(8155)}${secret}` },
  };
  const { error } = decodeMessage(hidden, redactor([secret])) as { error: { message: string } };
  assert.doesNotMatch(error.message, /cor|horse/);
});

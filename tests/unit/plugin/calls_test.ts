/** Questions in both directions: what never left waits for nothing. */
import assert from "node:assert/strict";
import { Calls } from "../../../runtime/plugin/calls.ts";
import { encodeFrame } from "../../../runtime/plugin/frame.ts";
import { Asking } from "../../../runtime/plugin/host/asking.ts";
import { createFetch, createStore } from "../../../runtime/plugin/host/capabilities.ts";
import { ASK_CREDITS, type FromPlugin, type ToPlugin } from "../../../runtime/plugin/protocol.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const never = new AbortController().signal;

Deno.test("Calls forgets what did not fit a frame", async () => {
  const sent: ToPlugin[] = [];
  const calls = new Calls(fakeClock(), (message) => void (encodeFrame(message), sent.push(message)));
  const tooLong = "x".repeat(300_000);
  for (let i = 0; i < 1030; i++) {
    await assert.rejects(calls.call("plan", "use", tooLong, { signal: never }), {
      name: "PluginUnavailable",
      message: /Cannot send a message of 300\d+ bytes: the limit is 262144/,
    });
  }
  const answered = calls.call("plan", "use", "short", { signal: never });
  const [{ id }] = sent as Extract<ToPlugin, { type: "call" }>[];
  calls.answered({ type: "answer", id, value: "a plan" });
  assert.equal(await answered, "a plan");
});

/** The plugin's side, with every question that left. */
function asking() {
  const sent: Extract<FromPlugin, { type: "ask" }>[] = [];
  const pipe = {
    send: (message: FromPlugin) => {
      encodeFrame(message);
      if (message.type === "ask") sent.push(message);
    },
    run: () => Promise.resolve(),
  };
  return { asking: new Asking(pipe), sent };
}

Deno.test("Asking keeps its credits when a question does not fit a frame", async () => {
  const { asking: questions, sent } = asking();
  const tooLong = { what: "get", key: "x".repeat(300_000) } as const;
  for (let i = 0; i < ASK_CREDITS + 5; i++) {
    await assert.rejects(questions.ask(1, tooLong, never), { name: "RangeError" });
  }
  const answered = questions.ask(1, { what: "get", key: "a" }, never);
  questions.reply({ type: "reply", id: sent[0].id, value: "v" });
  assert.equal(await answered, "v");
});

Deno.test("Asking goes on with the next that waits when the one before it does not fit", async () => {
  const { asking: questions, sent } = asking();
  const first = Array.from({ length: ASK_CREDITS }, () => questions.ask(1, { what: "get", key: "a" }, never));
  const tooLong = questions.ask(1, { what: "get", key: "x".repeat(300_000) }, never);
  const last = questions.ask(1, { what: "get", key: "b" }, never);
  assert.equal(sent.length, ASK_CREDITS);
  questions.reply({ type: "reply", id: sent[0].id, value: null });
  await assert.rejects(tooLong, { name: "RangeError" });
  questions.reply({ type: "reply", id: sent.at(-1)!.id, value: "v" });
  assert.equal(await last, "v");
  for (const { id } of sent.slice(1, -1)) questions.reply({ type: "reply", id, value: null });
  await Promise.all(first);
});

Deno.test("a value and a body that are too long are the author's RangeError, with the limit", async () => {
  const { asking: questions, sent } = asking();
  const store = createStore(questions, 1, never);
  const fetch = createFetch(questions, 1, never);
  await assert.rejects(store.set("k", "x".repeat(300_000)), {
    name: "RangeError",
    message: '"k" and its value have 300008 bytes, at most 245760',
  });
  await assert.rejects(store.set("k", "\u0001".repeat(60_000)), { name: "RangeError", message: /have 360008 bytes/ });
  await assert.rejects(fetch("pager", { body: "x".repeat(200_000) }), {
    name: "RangeError",
    message: "The body has 200000 bytes, a request may have 184320",
  });
  void store.set("k", "x".repeat(245_000));
  void fetch("pager", { body: "x".repeat(184_320) });
  assert.equal(sent.length, 2);
});

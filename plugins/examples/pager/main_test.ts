import assert from "node:assert/strict";
import { deliver, deliverAll } from "tandem/plugin/test";
import notifier from "./main.ts";

const config = { routingKey: "R0123456789", from: "warning", quiet: 300_000 } as const;
// As plugin.yaml says.
const requests = { endpoints: ["events"], store: 16384 };
const body = (sent: readonly { body: unknown }[], index = 0) => sent[index].body as Record<string, unknown>;

Deno.test("a warning opens an incident", async () => {
  const { sent, error } = await deliver(notifier, {}, { config, requests });
  assert.equal(error, null);
  assert.deepEqual(sent.map(({ endpoint, method }) => [endpoint, method]), [["events", "POST"]]);
  assert.deepEqual(body(sent), {
    routing_key: "R0123456789",
    event_action: "trigger",
    dedup_key: "edge/server.state/web/node01",
    payload: {
      summary: "dlp1: node01 is down: connect refused",
      source: "dlp1",
      severity: "warning",
      timestamp: "2026-01-01T00:00:00.000Z",
      component: "web/node01",
      group: "edge",
      class: "server.state",
      custom_details: { state: "down" },
    },
  });
});

const down = { id: "1", about: "web/node01" },
  up = { id: "2", about: "web/node01", resolves: "1", severity: "info" } as const;
const sequences: [name: string, events: Parameters<typeof deliverAll>[1], actions: string[]][] = [
  ["what is over is resolved", [down, up], ["trigger", "resolve"]],
  ["a delivery that is repeated pages once", [down, down], ["trigger"]],
  ["what flaps pages once in five minutes", [down, { ...down, id: "3" }], ["trigger"]],
  ["two things are two incidents", [down, { id: "4", about: "web/node02" }], ["trigger", "trigger"]],
  ["nothing is resolved that did not page", [up], []],
  ["less than a warning pages nobody", [{ ...down, severity: "notice" }], []],
];
for (const [name, events, actions] of sequences) {
  Deno.test(name, async () => {
    const { sent, errors } = await deliverAll(notifier, events, { config, requests });
    assert.deepEqual(errors, events.map(() => null));
    assert.deepEqual(sent.map((_, index) => body(sent, index).event_action), actions);
  });
}

const answers: [name: string, answer: Response | Error, error: string][] = [
  [
    "busy",
    new Response(null, { status: 429, headers: { "retry-after": "7" } }),
    "Retry the events API answered 429 7000",
  ],
  ["refusing", new Response("bad key", { status: 400 }), "GiveUp the events API answered 400: bad key undefined"],
  ["broken", new Response(null, { status: 503 }), "Error the events API answered 503 undefined"],
  ["gone", new Error("connect refused"), "Error connect refused undefined"],
];
for (const [name, answer, error] of answers) {
  Deno.test(`an events API that is ${name}`, async () => {
    const got = (await deliver(notifier, {}, { config, requests, answers: [answer] })).error as Error & {
      afterMs?: number;
    };
    assert.equal(`${got.name} ${got.message} ${got.afterMs}`, error);
  });
}

Deno.test("a page that could not be sent is sent when it comes again", async () => {
  const answers = [new Response(null, { status: 503 })];
  const { sent, errors } = await deliverAll(notifier, [down, { ...down, attempt: 2 }], { config, requests, answers });
  assert.equal(sent.length, 2);
  assert.deepEqual(errors.map((error) => error?.message ?? null), ["the events API answered 503", null]);
});

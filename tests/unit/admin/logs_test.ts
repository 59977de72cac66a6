/** GET /api/v1/logs over a relay: the last lines, chosen by status, and those that come. */
import assert from "node:assert/strict";
import { createAdmin } from "../../../runtime/admin/app.ts";
import type { Control } from "../../../runtime/control.ts";
import type { LineQuery, Relay } from "../../../runtime/telemetry/access_log/relay.ts";

const line = (status: number) => `{"at":"","method":"GET","protocol":"HTTP/1.1","status":${status},"end":"done"}`;

/** A relay that has these lines, and passes more on. */
function relayOf(lines: readonly string[]) {
  const listeners = new Set<(text: string) => void>();
  const relay: Partial<Relay> = {
    sink: { type: "stdout" },
    list: ({ limit, fits }: LineQuery) =>
      Promise.resolve(lines.filter((each) => fits?.(each) ?? true).slice(limit === 0 ? lines.length : -limit)),
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
  const app = createAdmin({ accessLog: relay } as unknown as Control);
  return { app, listeners, say: (text: string) => listeners.forEach((listener) => listener(text)) };
}

Deno.test("GET /api/v1/logs lists the newest lines, chosen by status", async () => {
  const { app } = relayOf([200, 404, 503, 200].map(line));
  const rows: readonly [query: string, statuses: readonly number[]][] = [
    ["", [200, 404, 503, 200]],
    ["?limit=1", [200]],
    ["?status=4xx,503", [404, 503]],
    ["?status=503&limit=1", [503]],
  ];
  for (const [query, statuses] of rows) {
    const { lines } = await (await app.request(`/api/v1/logs${query}`)).json();
    assert.deepEqual(lines, statuses.map(line), query);
  }
  for (const bad of ["?status=9xx", "?limit=x", "?follow=maybe"]) {
    assert.equal((await app.request(`/api/v1/logs${bad}`)).status, 400);
  }
});

Deno.test("GET /api/v1/logs?follow streams what comes, until the reader goes", async () => {
  const { app, listeners, say } = relayOf([line(500)]);
  const response = await app.request("/api/v1/logs?follow=true&status=5xx");
  const reader = (response.body ?? assert.fail("no body")).pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, `${line(500)}\n`);
  say(`${line(200)}\n`);
  say(`${line(200)}\n${line(501)}\n${line(502)}\n`);
  assert.equal((await reader.read()).value, `${line(501)}\n${line(502)}\n`);
  assert.equal(listeners.size, 1);
  await reader.cancel();
  assert.equal(listeners.size, 0);
});

import assert from "node:assert/strict";
import type { Target } from "../../../plugins/contract.ts";
import http, { expects, type HttpCheckConfig } from "../../../plugins/health/http.ts";
import tcp from "../../../plugins/health/tcp.ts";
import { describeDuration } from "../../../plugins/health/duration.ts";
import { probe, type ProbeResult } from "../../../runtime/health/probe.ts";
import { systemClock } from "../../../runtime/os/clock.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";

const dependencies = {
  clock: systemClock,
  host: { node: "n1", cluster: "edge", labels: {} },
  log: createLogger({ role: "test", write: () => {} }),
};

function target(port: number): Target {
  return { backend: "web", server: "a", address: "127.0.0.1", port, labels: {} };
}

/** Serves one connection: what it was asked, and `answer` as the reply (null = silence). */
async function against(answer: string | null, config: HttpCheckConfig, timeout = 2000) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  let asked = "";
  const serving = (async () => {
    using conn = await listener.accept();
    const buffer = new Uint8Array(4096);
    asked = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    if (answer === null) await conn.read(buffer).catch(() => {});
    else await conn.write(new TextEncoder().encode(answer));
  })();
  const result = await probe(http, config, target(port), timeout, dependencies);
  await serving;
  return { result, asked, port };
}

function comparable(result: ProbeResult): string {
  return result.reason.replace(/[\d.]+ ms/g, "T ms");
}

Deno.test("http checker judges the status of the answer", async () => {
  const ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  const rows: [string, string, HttpCheckConfig, string, string][] = [
    ["200", ok, {}, "up", "200 in T ms"],
    ["399 is in the default range", "HTTP/1.1 399 Odd\r\n\r\n", {}, "up", "399 in T ms"],
    ["503", "HTTP/1.1 503 Busy\r\n\r\n", {}, "down", "got 503, wanted 200-399, in T ms"],
    ["expected 404", "HTTP/1.1 404 No\r\n\r\n", { expect: { status: [200, "404"] } }, "up", "404 in T ms"],
    [
      "unexpected 301",
      "HTTP/1.1 301 Go\r\n\r\n",
      { expect: { status: [200, "400-404"] } },
      "down",
      "got 301, wanted 200, 400-404, in T ms",
    ],
    ["status line alone, without a reason", "HTTP/1.0 204\r\n", {}, "up", "204 in T ms"],
    ["interim response first", "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + ok, {}, "up", "200 in T ms"],
    ["another protocol", "SSH-2.0-OpenSSH\r\n", {}, "down", 'answer is not HTTP/1: "SSH-2.0-OpenSSH\\r" after T ms'],
    ["nothing", "", {}, "down", "connection closed without an answer after T ms"],
    ["half a line", "HTTP/1.1 2", {}, "down", "connection closed within the answer after T ms"],
  ];
  for (const [name, answer, config, state, reason] of rows) {
    const { result } = await against(answer, config);
    assert.deepEqual([result.state, comparable(result)], [state, reason], name);
  }
});

Deno.test("http checker judges fields and body, however the body is framed", async () => {
  const head = "HTTP/1.1 200 OK\r\nX-Ready: yes\r\nx-ready: sure\r\n";
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nall \r\n5\r\nready\r\n0\r\n\r\n`;
  const rows: [string, string, HttpCheckConfig["expect"], string, string][] = [
    ["a field", `${head}\r\n`, { headers: { "X-READY": "sure" } }, "up", "200 in T ms"],
    ["any value", `${head}\r\n`, { headers: { "x-ready": "*" } }, "up", "200 in T ms"],
    ["a pattern", `${head}\r\n`, { headers: { "x-ready": "/^Y/i" } }, "up", "200 in T ms"],
    [
      "another value",
      `${head}\r\n`,
      { headers: { "x-ready": "no" } },
      "down",
      'got x-ready: "yes", "sure", wanted x-ready: no, in T ms',
    ],
    ["no such field", `${head}\r\n`, { headers: { "x-up": "*" } }, "down", "got no x-up, wanted x-up, in T ms"],
    ["body by length", `${head}Content-Length: 5\r\n\r\nready`, { body: "ead" }, "up", "200 in T ms"],
    ["body until the end", `${head}\r\nall ready`, { body: "/^all ready$/" }, "up", "200 in T ms"],
    ["body in chunks", chunked, { body: "all ready" }, "up", "200 in T ms"],
    [
      "no more than its length",
      `${head}Content-Length: 3\r\n\r\nnotready`,
      { body: "ready" },
      "down",
      'got the body "not", wanted ready, in T ms',
    ],
    [
      "cut short",
      `${head}Content-Length: 9\r\n\r\nnot`,
      { body: "x" },
      "down",
      "connection closed within the body after T ms",
    ],
    ["cut in its head", head, { body: "x" }, "down", "connection closed within the answer after T ms"],
    [
      "no chunk",
      `${head}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
      { body: "x" },
      "down",
      'answer has no chunk size: "x\\r" after T ms',
    ],
    ["status first", "HTTP/1.1 500 Oops\r\n\r\nready", { body: "ready" }, "down", "got 500, wanted 200-399, in T ms"],
  ];
  for (const [name, answer, expect, state, reason] of rows) {
    const { result } = await against(answer, { expect });
    assert.deepEqual([result.state, comparable(result)], [state, reason], name);
  }
});

Deno.test("http checker sends what is configured", async () => {
  const plain = await against("HTTP/1.1 200 OK\r\n\r\n", {});
  assert.equal(
    plain.asked,
    `GET / HTTP/1.1\r\nhost: 127.0.0.1:${plain.port}\r\nuser-agent: tandem-check\r\naccept: */*\r\nconnection: close\r\n\r\n`,
  );
  const full = await against("HTTP/1.1 200 OK\r\n\r\n", {
    path: "/healthz?deep=1",
    host: "app.example",
    headers: { "X-Check": "1", "User-Agent": "probe" },
  });
  assert.match(
    full.asked,
    /^GET \/healthz\?deep=1 HTTP\/1\.1\r\nhost: app\.example\r\nuser-agent: probe\r\n.*x-check: 1\r\n\r\n$/s,
  );
});

Deno.test("http checker says when nothing came in time", async () => {
  const { result } = await against(null, {}, 50);
  assert.deepEqual(result, { state: "down", reason: "no answer within 50 ms", phase: "status" });
});

Deno.test("checkers say that a connection is refused", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (const checker of [tcp, http]) {
    const result = await probe(checker, {}, target(port), 1000, dependencies);
    assert.equal(result.state, "down");
    assert.equal(comparable(result), "connect refused after T ms");
  }
});

Deno.test("tcp checker is content with a connection, on another port when told", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const result = await probe(tcp, { port: listener.addr.port }, target(1), 1000, dependencies);
  assert.deepEqual([result.state, comparable(result)], ["up", "connected in T ms"]);
});

Deno.test("expects() takes codes and ranges, as numbers and as text", () => {
  const rows: [(number | string)[], number, boolean][] = [
    [[204], 204, true],
    [["204"], 204, true],
    [["200-399"], 200, true],
    [["200-399"], 399, true],
    [["200-399"], 400, false],
    [[204, "500-503"], 502, true],
    [[], 200, false],
  ];
  for (const [wanted, status, expected] of rows) assert.equal(expects(wanted, status), expected, `${wanted} ${status}`);
});

Deno.test("describeDuration() keeps what can be felt", () => {
  const rows: [number, string][] = [[0.31, "0.3 ms"], [9.96, "10 ms"], [12.4, "12 ms"], [1000, "1 s"], [
    1250,
    "1.25 s",
  ]];
  for (const [ms, expected] of rows) assert.equal(describeDuration(ms), expected);
});

/** `metrics: { bind, allow }`: one path, for those who may ask, changed by a reload without a gap. */
import assert from "node:assert/strict";
import { metricsListener } from "../../../runtime/admin/metrics_listener.ts";
import type { Status } from "../../../runtime/control/status.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { freePort } from "../../support/free_port.ts";

const lines: string[] = [];
const log = createLogger({ role: "test", format: "json", write: (line) => void lines.push(line) });

const status = {
  node: "dlp1",
  version: "1",
  uptime_s: 1,
  children: [],
  access_log: { format: "json", to: "stdout", dropped: 3, lost: 4 },
  vrrp: [],
  frontends: [],
  backends: [{
    name: "web",
    queued: 2,
    servers: [
      {
        name: "a",
        state: "up",
        requests_total: 5,
        responses: { "1xx": 0, "2xx": 3, "3xx": 0, "4xx": 0, "5xx": 1 },
        response_failures: 1,
        response_seconds_total: 0.25,
      },
      {
        name: "b",
        state: "down",
        requests_total: 6,
        responses: { "1xx": 0, "2xx": 4, "3xx": 0, "4xx": 0, "5xx": 0 },
        response_failures: 2,
        response_seconds_total: 0.5,
      },
    ],
  }],
  plugins: [],
  notifiers: [],
} as unknown as Status;

Deno.test("metricsListener() tells GET /metrics and nothing else", async () => {
  await using listener = metricsListener(() => status, log);
  const port = freePort();
  await listener.configure({ host: "127.0.0.1", port, allow: null });
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [response.status, await response.text()] as const;
  };
  const [code, text] = await ask("/metrics");
  assert.equal(code, 200);
  for (
    const sample of [
      'tandem_backend_requests_total{backend="web"} 11',
      'tandem_backend_responses_total{backend="web",code="2xx"} 7',
      'tandem_backend_response_failures_total{backend="web"} 3',
      'tandem_backend_response_seconds_total{backend="web"} 0.75',
      'tandem_server_responses_total{backend="web",server="a",code="5xx"} 1',
      'tandem_server_response_failures_total{backend="web",server="b"} 2',
      'tandem_server_response_seconds_total{backend="web",server="a"} 0.25',
      'tandem_backend_servers_up{backend="web"} 1',
      'tandem_backend_queued{backend="web"} 2',
      'tandem_access_log_dropped_lines_total{by="reader"} 3',
      'tandem_access_log_dropped_lines_total{by="sink"} 4',
    ]
  ) assert.ok(text.includes(`${sample}\n`), `${sample} in ${text}`);
  assert.deepEqual(await ask("/"), [404, "There is only /metrics\n"]);
  assert.deepEqual(await ask("/metrics", "POST"), [405, "There is only GET\n"]);
});

Deno.test("metricsListener() asks who asks, follows reloads, and says where it cannot listen", async () => {
  await using listener = metricsListener(() => status, log);
  const ports = [freePort(), freePort()];
  const code = async (port: number) => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    await response.body?.cancel();
    return response.status;
  };
  await listener.configure({ host: "", port: ports[0], allow: ["10.0.0.0/8"] });
  assert.equal(await code(ports[0]), 403);
  await listener.configure({ host: "", port: ports[0], allow: ["10.0.0.0/8", "127.0.0.0/8"] });
  assert.equal(await code(ports[0]), 200);
  await listener.configure({ host: "127.0.0.1", port: ports[0], allow: null });
  assert.equal(await code(ports[0]), 200);
  await listener.configure({ host: "127.0.0.1", port: ports[1], allow: null });
  assert.equal(await code(ports[1]), 200);
  await assert.rejects(code(ports[0]));
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  await assert.rejects(listener.configure({ host: "127.0.0.1", port, allow: null }), {
    message: `Cannot listen on 127.0.0.1:${port} for metrics: another program holds it`,
  });
  // What cannot be had changes nothing.
  assert.equal(await code(ports[1]), 200);
  await listener.configure(null);
  await assert.rejects(code(ports[1]));
});

Deno.test("metricsListener() answers nonsense and our own faults in a sentence, and keeps stderr to JSON", async () => {
  await using listener = metricsListener(() => {
    throw new Error("the inside");
  }, log);
  const port = freePort();
  await listener.configure({ host: "127.0.0.1", port, allow: null });
  const ask = async (host: string) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const request = `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    await connection.write(new TextEncoder().encode(request));
    return await new Response(connection.readable).text();
  };
  assert.match(await ask("a b%%"), /^HTTP\/1\.1 400 [^]*\r\nThe Host header is not one\n$/);
  assert.deepEqual(lines, []);
  assert.match(await ask("a"), /^HTTP\/1\.1 500 [^]*\{"error":"This is a fault in Tandem; its log says more"\}$/);
  assert.match(JSON.parse(lines.pop() ?? "").error, /^Error: the inside\n/);
});

/** `retry: { on }`: which answers of servers are not passed on, and which requests go to another server for them. */
import assert from "node:assert/strict";
import type { RouteOptions } from "../../runtime/proxy/routes/options.ts";
import { match, route } from "../unit/proxy/routes/request.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

/** Answers every request with this status and its letter, and counts. */
class Server {
  requests = 0;
  readonly origin: Origin;

  constructor(readonly letter: string, status: number) {
    this.origin = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.until("\r\n\r\n", 20_000);
        this.requests++;
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (length > 0) await wire.until("x".repeat(length), 20_000);
        await wire.send(`HTTP/1.1 ${status} X\r\nContent-Length: 1\r\n\r\n${letter}`);
      }
    });
  }
}

const action = { type: "backend", backend: null, rewrite: null } as const;
type Retry = RouteOptions["retry"];
const on = [502, 503];

/** Routes by path; "/" has no word on retries. */
const retries: Readonly<Record<string, Retry>> = {
  "/safe": { attempts: null, repeat: "safe", on },
  "/idempotent": { attempts: null, repeat: "idempotent", on },
  "/never": { attempts: null, repeat: "never", on },
  "/none": { attempts: 0, repeat: "safe", on },
  "/other": { attempts: null, repeat: "safe", on: [500] },
};

const rows: readonly [what: string, method: string, path: string, body: number, answer: RegExp, asked: number][] = [
  ["nobody asked for it", "GET", "/", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["GET", "GET", "/safe", 0, /^HTTP\/1\.1 200 [^]*b$/, 2],
  ["OPTIONS", "OPTIONS", "/safe", 0, /^HTTP\/1\.1 200 [^]*b$/, 2],
  ["POST may have done something", "POST", "/safe", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["PUT, where only what is safe is repeated", "PUT", "/safe", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["PUT without a body", "PUT", "/idempotent", 0, /^HTTP\/1\.1 200 [^]*b$/, 2],
  ["a body that is gone", "PUT", "/idempotent", 3, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["POST is never idempotent", "POST", "/idempotent", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["repeat: never", "GET", "/never", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["attempts: 0", "GET", "/none", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
  ["another status", "GET", "/other", 0, /^HTTP\/1\.1 503 [^]*a$/, 1],
];

async function stage(way: string, ports: readonly number[], maxconn: number | null = null) {
  const proxy = new ProxyUnderTest(way);
  const port = freePort();
  const web = backend("web", ports, { balance: { use: "first", with: {} } });
  await proxy.apply({
    frontends: [
      frontend("in", port, {
        routes: Object.entries(retries).map(([path, retry]) =>
          route({ match: match({ paths: [path] }), action, retry })
        ),
      }),
    ],
    backends: [{ ...web, servers: web.servers.map((server) => ({ ...server, maxconn })) }],
  });
  const ask = async (method: string, path: string, body = 0) => {
    using wire = await Wire.to(port);
    const fields = body > 0 ? `Content-Length: ${body}\r\n` : "";
    await wire.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${"x".repeat(body)}`);
    return await wire.message(10_000);
  };
  return { proxy, ask };
}

for (const way of ways) {
  Deno.test(`${way}: a status sends what may be repeated to another server`, async (t) => {
    const a = new Server("a", 503);
    const b = new Server("b", 200);
    await using _a = a.origin;
    await using _b = b.origin;
    const { proxy, ask } = await stage(way, [a.origin.port, b.origin.port]);
    await using _ = proxy;
    for (const [what, method, path, body, answer, asked] of rows) {
      await t.step(what, async () => {
        const before = a.requests + b.requests;
        assert.match(await ask(method, path, body), answer);
        assert.equal(a.requests + b.requests - before, asked);
      });
    }
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: a server that dies of a request is not the one to be asked again, where there is another`, async () => {
    let deaths = 0;
    await using dying = new Origin(async (wire) => {
      await wire.until("\r\n\r\n", 20_000);
      deaths++;
    });
    const b = new Server("b", 200);
    await using _b = b.origin;
    const { proxy, ask } = await stage(way, [dying.port, b.origin.port]);
    await using _ = proxy;
    assert.match(await ask("PUT", "/idempotent"), /^HTTP\/1\.1 200 [^]*b$/);
    assert.match(await ask("GET", "/idempotent"), /^HTTP\/1\.1 200 [^]*b$/);
    assert.match(await ask("GET", "/safe"), /^HTTP\/1\.1 502 /);
    assert.deepEqual([deaths, b.requests], [3, 2]);
    const alone = await stage(way, [dying.port]);
    await using _alone = alone.proxy;
    assert.match(await alone.ask("GET", "/idempotent"), /^HTTP\/1\.1 502 /);
    assert.equal(deaths, 5, "alone, it is asked once more");
  });

  Deno.test(`${way}: the last server's answer is passed on whole, and places at servers are given back`, async () => {
    const servers = [new Server("a", 503), new Server("b", 502), new Server("c", 503)];
    await using _0 = servers[0].origin;
    await using _1 = servers[1].origin;
    await using _2 = servers[2].origin;
    const { proxy, ask } = await stage(way, servers.map(({ origin }) => origin.port), 1);
    await using _ = proxy;
    for (let i = 0; i < 4; i++) assert.match(await ask("GET", "/safe"), /^HTTP\/1\.1 503 [^]*c$/);
    assert.deepEqual(servers.map(({ requests }) => requests), [4, 4, 4]);
    const counted = (await proxy.status()).servers.map(({ responses }) => responses["5xx"]);
    assert.deepEqual(counted, [4, 4, 4]);
  });

  Deno.test(`${way}: where everything fails, repeating ends with the budget`, async () => {
    const servers = [new Server("a", 503), new Server("b", 503)];
    await using _0 = servers[0].origin;
    await using _1 = servers[1].origin;
    const { proxy, ask } = await stage(way, servers.map(({ origin }) => origin.port));
    await using _ = proxy;
    for (let i = 0; i < 60; i++) assert.match(await ask("GET", "/safe"), /^HTTP\/1\.1 503 /);
    // Ten, and one for five requests, repeated ones among them.
    assert.ok(servers[1].requests >= 10 && servers[1].requests <= 26, `${servers[1].requests} of 60 were repeated`);
  });
}

/** Applications behind routes: a process of their own, an origin on a Unix socket, `forward` back through the balancer. */
import assert from "node:assert/strict";
import type { AppReport } from "../../runtime/app/protocol.ts";
import { appBackend, balancerFrontends } from "../../runtime/control/app_options.ts";
import { type RouteOptions } from "../../runtime/proxy/routes/options.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const APP = `
import { forward } from "tandem/plugin";
import { Hono } from "hono";
console.log("an application may print");
const app = new Hono();
app.get("/own", (c) => c.text("own " + c.req.header("x-forwarded-for") + " " + new URL(c.req.url).host));
app.get("/die", () => Deno.exit(3));
app.get("/throw", () => { throw new Error("no"); });
app.get("/socket", (c) => {
  const { socket, response } = Deno.upgradeWebSocket(c.req.raw);
  socket.onmessage = ({ data }) => socket.send("echo " + data);
  return response;
});
app.get("/none", forward("none"));
app.get("/x", (c) => c.env.forward("web", new Request(new URL("/elsewhere", c.req.url), c.req.raw)));
app.use(async (c, next) => { await next(); c.res.headers.append("x-app", "after"); });
app.all("*", forward("web", (headers) => headers.set("x-app", "before")));
export default app;
`;

/** The process of an application, as control starts it. */
class AppProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly ready: Promise<AppReport>;

  constructor(readonly directory: string, source: string) {
    // Beside the tests, where the program's own import map holds.
    const entry = `${directory}/app.ts`;
    Deno.writeTextFileSync(entry, source);
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--unstable-no-legacy-abort",
        new URL("../../mod.ts", import.meta.url).pathname,
        "role",
        "app",
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: Deno.env.get("TANDEM_TEST_LOG") ? "inherit" : "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    const start = { type: "start", entry, socket: `${directory}/app.sock`, balancer: `${directory}/b.sock` };
    this.#say({ ...start, node: "n", cluster: "c", labels: {} });
    this.ready = this.#first();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#say({ type: "stop", drain: 200 });
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }

  #say(command: unknown): void {
    this.#writer.write(new TextEncoder().encode(JSON.stringify(command) + "\n")).catch(() => {});
  }

  async #first(): Promise<AppReport> {
    let text = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (const line of text.split("\n").slice(0, -1)) {
        const report: AppReport = JSON.parse(line);
        if (report.type !== "alive") return report;
      }
    }
    throw new Error("The application said nothing");
  }
}

function route(change: Partial<RouteOptions>): RouteOptions {
  const none = { set: {}, add: {}, remove: [] };
  return {
    match: { hosts: [], paths: [], methods: [], headers: [], query: [], clients: [] },
    action: { type: "backend", backend: "app:one", rewrite: null },
    allow: [],
    deny: [],
    basicAuth: null,
    rateLimit: null,
    forwardAuth: null,
    bodyLimit: null,
    timeouts: { connect: null, server: null, client: null, tunnel: null },
    retry: { attempts: null, repeat: "never" },
    requestHeaders: none,
    responseHeaders: none,
    ...change,
  };
}

async function set(way: string, web: Origin, threads = 1) {
  const directory = await Deno.makeTempDir();
  const port = freePort();
  const proxy = new ProxyUnderTest(way);
  const app = new AppProcess(directory, APP);
  const backends = [backend("web", [web.port]), appBackend("one", `${directory}/app.sock`)];
  const pass = { type: "backend", backend: "app:one", rewrite: null, otherwise: "web" } as const;
  const match = { hosts: [], paths: ["/pass/*"], methods: [], headers: [], query: [], clients: [] };
  const setup = {
    threads,
    frontends: [
      frontend("in", port, { routes: [route({ match, action: pass }), route({})] }),
      ...balancerFrontends([{ name: "own", socket: `${directory}/b.sock` }], {
        backends: [{ name: "web" }],
        maxconn: 1000,
      }),
    ],
    backends,
  };
  await proxy.apply(setup);
  assert.equal((await app.ready).type, "ready");
  return { port, proxy, app, setup };
}

/** Answers with the head it got, and what of the body. */
const mirror = () =>
  new Origin(async (wire) => {
    for (;;) {
      const head = await wire.until("\r\n\r\n", 20_000);
      let body = "";
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (length !== undefined) body = await wire.take(Number(length), 20_000);
      else if (/transfer-encoding: chunked/i.test(head)) body = await wire.until("0\r\n\r\n", 20_000);
      const text = `${head}${body}`;
      await wire.send(
        `HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      );
    }
  });

const get = (path: string, fields = "") => `GET ${path} HTTP/1.1\r\nHost: a.example:81\r\n${fields}\r\n`;

for (const way of ways) {
  Deno.test(`${way}: an application answers itself, or forwards before and after its own middleware`, async () => {
    await using web = mirror();
    const { port, proxy, app } = await set(way, web, 2);
    await using _p = proxy;
    await using _a = app;
    using wire = await Wire.to(port);
    await wire.send(get("/own"));
    assert.match(await wire.message(), /200 OK[^]*\r\n\r\nown 127\.0\.0\.1 a\.example:81$/);
    await wire.send(get("/a/b?c=%20d", "Accept-Encoding: gzip\r\nX-Forwarded-For: 9.9.9.9\r\nCookie: x=1\r\n"));
    const answer = await wire.message();
    const [head, seen] = answer.split("\r\n\r\n");
    assert.match(head, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(head, /x-app: after/i);
    assert.equal(head.match(/set-cookie: /gi)?.length, 2);
    const fields = seen.split("\r\n");
    assert.equal(fields[0], "GET /a/b?c=%20d HTTP/1.1");
    const sorted = fields.slice(1).map((line) => line.toLowerCase()).filter((line) => !line.startsWith("x-request-id"));
    assert.deepEqual(sorted.sort(), [
      "accept-encoding: gzip",
      "cookie: x=1",
      "host: a.example:81",
      "x-app: before",
      "x-forwarded-for: 127.0.0.1",
      "x-forwarded-host: a.example:81",
      "x-forwarded-proto: http",
    ]);
    for (const target of ["/a/../b/%2e%2e/c?x=/../y", "//b//c/./d", "/a%2Fb/../c;p=1", "/a?b=c#not".slice(0, 6)]) {
      await wire.send(get(target, "X-Tandem-Target: /forged\r\n"));
      const seen = (await wire.message()).split("\r\n\r\n")[1];
      assert.equal(seen.split("\r\n")[0], `GET ${target} HTTP/1.1`, "as the client wrote it");
      assert.doesNotMatch(seen, /x-tandem/i);
    }
    await wire.send(get("/moved/../x"));
    assert.match(await wire.message(), /\r\n\r\nGET \/elsewhere HTTP/, "as the application wants it");
    const body = "0123456789".repeat(30_000);
    await wire.send(`POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.ok((await wire.message(20_000)).endsWith(`\r\n\r\n${body}`), "a body goes there and back");
    await wire.send("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert.match(await wire.message(), /3\r\nabc\r\n0\r\n\r\n$/);
    await wire.send(get("/throw"));
    assert.match(await wire.message(), /^HTTP\/1.1 500 /);
    await wire.send(get("/none"));
    assert.match(await wire.message(), /^HTTP\/1.1 502 /, "a backend that is none");
    await wire.send("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
    await wire.send(get("/own"));
    assert.match(await wire.message(), /own 127/);
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: through an application responses stream, and its death is 502, then 503, or what the route passes to`, async () => {
    let step = () => {};
    await using web = new Origin(async (wire) => {
      const head = await wire.until("\r\n\r\n", 20_000);
      if (head.includes(" /pass/")) return await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npass");
      await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let i = 0; i < 3; i++) {
        await wire.send(`6\r\nevent${i}\r\n`);
        await new Promise<void>((resolve) => step = resolve);
      }
      // Cut off in the middle: no last chunk.
    });
    const { port, proxy, app, setup } = await set(way, web);
    await using _p = proxy;
    await using _a = app;
    using wire = await Wire.to(port);
    await wire.send(get("/events"));
    for (let i = 0; i < 3; i++) {
      await wire.until(`event${i}`);
      step();
    }
    const rest = await wire.rest();
    assert.ok(!rest.includes("0\r\n\r\n"), `a cut response does not end as a whole one: ${JSON.stringify(rest)}`);
    using passing = await Wire.to(port);
    await passing.send(get("/pass/through"));
    assert.match(await passing.message(), /x-app: after[^]*pass$/i);
    using dying = await Wire.to(port);
    await dying.send(get("/die"));
    assert.match(await dying.message(), /^HTTP\/1.1 502 /);
    using blocked = await Wire.to(port);
    await blocked.send(get("/own"));
    assert.match(await blocked.message(), /^HTTP\/1.1 503 /);
    const down = { backend: "app:one", server: "app", state: "down", weight: 1 } as const;
    await proxy.apply(setup, [down, { backend: "web", server: "s0", state: "up", weight: 1 }]);
    using aside = await Wire.to(port);
    await aside.send(get("/pass/by"));
    const answer = await aside.message();
    assert.match(answer, /pass$/);
    assert.doesNotMatch(answer, /x-app/i);
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: an application accepts a WebSocket`, async () => {
    await using web = mirror();
    const { port, proxy, app } = await set(way, web);
    await using _p = proxy;
    await using _a = app;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => reject(new Error("The WebSocket failed"));
    assert.equal(await promise, "echo hello");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: a client that goes away is noticed through an application, and one that does not read stops the server`, async () => {
    let sent = 0;
    let ended = false;
    await using web = new Origin(async (wire) => {
      const head = await wire.until("\r\n\r\n", 20_000);
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
      const piece = new Uint8Array(head.includes("/slow") ? 1 : 65_536);
      try {
        for (;;) {
          await wire.sendBytes(piece);
          sent += piece.length;
          if (piece.length === 1) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      } finally {
        ended = true;
      }
    });
    const { port, proxy, app } = await set(way, web);
    await using _p = proxy;
    await using _a = app;
    const leaving = await Wire.to(port);
    await leaving.send(get("/slow"));
    await leaving.until("\r\n\r\n");
    leaving.connection.close();
    await until("the server hears of it", () => ended);
    sent = 0;
    using still = await Wire.to(port);
    await still.send(get("/big"));
    await still.until("\r\n\r\n");
    let before = -1;
    await until("nothing moves any more", async () => {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return sent > 0 && sent === before;
    });
    assert.ok(sent < 64 << 20, `${sent} octets are on their way`);
    using other = await Wire.to(port);
    await other.send(get("/own"));
    assert.match(await other.message(), /own 127/, "others are served");
    assert.deepEqual(proxy.errors, []);
  });
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Not within 10 s: ${what}`);
}

/** maxconn of servers, frontends and the process, and the queue before full servers, on real sockets. */
import assert from "node:assert/strict";
import type { BackendOptions, FrontendOptions } from "../../runtime/proxy/protocol.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A server that answers when it is told to, and knows how many requests it had at once. */
class Gate implements AsyncDisposable {
  readonly origin: Origin;
  /** Paths of requests as they came. */
  readonly paths: string[] = [];
  most = 0;
  #now = 0;
  readonly #held: (() => void)[] = [];

  constructor(readonly text: string, readonly free = false) {
    this.origin = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.message(30_000);
        this.paths.push(/^\S+ (\S+)/.exec(head)?.[1] ?? "");
        this.most = Math.max(this.most, ++this.#now);
        if (!this.free) await new Promise<void>((resolve) => this.#held.push(resolve));
        this.#now--;
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      }
    });
  }

  get held(): number {
    return this.#held.length;
  }

  answer(): void {
    this.#held.shift()?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    while (this.#held.length > 0) this.answer();
    return this.origin[Symbol.asyncDispose]();
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (holds()) return;
    await pause(10);
  }
  throw new Error(`Not within 3 s: ${what}`);
}

async function start(
  way: string,
  ports: readonly number[],
  change: {
    maxconn?: readonly (number | null)[];
    backend?: Partial<BackendOptions>;
    frontend?: Partial<FrontendOptions>;
    process?: number;
    threads?: number;
  },
): Promise<{ proxy: ProxyUnderTest; port: number; web: BackendOptions }> {
  const port = freePort();
  const web = backend("web", ports, change.backend);
  const servers = web.servers.map((server, index) => ({ ...server, maxconn: change.maxconn?.[index] ?? null }));
  const proxy = new ProxyUnderTest(way);
  const backends = [{ ...web, servers }];
  const { threads = 1, process: maxconn } = change;
  await proxy.apply({ threads, maxconn, frontends: [frontend("in", port, change.frontend)], backends });
  return { proxy, port, web: backends[0] };
}

/** A client that has asked for `path`. */
async function ask(port: number, path: string): Promise<Wire> {
  const wire = await Wire.to(port);
  await wire.send(REQUEST.replace("/ ", `${path} `));
  return wire;
}

for (const way of ways) {
  Deno.test(`${way}: a server never has more requests than its maxconn, and the queue keeps the order over threads`, async () => {
    await using gate = new Gate("ok");
    const { proxy, port } = await start(way, [gate.origin.port], { maxconn: [2], threads: 2 });
    await using _ = proxy;
    const clients: Wire[] = [];
    const all = 8;
    for (let i = 0; i < all; i++) {
      clients.push(await ask(port, `/${i}`));
      // Each must be in its place before the next one is sent: order is what is tested.
      if (i < 2) await until(`request ${i} is held`, () => gate.held === i + 1);
      else await proxy.report("status", ({ backends }) => backends[0].queued === i - 1);
    }
    assert.equal((await proxy.status()).servers[0].queued, 0);
    for (let i = 0; i < all; i++) {
      await until(`request ${i} is there`, () => gate.paths.length === Math.min(i + 2, all));
      gate.answer();
      assert.match(await clients[i].message(), /200 OK/, `${i}`);
    }
    assert.deepEqual(gate.paths, Array.from({ length: all }, (_, i) => `/${i}`));
    assert.equal(gate.most, 2);
    for (const client of clients) client[Symbol.dispose]();
  });

  Deno.test(`${way}: under load no server is over its maxconn, all are served, and nothing stays counted`, async () => {
    await using a = new Gate("a", true);
    await using b = new Gate("b", true);
    const { proxy, port } = await start(way, [a.origin.port, b.origin.port], { maxconn: [3, 1], threads: 2 });
    await using _ = proxy;
    const counts = new Map<string, number>();
    await Promise.all(Array.from({ length: 40 }, async () => {
      using wire = await Wire.to(port);
      for (let i = 0; i < 25; i++) {
        await wire.send(REQUEST);
        const letter = (await wire.message(20_000)).slice(-1);
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
      }
    }));
    assert.equal((counts.get("a") ?? 0) + (counts.get("b") ?? 0), 1000);
    assert.ok((counts.get("b") ?? 0) > 0);
    assert.ok(a.most <= 3 && b.most <= 1, `${a.most} ${b.most}`);
    const { backends, servers } = await proxy.status();
    assert.deepEqual([backends[0].queued, ...servers.map(({ queued }) => queued)], [0, 0, 0]);
    // Places that were not given back would be missing now.
    using wire = await Wire.to(port);
    await wire.send(REQUEST);
    assert.match(await wire.message(), /200 OK/);
  });

  Deno.test(`${way}: who waits too long gets 503, who goes away leaves the queue`, async () => {
    await using gate = new Gate("ok");
    const timeouts = { connect: 5000, server: 30_000, queue: 300 };
    const { proxy, port } = await start(way, [gate.origin.port], { maxconn: [1], backend: { timeouts } });
    await using _ = proxy;
    using first = await ask(port, "/first");
    await until("the first is held", () => gate.held === 1);
    const before = performance.now();
    using late = await ask(port, "/late");
    assert.match(await late.message(), /^HTTP\/1\.1 503 /);
    const waited = performance.now() - before;
    assert.ok(waited >= 290 && waited < 1500, `${waited}`);
    const gone = await ask(port, "/gone");
    await pause(50);
    gone[Symbol.dispose]();
    using second = await ask(port, "/second");
    await pause(50);
    gate.answer();
    assert.match(await first.message(), /200 OK/);
    await until("the second is held", () => gate.held === 1);
    gate.answer();
    assert.match(await second.message(), /200 OK/);
    assert.deepEqual(gate.paths, ["/first", "/second"]);
  });

  Deno.test(`${way}: a body sent while its request waits arrives whole`, async () => {
    let body = "";
    const waiting: (() => void)[] = [];
    await using origin = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.until("\r\n\r\n");
        body = await wire.take(Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0));
        await new Promise<void>((resolve) => waiting.push(resolve));
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    const { proxy, port } = await start(way, [origin.port], { maxconn: [1] });
    await using _ = proxy;
    using first = await ask(port, "/first");
    await until("the first is there", () => waiting.length === 1);
    using second = await Wire.to(port);
    const sent = "0123456789".repeat(20_000);
    const sending = second.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`);
    await pause(100);
    waiting.shift()?.();
    assert.match(await first.message(), /200 OK/);
    await sending;
    await until("the second is there", () => waiting.length === 1);
    waiting.shift()?.();
    assert.match(await second.message(), /200 OK/);
    assert.equal(body, sent);
  });

  Deno.test(`${way}: a server that comes up, or gets a greater maxconn by reload, serves those who wait`, async () => {
    await using a = new Gate("a");
    await using b = new Gate("b");
    const { proxy, port, web } = await start(way, [a.origin.port, b.origin.port], { maxconn: [1, 1], threads: 2 });
    await using _ = proxy;
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s1", state: "down", weight: 1 }] });
    await proxy.status();
    const clients = [await ask(port, "/1")];
    await until("one is held", () => a.held === 1);
    for (const path of ["/2", "/3"]) clients.push(await ask(port, path));
    await pause(100);
    assert.equal(b.held, 0);
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s1", state: "up", weight: 1 }] });
    await until("the other server has one", () => b.held === 1);
    const servers = web.servers.map((server) => ({ ...server, maxconn: 5 }));
    await proxy.apply({ threads: 2, frontends: [frontend("in", port)], backends: [{ ...web, servers }] });
    await until("nobody waits", () => a.held + b.held === 3);
    for (const gate of [a, b, a, b]) gate.answer();
    a.answer();
    for (const client of clients) {
      assert.match(await client.message(), /200 OK/);
      client[Symbol.dispose]();
    }
  });

  Deno.test(`${way}: where the last server goes, those who wait are told so at once`, async () => {
    await using gate = new Gate("a");
    const { proxy, port } = await start(way, [gate.origin.port], { maxconn: [1] });
    await using _ = proxy;
    using _held = await ask(port, "/1");
    await until("one is held", () => gate.held === 1);
    using waiting = await ask(port, "/2");
    await pause(50);
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s0", state: "maint", weight: 1 }] });
    assert.match(await waiting.message(1000), /^HTTP\/1\.1 503 /);
  });

  Deno.test(`${way}: whatever clients and servers break off, every place is given back and nobody is forgotten`, async () => {
    let chance = 7;
    const roll = (below: number) => (chance = Math.imul(chance, 1_103_515_245) + 12_345 >>> 0) % below;
    const origins = [0, 1].map(() =>
      new Origin(async (wire) => {
        for (;;) {
          await wire.message(10_000);
          const what = roll(8);
          if (what === 0) return;
          if (what < 3) await pause(roll(30));
          await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\no");
          if (what === 3) return;
          await wire.send("kay");
          if (what === 4) return;
        }
      })
    );
    const timeouts = { connect: 1000, server: 1000, queue: 150 };
    const ports = [...origins.map(({ port }) => port), freePort()];
    const { proxy, port, web } = await start(way, ports, { maxconn: [2, 1, 1], backend: { timeouts }, threads: 2 });
    await using _ = proxy;
    await Promise.all(Array.from({ length: 24 }, async (_, client) => {
      for (let i = 0; i < 25; i++) {
        const wire = await Wire.to(port);
        try {
          const what = (client * 25 + i) % 7;
          const head = what === 0 ? "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort" : REQUEST;
          await wire.send(what === 1 ? head.slice(0, 10) : head);
          if (what > 2) await wire.message(3000);
          else await pause(i % 5 * 10);
        } catch {
          // Broken off by the server, or late: that is what is played here.
        }
        wire[Symbol.dispose]();
      }
    }));
    await proxy.report(
      "status",
      ({ frontends, backends }) => frontends[0].connections.current === 0 && backends[0].queued === 0,
    );
    assert.deepEqual(proxy.errors, []);
    // All places are there: as many requests as there are run at once at servers that hold them.
    await using a = new Gate("a");
    await using b = new Gate("b");
    const servers = [a, b].map((gate, index) => ({ ...web.servers[index], port: gate.origin.port }));
    await proxy.apply({ threads: 2, frontends: [frontend("in", port)], backends: [{ ...web, servers }] });
    const clients = [];
    for (let i = 0; i < 3; i++) clients.push(await ask(port, `/${i}`));
    await until("all places are taken", () => a.held === 2 && b.held === 1);
    for (const gate of [a, a, b]) gate.answer();
    for (const client of clients) {
      assert.match(await client.message(), /200 OK/);
      client[Symbol.dispose]();
    }
    for (const origin of origins) await origin[Symbol.asyncDispose]();
  });

  Deno.test(`${way}: places that a thread held when it died are free again`, async () => {
    await using gate = new Gate("ok");
    const { proxy, port, web } = await start(way, [gate.origin.port], { maxconn: [1] });
    await using _ = proxy;
    using held = await ask(port, "/1");
    await until("one is held", () => gate.held === 1);
    using waiting = await ask(port, "/2");
    await proxy.report("status", ({ backends }) => backends[0].queued === 1);
    // An address that is none, which control never sends, makes the thread give up.
    const bad = [{ ...web, servers: [...web.servers, { ...web.servers[0], name: "bad", address: "nowhere" }] }];
    const options = { threads: 1, maxconn: 100, frontends: [frontend("in", port)], backends: bad };
    await proxy.send({ type: "apply", id: 1000, options, verdicts: [] });
    await proxy.report("thread");
    await proxy.apply({ threads: 1, frontends: [frontend("in", port)], backends: [web] });
    for (const wire of [held, waiting]) await wire.rest();
    const status = await proxy.status();
    assert.deepEqual([status.backends[0].queued, status.frontends[0].connections.current], [0, 0]);
    using next = await ask(port, "/3");
    await until("the next is there", () => gate.paths.includes("/3"));
    gate.answer();
    gate.answer();
    assert.match(await next.message(), /200 OK/);
  });

  Deno.test(`${way}: tunnels take places too`, async () => {
    await using origin = new Origin(async (wire) => {
      await wire.send("x");
      await wire.take(1, 10_000);
    });
    const { proxy, port } = await start(way, [origin.port], { maxconn: [1], frontend: { mode: "tcp" } });
    await using _ = proxy;
    using first = await Wire.to(port);
    await first.take(1);
    using second = await Wire.to(port);
    await proxy.report("status", ({ backends }) => backends[0].queued === 1);
    await first.send("y");
    first[Symbol.dispose]();
    assert.equal(await second.take(1), "x");
  });

  for (const whose of ["frontend", "process"] as const) {
    Deno.test(`${way}: no more connections than the maxconn of the ${whose}, over threads; the rest waits its turn`, async () => {
      await using gate = new Gate("ok", true);
      const most = 3;
      const change = whose === "frontend" ? { frontend: { maxconn: most } } : { process: most };
      const { proxy, port } = await start(way, [gate.origin.port], { ...change, threads: 2 });
      await using _ = proxy;
      const clients: Wire[] = [];
      const served = new Set<Wire>();
      for (let i = 0; i < 12; i++) {
        const wire = await ask(port, `/${i}`);
        clients.push(wire);
        wire.message(20_000).then(() => served.add(wire), () => {});
      }
      for (let round = 1; round <= 4; round++) {
        await until(`${round * most} are served`, () => served.size === round * most);
        await pause(100);
        assert.equal(served.size, round * most, "they keep their connections, and nobody else gets one");
        const status = await proxy.status();
        assert.equal(status.frontends[0].connections.current, most);
        for (const wire of served) wire[Symbol.dispose]();
      }
      const free = await proxy.report(
        "status",
        ({ frontends }) => frontends[0].connections.current === 0 && frontends[0].connections.total === 12,
      );
      assert.equal(free.frontends[0].requests_total, 12);
    });
  }
}

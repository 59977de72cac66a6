/** How servers are picked, on real sockets, the same on io_uring and on epoll, with one thread and with two. */
import assert from "node:assert/strict";
import type { BackendOptions, ServerOptions } from "../../runtime/proxy/protocol.ts";
import {
  allUp,
  answering,
  backend,
  freePort,
  frontend,
  get,
  Origin,
  ProxyUnderTest,
  ways,
  Wire,
} from "./proxy_support.ts";

type Balance = BackendOptions["balance"];

/** A proxy in front of origins that answer their own letter. */
class Balanced implements AsyncDisposable {
  private constructor(
    readonly proxy: ProxyUnderTest,
    readonly port: number,
    readonly backend: BackendOptions,
    readonly origins: readonly Origin[],
    readonly threads: number,
  ) {}

  static async start(
    way: string,
    letters: string,
    balance: Balance,
    change: { servers?: readonly Partial<ServerOptions>[]; threads?: number; backend?: Partial<BackendOptions> } = {},
  ): Promise<Balanced> {
    const origins = [...letters].map((letter) => new Origin(answering(letter)));
    const web = backend("web", origins.map(({ port }) => port), { balance, ...change.backend });
    const servers = web.servers.map((server, index) => ({ ...server, ...change.servers?.[index] }));
    const port = freePort();
    const all = new Balanced(new ProxyUnderTest(way), port, { ...web, servers }, origins, change.threads ?? 1);
    await all.apply(all.backend);
    return all;
  }

  async apply(web: BackendOptions, verdicts = allUp([web])): Promise<void> {
    await this.proxy.apply(
      { threads: this.threads, frontends: [frontend("in", this.port)], backends: [web] },
      verdicts,
    );
  }

  /** Sets one server's state, and waits until threads have seen it. */
  async decide(server: string, state: "up" | "down" | "drain" | "standby" | "maint", weight = 1): Promise<void> {
    await this.proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server, state, weight }] });
    await this.proxy.status();
  }

  /** Letters that answered `count` requests, each on a connection of its own. */
  async ask(count: number, path: (i: number) => string = () => "/", fields: (i: number) => string = () => "") {
    let letters = "";
    for (let i = 0; i < count; i++) letters += (await get(this.port, path(i), fields(i))).slice(-1);
    return letters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    for (const origin of this.origins) await origin[Symbol.asyncDispose]();
  }
}

function count(letters: string, letter: string): number {
  return letters.split(letter).length - 1;
}

for (const way of ways) {
  Deno.test(`${way}: roundrobin is exactly fair over connections and over two threads`, async () => {
    await using balanced = await Balanced.start(way, "ab", { use: "roundrobin", with: {} }, { threads: 2 });
    const letters = await balanced.ask(100);
    assert.equal(count(letters, "a"), 50, letters);
    // On one connection too, where the turn is the request's and not the connection's.
    using wire = await Wire.to(balanced.port);
    let kept = "";
    for (let i = 0; i < 20; i++) {
      await wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      kept += (await wire.message()).slice(-1);
    }
    assert.equal(count(kept, "a"), 10, kept);
    // And under load, whichever thread is faster.
    const many = await Promise.all(Array.from({ length: 20 }, () => balanced.ask(20)));
    assert.equal(count(many.join(""), "a"), 200);
  });

  Deno.test(`${way}: weights hold, at run time too, and 0 takes nothing`, async () => {
    await using balanced = await Balanced.start(way, "ab", { use: "roundrobin", with: {} }, {
      servers: [{}, { weight: 3 }],
    });
    assert.equal(count(await balanced.ask(40), "b"), 30);
    await balanced.decide("s1", "up", 1);
    assert.equal(count(await balanced.ask(40), "b"), 20);
    await balanced.decide("s1", "up", 0.125);
    assert.equal(count(await balanced.ask(36), "b"), 4);
    await balanced.decide("s1", "up", 0);
    assert.equal(count(await balanced.ask(10), "b"), 0);
  });

  Deno.test(`${way}: backup servers serve only while no other does`, async () => {
    await using balanced = await Balanced.start(way, "abc", { use: "leastconn", with: {} }, {
      servers: [{}, {}, { backup: true }],
    });
    assert.equal(count(await balanced.ask(10), "c"), 0);
    await balanced.decide("s0", "down");
    assert.equal(await balanced.ask(4), "bbbb");
    await balanced.decide("s1", "standby");
    assert.equal(await balanced.ask(4), "cccc");
    await balanced.decide("s0", "up");
    assert.equal(await balanced.ask(4), "aaaa");
  });

  Deno.test(`${way}: leastconn goes where less is under way, whichever thread serves`, async () => {
    const held: Wire[] = [];
    await using slow = new Origin(async (wire) => {
      await wire.message();
      held.push(wire);
      await new Promise((resolve) => setTimeout(resolve, 10_000));
    });
    await using balanced = await Balanced.start(way, "a", { use: "leastconn", with: {} }, { threads: 2 });
    const both = {
      ...balanced.backend,
      servers: [...balanced.backend.servers, { ...balanced.backend.servers[0], name: "s1", port: slow.port }],
    };
    await balanced.apply(both);
    const waiting: Wire[] = [];
    while (held.length === 0) {
      const wire = await Wire.to(balanced.port);
      waiting.push(wire);
      await wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    // The slow one has a request under way: nobody else is sent there.
    assert.equal(await balanced.ask(12), "a".repeat(12));
    for (const wire of waiting) wire[Symbol.dispose]();
  });

  Deno.test(`${way}: uri, header, cookie and source keep a key where it is, and share keys out`, async () => {
    const rows: readonly [Balance, (i: number) => string, (i: number) => string][] = [
      [{ use: "uri", with: { table: "maglev" } }, (i) => `/p/${i}?${Math.random()}`, () => ""],
      [{ use: "uri", with: { table: "ring", bound: 1.5 } }, (i) => `/q/${i}`, () => ""],
      [{ use: "header", with: { name: "X-User", table: "maglev" } }, () => "/", (i) => `x-user: ${i}\r\n`],
      [
        { use: "cookie", with: { name: "SID", table: "ring" } },
        () => "/",
        (i) => `Cookie: a=${Math.random()}; SID=${i}\r\nCookie: SID=other\r\n`,
      ],
    ];
    for (const [balance, path, fields] of rows) {
      await using balanced = await Balanced.start(way, "abcd", balance, { threads: 2 });
      const once = await balanced.ask(40, path, fields);
      assert.equal(await balanced.ask(40, path, fields), once, balance.use);
      assert.ok(new Set(once).size === 4, `${balance.use}: ${once}`);
      // The keys of a server that goes are shared out; the others stay where they are.
      await balanced.decide("s2", "down");
      const without = await balanced.ask(40, path, fields);
      assert.equal(count(without, "c"), 0);
      const moved = [...once].filter((letter, i) => letter !== "c" && without[i] !== letter).length;
      assert.ok(moved <= 3, `${balance.use}: ${moved} moved`);
    }
    await using balanced = await Balanced.start(way, "abcd", { use: "source", with: { table: "maglev" } });
    assert.equal(new Set(await balanced.ask(10)).size, 1);
  });

  Deno.test(`${way}: a key's server that refuses is passed over, and what is first stays first`, async () => {
    await using balanced = await Balanced.start(way, "abc", { use: "uri", with: { table: "maglev" } });
    const once = await balanced.ask(20, (i) => `/${i}`);
    await balanced.origins[0][Symbol.asyncDispose]();
    const after = await balanced.ask(20, (i) => `/${i}`);
    assert.equal(count(after, "a"), 0);
    for (let i = 0; i < 20; i++) if (once[i] !== "a") assert.equal(after[i], once[i]);
    await balanced.apply({ ...balanced.backend, balance: { use: "first", with: {} } });
    assert.equal(await balanced.ask(5), "bbbbb");
  });

  Deno.test(`${way}: a plugin's plan holds for its time to live; then, and for want of one, the fallback picks`, async () => {
    await using balanced = await Balanced.start(way, "abc", { use: "acme", with: {}, fallback: "first" }, {
      threads: 2,
    });
    const { proxy } = balanced;
    assert.equal(await balanced.ask(3), "aaa");
    const plan = { ttlMs: 60_000, weights: { s1: 2, s2: 1 } };
    const follow = async (next: typeof plan | null) => {
      await proxy.send({ type: "plan", backend: "web", plan: next });
      await proxy.status();
    };
    await follow(plan);
    const letters = await balanced.ask(12);
    assert.deepEqual([count(letters, "b"), count(letters, "c")], [8, 4], letters);
    // What a check says counts more than the plan.
    await balanced.decide("s1", "down");
    assert.equal(await balanced.ask(3), "ccc");
    await balanced.decide("s1", "up");
    await follow({ ...plan, weights: { s1: -1, s2: 0 } });
    assert.equal(await balanced.ask(3), "aaa", "a plan that cannot be applied is none");
    await follow({ ...plan, ttlMs: 700, weights: { s1: 0, s2: 1 } });
    assert.equal(await balanced.ask(2), "cc");
    await new Promise((resolve) => setTimeout(resolve, 800));
    assert.equal(await balanced.ask(3), "aaa", "its time is over");
  });

  Deno.test(`${way}: policies place the connections of mode tcp too`, async () => {
    const origins = [..."ab"].map((letter) => new Origin(async (wire) => await wire.send(letter)));
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    const web = backend("web", origins.map((origin) => origin.port), {
      balance: { use: "source", with: { table: "maglev" } },
    });
    await proxy.apply({ frontends: [frontend("in", port, { mode: "tcp" })], backends: [web] });
    const letters = new Set<string>();
    for (let i = 0; i < 6; i++) {
      using wire = await Wire.to(port);
      letters.add(await wire.take(1));
    }
    assert.equal(letters.size, 1);
    for (const origin of origins) await origin[Symbol.asyncDispose]();
  });
}

/** What becomes of requests and connections when servers are drained, taken away or gone, on real sockets. */
import assert from "node:assert/strict";
import type { BackendOptions, FrontendOptions, ServerState } from "../../runtime/proxy/protocol.ts";
import { answering, backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A server that begins an answer and ends it when told. */
class Slow implements AsyncDisposable {
  readonly origin: Origin;
  finish: () => void = () => {};

  constructor(readonly letter: string) {
    this.origin = new Origin(async (wire) => {
      for (;;) {
        await wire.message(20_000);
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${letter}`);
        await new Promise<void>((resolve) => this.finish = resolve);
        await wire.send(letter);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.finish();
    return this.origin[Symbol.asyncDispose]();
  }
}

async function start(
  way: string,
  ports: readonly number[],
  change: Partial<BackendOptions> = {},
  front: Partial<FrontendOptions> = {},
) {
  const port = freePort();
  const proxy = new ProxyUnderTest(way);
  await proxy.apply({
    threads: 2,
    frontends: [frontend("in", port, front)],
    backends: [backend("web", ports, change)],
  });
  const decide = (server: string, state: ServerState) =>
    proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server, state, weight: 1 }] });
  return { proxy, port, decide };
}

for (const way of ways) {
  for (const state of ["drain", "maint", "down"] as const) {
    Deno.test(`${way}: ${state} lets what runs end (on_down: keep), and takes nothing new from then on`, async () => {
      await using a = new Slow("a");
      await using b = new Slow("b");
      const { proxy, port, decide } = await start(way, [a.origin.port, b.origin.port]);
      await using _ = proxy;
      await decide("s1", "standby");
      await proxy.status();
      using wire = await Wire.to(port);
      await wire.send(REQUEST);
      await wire.until("\r\n\r\na");
      await decide("s1", "up");
      await decide("s0", state);
      // At once: the very next request must not go there.
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (let i = 0; i < 4; i++) {
        using other = await Wire.to(port);
        await other.send(REQUEST);
        await other.until("\r\n\r\nb");
      }
      a.finish();
      assert.equal(await wire.take(1), "a");
      await wire.send(REQUEST);
      await wire.until("\r\n\r\nb");
    });
  }

  Deno.test(`${way}: on_down: close breaks off what runs at once, and the client sees that it was cut`, async () => {
    await using a = new Slow("a");
    await using b = new Slow("b");
    const { proxy, port, decide } = await start(way, [a.origin.port, b.origin.port], {
      onDown: "close",
      passive: { errors: 1 },
    });
    await using _ = proxy;
    await decide("s1", "standby");
    await proxy.status();
    using wire = await Wire.to(port);
    await wire.send(REQUEST);
    await wire.until("\r\n\r\na");
    await decide("s0", "drain");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await decide("s0", "down");
    assert.equal(await wire.rest(), "");
    assert.ok(performance.now() - before < 1000, "an idle thread is woken");
    // Nor is that a fault of its own.
    const [counted] = (await proxy.status()).servers;
    assert.deepEqual([counted.requests_total, counted.response_failures, counted.connect_failures], [1, 0, 0]);
    assert.deepEqual(proxy.reports.filter(({ type }) => type === "evidence"), []);
  });

  Deno.test(`${way}: on_down: close moves a GET that may be repeated to a server that is left`, async () => {
    let asked = 0;
    let running = () => {};
    const waits = new Promise<void>((resolve) => running = resolve);
    await using a = new Origin(async (wire) => {
      for (;;) {
        await wire.message(20_000);
        // The second one takes its time.
        if (++asked >= 2) {
          running();
          await wire.rest(20_000);
        }
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
      }
    });
    await using b = new Origin(answering("b"));
    const { proxy, port, decide } = await start(way, [a.port, b.port], { onDown: "close", passive: { errors: 1 } });
    await using _ = proxy;
    await decide("s1", "standby");
    await proxy.settled();
    using wire = await Wire.to(port);
    await wire.send(REQUEST);
    await wire.until("\r\n\r\na");
    await wire.send(REQUEST);
    await waits;
    await decide("s1", "up");
    await decide("s0", "maint");
    await wire.until("\r\n\r\nb");
    assert.equal(asked, 2, "who is in maintenance is not asked again");
    using fresh = await Wire.to(port);
    await fresh.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    await fresh.until("\r\n\r\nb");
    const counted = (await proxy.status()).servers.map(({ response_failures }) => response_failures);
    assert.deepEqual([counted, proxy.reports.filter(({ type }) => type === "evidence")], [[0, 0], []]);
  });

  Deno.test(`${way}: on_down: close ends tunnels too, keep leaves them`, async () => {
    for (const onDown of ["close", "keep"] as const) {
      await using origin = new Origin(async (wire) => {
        await wire.send("x");
        await wire.send(await wire.take(1, 10_000));
      });
      const { proxy, port, decide } = await start(way, [origin.port], { onDown }, { mode: "tcp" });
      await using _ = proxy;
      using wire = await Wire.to(port);
      await wire.take(1);
      await decide("s0", "down");
      if (onDown === "close") assert.equal(await wire.rest(1000), "<reset>");
      else {
        await proxy.status();
        await wire.send("y");
        assert.equal(await wire.take(1), "y");
      }
    }
  });

  Deno.test(`${way}: without a server the backend's own answer is given, to HEAD without its body, and the connection stays`, async () => {
    const whenEmpty = { status: 503, headers: { "Retry-After": "30" }, body: "<!doctype html><h1>Closed</h1>" };
    const { proxy, port, decide } = await start(way, [freePort()], { whenEmpty, retries: 0 });
    await using _ = proxy;
    // Refused connections leave no server either.
    assert.match(await get(port), /^HTTP\/1\.1 503 [^]*Closed<\/h1>$/);
    await decide("s0", "down");
    await proxy.status();
    using wire = await Wire.to(port);
    await wire.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST);
    const head = await wire.until("\r\n\r\n");
    const answer = await wire.message();
    for (const each of [head, answer]) {
      assert.match(each, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
      assert.match(each, /^Retry-After: 30\r$/m);
      assert.match(each, /^Content-Type: text\/html; charset=utf-8\r$/m);
      assert.match(each, /^Content-Length: 30\r$/m);
    }
    assert.ok(answer.endsWith("<h1>Closed</h1>"));
  });
}

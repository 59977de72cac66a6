/** The proxy process: reload, drain, listeners that cannot listen, threads that die. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { answering, backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const REQUEST = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

for (const way of ways) {
  Deno.test(`${way}: a reload keeps connections of what did not change and lets the others end`, async () => {
    await using a = new Origin(answering("a"));
    await using b = new Origin(answering("b"));
    await using proxy = new ProxyUnderTest(way);
    const [kept, removed, added] = [freePort(), freePort(), freePort()];
    const first = {
      frontends: [frontend("kept", kept), frontend("removed", removed)],
      backends: [backend("web", [a.port])],
    };
    await proxy.apply(first);
    using onKept = await Wire.to(kept);
    using onRemoved = await Wire.to(removed);
    for (const wire of [onKept, onRemoved]) {
      await wire.send(REQUEST);
      assert.match(await wire.message(), /a$/);
    }
    using busy = await Wire.to(removed);
    await busy.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    await delay(50);

    const applied = await proxy.apply({
      frontends: [frontend("kept", kept), frontend("added", added)],
      backends: [backend("web", [b.port])],
    });
    assert.deepEqual(applied.listeners.map(({ frontend, listening }) => [frontend, listening]), [
      ["kept", true],
      ["added", true],
    ]);
    await onKept.send(REQUEST);
    assert.match(await onKept.message(), /b$/, "the same connection, the new server");
    assert.equal(await onRemoved.rest(), "", "an idle connection of a removed frontend is closed");
    await busy.send("cd");
    const last = await busy.rest();
    assert.match(last, /^HTTP\/1\.1 200 [^]*Connection: close[^]*a$/i, "a request that runs is answered");
    assert.match(await get(added), /b$/);
    await assert.rejects(Wire.to(removed));
  });

  Deno.test(`${way}: connections to an address that moved away end with their next response`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const [port, wildcard] = [freePort(), freePort()];
    await proxy.apply({
      frontends: [frontend("in", port), frontend("all", wildcard, { binds: [{ address: "0.0.0.0", port: wildcard }] })],
      backends: [backend("web", [origin.port])],
    });
    for (const each of [port, wildcard]) {
      using wire = await Wire.to(each);
      await wire.send(REQUEST);
      assert.doesNotMatch(await wire.message(), /connection: close/i);
      await proxy.send({ type: "retire", addresses: ["127.0.0.1"] });
      await proxy.settled();
      await wire.send(REQUEST);
      assert.match(await wire.rest(), /^HTTP\/1\.1 200 [^]*Connection: close/i);
      await proxy.send({ type: "reinstate", addresses: ["127.0.0.1"] });
      await proxy.settled();
    }
  });

  Deno.test(`${way}: a port that another program holds is one sentence, and is taken when it is free`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = stranger.addr as Deno.NetAddr;
    const set = { threads: 2, frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] };
    const applied = await proxy.apply(set);
    assert.deepEqual(applied.listeners, [{
      frontend: "in",
      address: `127.0.0.1:${port}`,
      listening: false,
      error: `Cannot listen on 127.0.0.1:${port}: EADDRINUSE, another program holds the port`,
    }]);
    stranger.close();
    await proxy.report("listeners", ({ listeners }) => listeners[0].listening);
    assert.match(await get(port), /ok$/);
  });

  Deno.test(`${way}: an address goes from one frontend to another, and grows, without a moment of nobody listening`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const set = (name: string, address: string) => ({
      threads: 2,
      frontends: [frontend(name, port, { binds: [{ address, port }] })],
      backends: [backend("web", [origin.port])],
    });
    await proxy.apply(set("one", "127.0.0.1"));
    let asking = true;
    let asked = 0;
    const failures: unknown[] = [];
    const asker = async () => {
      while (asking) {
        await get(port).then((text) => assert.match(text, /ok$/)).catch((error) => failures.push(error)).then(() =>
          asked++
        );
      }
    };
    const askers = [asker(), asker()];
    for (const [name, address] of [["two", "127.0.0.1"], ["three", "127.0.0.1"], ["three", "0.0.0.0"]] as const) {
      await delay(50);
      const { listeners } = await proxy.apply(set(name, address));
      assert.deepEqual(listeners, [{ frontend: name, address: `${address}:${port}`, listening: true, error: null }]);
    }
    await delay(50);
    asking = false;
    await Promise.all(askers);
    assert.deepEqual(failures, []);
    assert.ok(asked > 10, `${asked} requests`);
    const { frontends } = await proxy.status();
    assert.deepEqual(frontends.map(({ name }) => name), ["three"]);
    assert.ok(frontends[0].requests_total > 0, "requests count for whose the address is");
  });

  Deno.test(`${way}: what cannot listen changes nothing of what does`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    using stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const taken = (stranger.addr as Deno.NetAddr).port;
    const [kept, removed] = [freePort(), freePort()];
    const backends = [backend("web", [origin.port])];
    await proxy.apply({ frontends: [frontend("kept", kept), frontend("removed", removed)], backends });
    using idle = await Wire.to(removed);
    await idle.send(REQUEST);
    await idle.message();
    const applied = await proxy.apply({ frontends: [frontend("kept", kept), frontend("new", taken)], backends: [] });
    assert.deepEqual(applied.listeners.map(({ frontend, listening }) => [frontend, listening]), [
      ["kept", true],
      ["removed", true],
      ["new", false],
    ]);
    await idle.send(REQUEST);
    assert.match(await idle.message(), /ok$/);
    assert.match(await get(removed), /ok$/);
  });

  Deno.test(`${way}: an address nobody has yet can be listened on`, async () => {
    await using proxy = new ProxyUnderTest(way);
    const bind = { address: "192.0.2.77", port: freePort() };
    const applied = await proxy.apply({ frontends: [frontend("in", 0, { binds: [bind] })], backends: [] });
    assert.equal(applied.listeners[0].error, null);
    assert.equal(applied.listeners[0].listening, true);
  });

  Deno.test(`${way}: threads become fewer and more again, while connections last`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const set = (threads: number) => ({
      threads,
      frontends: [frontend("in", port)],
      backends: [backend("web", [origin.port])],
    });
    await proxy.apply(set(2));
    // Enough of them for both threads.
    const wires = await Promise.all(Array.from({ length: 16 }, () => Wire.to(port)));
    for (const wire of wires) await wire.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    for (const threads of [1, 2]) {
      await proxy.apply(set(threads));
      for (let i = 0; i < 16; i++) assert.match(await get(port), /ok$/, `${threads} threads`);
    }
    for (const wire of wires) {
      await wire.send("cd");
      assert.match(await wire.message(), /ok$/);
      wire[Symbol.dispose]();
    }
    // The thread that was to go when these had ended is not to go any more.
    await delay(500);
    for (let i = 0; i < 16; i++) assert.match(await get(port), /ok$/);
    assert.deepEqual((await proxy.status()).threads.map(({ alive }) => alive), [true, true]);
    // More than it made room for when it started: as many as go, and a word on it.
    const most = Math.max(2, navigator.hardwareConcurrency);
    await proxy.apply(set(most + 1));
    assert.equal((await proxy.status()).threads.length, most);
    const warning = `proxy.threads is ${most + 1}, but when this process started it made room for ${most}: `;
    await until("the warning", () => proxy.logged.includes(warning));
  });

  Deno.test(`${way}: threads that die close their connections and are started again`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const set = { threads: 2, frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] };
    await proxy.apply(set);
    using idle = await Wire.to(port);
    await idle.send(REQUEST);
    await idle.message();
    // A thread that could do only half of what it was told must not go on. Control never sends an address that is none.
    const web = backend("web", [1]);
    const bad = { ...set, maxconn: 100, backends: [{ ...web, servers: [{ ...web.servers[0], address: "nowhere" }] }] };
    await proxy.send({ type: "apply", id: 1000, options: bad, verdicts: [] });
    assert.match((await proxy.report("thread", ({ thread }) => thread === 0)).text, /died and is started again/);
    await proxy.report("thread", ({ thread }) => thread === 1);
    assert.match(await idle.rest(), /^(<reset>)?$/);
    await proxy.apply(set);
    for (let i = 0; i < 20; i++) assert.match(await get(port), /ok$/);
    const { threads, frontends } = await proxy.status();
    assert.deepEqual(threads.map(({ alive }) => alive), [true, true]);
    assert.equal(frontends[0].connections.current, 0);
  });

  Deno.test(`${way}: stop lets what runs end and then exits`, async () => {
    const answer = Promise.withResolvers<void>();
    await using origin = new Origin(async (wire) => {
      await wire.message();
      await answer.promise;
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
      await wire.rest();
    });
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    await proxy.apply({ frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] });
    using wire = await Wire.to(port);
    await wire.send(REQUEST);
    await delay(50);
    await proxy.send({ type: "stop", drain: 5000 });
    await delay(200);
    await assert.rejects(Wire.to(port), "new connections are refused while the last request runs");
    answer.resolve();
    assert.match(await wire.rest(), /Connection: close[^]*last$/i);
    await proxy.report("stopped");
  });

  Deno.test(`${way}: no more connections than allowed are served, the others wait`, async () => {
    await using origin = new Origin(answering("ok"));
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const frontends = [frontend("in", port, { maxconn: 2 })];
    await proxy.apply({ frontends, backends: [backend("web", [origin.port])] });
    const wires = await Promise.all(Array.from({ length: 6 }, () => Wire.to(port)));
    await Promise.all(wires.map((wire) => wire.send(REQUEST)));
    await delay(200);
    const served = (await proxy.status()).frontends[0].connections.current;
    // What io_uring accepted before it heard of the limit is served too.
    assert.ok(served >= 2 && served <= 6, `${served}`);
    for (const wire of wires) wire.connection.close();
    assert.match(await get(port), /ok$/);
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

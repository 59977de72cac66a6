/** The access log beside traffic: slow readers, several threads, reloads, ids. */
import assert from "node:assert/strict";
import { LogUnderTest } from "./access_log_support.ts";
import { answering, backend, freePort, frontend, get, Origin, ways, Wire } from "./proxy_support.ts";

const REQUEST = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

/** Sends `count` requests on one connection, in flights of 50, and answers how long the slowest flight took, ms. */
async function flights(port: number, count: number): Promise<number> {
  using wire = await Wire.to(port);
  let slowest = 0;
  for (let sent = 0; sent < count; sent += 50) {
    const began = performance.now();
    await wire.send(REQUEST.repeat(50));
    for (let i = 0; i < 50; i++) await wire.message();
    slowest = Math.max(slowest, performance.now() - began);
  }
  return slowest;
}

for (const way of ways) {
  Deno.test(`${way}: a reader that stops delays no request; what it misses is counted, and it goes on where it can`, async () => {
    await using origin = new Origin(answering("ok"));
    await using log = new LogUnderTest({ reads: false });
    await using proxy = log.start(way);
    const port = freePort();
    const setup = { frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] };
    await proxy.apply({ ...setup, accessLog: log.json });
    const total = 6000;
    assert.ok(await flights(port, total) < 2000);
    const dropped = (await proxy.status()).threads.reduce((sum, { droppedLines }) => sum + (droppedLines ?? 0), 0);
    assert.ok(dropped > 500 && dropped < total, `${dropped} dropped`);
    log.read();
    await log.settled(total - dropped);
    assert.equal(log.lines.length, total - dropped);
    for (const line of log.lines.splice(0)) JSON.parse(line);
    await get(port, "/again");
    assert.equal((await log.next()).target, "/again");
  });

  Deno.test(`${way}: lines of several threads are whole, each request has one, ids are unique`, async () => {
    await using origin = new Origin(answering("ok"));
    await using log = new LogUnderTest();
    await using proxy = log.start(way);
    const port = freePort();
    const setup = { threads: 2, frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] };
    await proxy.apply({ ...setup, accessLog: log.json });
    await Promise.all(Array.from({ length: 8 }, () => flights(port, 250)));
    await log.settled(2000);
    const ids = new Set(log.lines.map((line) => JSON.parse(line).id));
    assert.equal(log.lines.length, 2000);
    assert.equal(ids.size, 2000);
  });

  Deno.test(`${way}: a reload turns the log on and off and changes its form, and connections go on`, async () => {
    await using origin = new Origin(answering("ok"));
    await using log = new LogUnderTest();
    await using proxy = log.start(way);
    const port = freePort();
    const setup = { frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] };
    await proxy.apply(setup);
    using wire = await Wire.to(port);
    const ask = async (path: string) => {
      await wire.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
      assert.match(await wire.message(), /^HTTP\/1\.1 200 /);
    };
    await ask("/off");
    await proxy.apply({ ...setup, accessLog: log.json });
    await ask("/json");
    await proxy.apply({ ...setup, accessLog: { ...log.json, format: "text" } });
    await ask("/text");
    await proxy.apply(setup);
    await ask("/off");
    await log.settled(2);
    const [json, text, ...rest] = log.lines.splice(0);
    assert.equal(JSON.parse(json).target, "/json");
    assert.match(
      text,
      /^127\.0\.0\.1:\d+ \[[^\]]+\] in web\/s0 0\/0\/0\/\d+\/\d+ 200 \d+ - - ---- 1\/1\/1\/1\/0 0\/0 "GET \/text HTTP\/1\.1" end=done id=\S+ host="a\.example"$/,
    );
    assert.deepEqual(rest, []);
  });

  Deno.test(`${way}: what was logged last is written before the process ends`, async () => {
    await using origin = new Origin(answering("ok"));
    await using log = new LogUnderTest();
    const port = freePort();
    {
      await using proxy = log.start(way);
      await proxy.apply({
        accessLog: log.json,
        frontends: [frontend("in", port)],
        backends: [backend("web", [origin.port])],
      });
      using wire = await Wire.to(port);
      await wire.send(REQUEST);
      await wire.message();
      await proxy.send({ type: "stop", drain: 5000 });
      await wire.rest();
    }
    assert.equal((await log.next()).target, "/x");
  });

  Deno.test(`${way}: what the end of the process breaks off is logged as that`, async () => {
    const arrived = Promise.withResolvers<void>();
    await using origin = new Origin(async (wire) => {
      await wire.message();
      arrived.resolve();
      await new Promise(() => {});
    });
    await using log = new LogUnderTest();
    const port = freePort();
    {
      await using proxy = log.start(way);
      await proxy.apply({
        accessLog: log.json,
        frontends: [frontend("in", port)],
        backends: [backend("web", [origin.port])],
      });
      using wire = await Wire.to(port);
      await wire.send(REQUEST);
      await arrived.promise;
      await proxy.send({ type: "stop", drain: 200 });
      await wire.rest();
    }
    const { end, status, why } = await log.next();
    assert.deepEqual([end, status], ["balancer_stopped", null]);
    assert.equal(why, "The balancer was stopped before the request had ended");
  });

  Deno.test(`${way}: an id is kept from a trusted proxy only; traceparent passes untouched`, async () => {
    let head = "";
    await using origin = new Origin(async (wire) => {
      for (;;) {
        head = await wire.message();
        await wire.send("HTTP/1.1 204 No Content\r\n\r\n");
      }
    });
    await using log = new LogUnderTest();
    await using proxy = log.start(way);
    const ports = [freePort(), freePort()];
    const requestHeaders = { set: { "x-request-id": "{request_id}" }, add: {}, remove: [] };
    const backends = [backend("web", [origin.port])];
    await proxy.apply({
      accessLog: log.json,
      frontends: [
        frontend("trusting", ports[0], { trustedProxies: ["127.0.0.0/8"], requestHeaders }),
        frontend("wary", ports[1], { requestHeaders }),
      ],
      backends,
    });
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (const [index, kept] of [true, false].entries()) {
      await get(ports[index], "/", `X-Request-Id: mine-1\r\ntraceparent: ${traceparent}\r\n`);
      const { id } = await log.next();
      assert.equal(id === "mine-1", kept);
      assert.equal(/^x-request-id: *(.*)\r$/im.exec(head)?.[1], id);
      assert.ok(head.toLowerCase().includes(`traceparent: ${traceparent}\r\n`));
    }
  });
}

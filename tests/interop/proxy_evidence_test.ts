/** What the proxy says of servers that fail requests, on real sockets, the same on io_uring and on epoll. */
import assert from "node:assert/strict";
import type { BackendOptions, Evidence } from "../../runtime/proxy/protocol.ts";
import { answering, backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

async function start(way: string, ports: readonly number[], change: Partial<BackendOptions> = {}) {
  const port = freePort();
  const proxy = new ProxyUnderTest(way);
  const web = backend("web", ports, { passive: { errors: 3 }, ...change });
  await proxy.apply({ threads: 2, frontends: [frontend("in", port)], backends: [web] });
  const evidence = (): Evidence[] => proxy.reports.flatMap((each) => each.type === "evidence" ? [each.evidence] : []);
  return { proxy, port, evidence };
}

for (const way of ways) {
  Deno.test(`${way}: a server that refuses is reported after three in a row, in whichever threads, and nobody notices`, async () => {
    await using a = new Origin(answering("a"));
    const { proxy, port, evidence } = await start(way, [a.port, freePort()]);
    await using _ = proxy;
    for (let i = 0; i < 12; i++) assert.match(await get(port), /200 OK[^]*a$/);
    await proxy.status();
    assert.deepEqual(evidence().map(({ server, errors }) => `${server} ${errors}`), ["s1 3", "s1 6"]);
    assert.equal(evidence()[0].cause, "cannot connect: ECONNREFUSED");
  });

  Deno.test(`${way}: one good answer in between, and there is no row`, async () => {
    let count = 0;
    await using a = new Origin(async (wire) => {
      await wire.message();
      if (++count % 3 !== 0) return;
      await wire.send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    const { proxy, port, evidence } = await start(way, [a.port]);
    await using _ = proxy;
    const statuses = [];
    for (let i = 0; i < 9; i++) statuses.push((await get(port)).slice(9, 12));
    assert.deepEqual(statuses, ["502", "502", "500", "502", "502", "500", "502", "502", "500"]);
    await proxy.status();
    assert.deepEqual(evidence(), []);
  });

  Deno.test(`${way}: statuses are evidence where the operator says so`, async () => {
    const statuses = [503, 500, 404, 503, 503, 500];
    let count = 0;
    await using a = new Origin(async (wire) => {
      for (;;) {
        await wire.message();
        await wire.send(`HTTP/1.1 ${statuses[count++]} X\r\nContent-Length: 0\r\n\r\n`);
      }
    });
    const { proxy, port, evidence } = await start(way, [a.port], {
      passive: { errors: 3, statuses: [[500, 500], [502, 504]] },
    });
    await using _ = proxy;
    for (const status of statuses) assert.equal((await get(port)).slice(9, 12), String(status));
    await proxy.status();
    assert.deepEqual(evidence(), [{ backend: "web", server: "s0", errors: 3, cause: "status 500" }]);
  });

  Deno.test(`${way}: silence and garbage are evidence, and a verdict wipes the slate`, async () => {
    let garbage = false;
    await using a = new Origin(async (wire) => {
      await wire.message();
      if (garbage) await wire.send("HELLO\r\n\r\n");
      else await wire.rest(5000);
    });
    const timeouts = { connect: 1000, server: 150, queue: 1000 };
    const { proxy, port, evidence } = await start(way, [a.port], { timeouts });
    await using _ = proxy;
    const ask = async () => (await get(port)).slice(9, 12);
    assert.deepEqual([await ask(), await ask()], ["504", "504"]);
    for (const state of ["down", "up"] as const) {
      await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s0", state, weight: 1 }] });
    }
    await proxy.status();
    garbage = true;
    assert.deepEqual([await ask(), await ask()], ["502", "502"]);
    await proxy.status();
    assert.deepEqual(evidence(), []);
    assert.equal(await ask(), "502");
    await proxy.status();
    assert.deepEqual(evidence(), [
      { backend: "web", server: "s0", errors: 3, cause: "the answer was not valid HTTP" },
    ]);
  });

  Deno.test(`${way}: a kept connection that the server closes is no evidence`, async () => {
    await using a = new Origin(async (wire) => {
      await wire.message();
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
      // Keep-alive was promised; a request that comes now is not answered.
      await wire.message();
    });
    const { proxy, port, evidence } = await start(way, [a.port]);
    await using _ = proxy;
    for (let i = 0; i < 12; i++) {
      using wire = await Wire.to(port);
      await wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.match(await wire.message(), /200 OK/);
    }
    await proxy.status();
    assert.deepEqual(evidence(), []);
  });
}

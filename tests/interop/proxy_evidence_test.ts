/** What the proxy says of servers that fail requests, on real sockets, the same on io_uring and on epoll. */
import assert from "node:assert/strict";
import type { BackendOptions, Evidence } from "../../runtime/proxy/protocol.ts";
import { LogUnderTest } from "./access_log_support.ts";
import { match, route } from "../unit/proxy/routes/request.ts";
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

  Deno.test(`${way}: a server that is asked about requests is counted and judged as any other`, async () => {
    await using web = new Origin(answering("web"));
    let asked = 0;
    await using auth = new Origin(async (wire) => {
      for (;;) {
        await wire.message();
        // Yes, no, nonsense, silence until the end.
        if (++asked === 1) await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        else if (asked === 2) await wire.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        else if (asked === 3) return await wire.send("HELLO\r\n\r\n");
        else return;
      }
    });
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const to = { type: "backend", backend: "web", rewrite: null } as const;
    const asks = (path: string, backend: string) => {
      const forwardAuth = { backend, path: "/", copyHeaders: [] };
      return route({ match: match({ paths: [path] }), action: to, forwardAuth });
    };
    await proxy.apply({
      frontends: [frontend("in", port, { routes: [asks("/asked", "auth"), asks("/lost", "gone")] })],
      backends: [
        backend("web", [web.port]),
        backend("auth", [auth.port], { passive: { errors: 2 } }),
        backend("gone", [freePort()], { passive: { errors: 2 } }),
      ],
    });
    const ask = async (path: string) => (await get(port, path)).slice(9, 12);
    for (const status of ["200", "403", "502", "502"]) assert.equal(await ask("/asked"), status);
    for (let i = 0; i < 2; i++) assert.equal(await ask("/lost"), "503");
    const { servers } = await proxy.status();
    const counted = servers.filter(({ backend }) => backend !== "web").map((each) => [
      each.backend,
      each.requests_total,
      each.responses["2xx"],
      each.responses["4xx"],
      each.response_failures,
      each.connect_failures,
      each.response_seconds_total > 0,
    ]);
    assert.deepEqual(counted, [["auth", 4, 1, 1, 2, 0, true], ["gone", 0, 0, 0, 0, 2, false]]);
    assert.deepEqual(proxy.reports.flatMap((each) => each.type === "evidence" ? [each.evidence] : []), [
      { backend: "auth", server: "s0", errors: 2, cause: "the connection ended without an answer" },
      { backend: "gone", server: "s0", errors: 2, cause: "cannot connect: ECONNREFUSED" },
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

Deno.test("a server that is asked about a request and says nothing is to blame when the time is over", async () => {
  await using web = new Origin(answering("web"));
  await using auth = new Origin((wire) => wire.rest(60_000).then(() => {}));
  await Promise.all(ways.map(async (way) => {
    await using log = new LogUnderTest();
    await using proxy = log.start(way);
    const port = freePort();
    const action = { type: "backend", backend: "web", rewrite: null } as const;
    await proxy.apply({
      accessLog: log.json,
      frontends: [
        frontend("in", port, {
          routes: [route({ action, forwardAuth: { backend: "auth", path: "/", copyHeaders: [] } })],
        }),
      ],
      backends: [backend("web", [web.port]), backend("auth", [auth.port], { passive: { errors: 1 } })],
    });
    using wire = await Wire.to(port);
    await wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await wire.message(20_000), /^HTTP\/1\.1 503 /);
    const line = await log.next();
    assert.deepEqual([line.end, /: (no answer within 15 s)$/.exec(line.why ?? "")?.[1]], [
      "no_decision",
      "no answer within 15 s",
    ]);
    const asked = (await proxy.status()).servers.find(({ backend }) => backend === "auth");
    assert.deepEqual([asked?.requests_total, asked?.response_failures], [1, 1]);
    assert.deepEqual(proxy.reports.flatMap((each) => each.type === "evidence" ? [each.evidence.cause] : []), [
      "no answer in time",
    ]);
  }));
});

/** Abuse of every kind at once, and afterwards nothing is left behind: no descriptor, no buffer, no connection. */
import assert from "node:assert/strict";
import { backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

/** A generator of numbers in [0, 1) that gives the same ones in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

for (const way of ways) {
  Deno.test(`${way}: clients and servers that break off anywhere leave nothing behind`, async () => {
    const next = random(1);
    const body = "x".repeat(400_000);
    await using origin = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.until("\r\n\r\n", 3000);
        const dice = next();
        if (dice < 0.1) return;
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (dice > 0.2) await wire.take(length, 3000);
        const size = Math.floor(next() ** 3 * body.length);
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        await wire.send(body.slice(0, dice < 0.3 ? size >> 1 : size));
        if (dice < 0.4) return;
      }
    });
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const timeouts = { httpRequest: 1000, keepAlive: 1000, client: 1000, tunnel: 1000 };
    await proxy.apply({
      frontends: [frontend("in", port, { timeouts })],
      backends: [backend("web", [origin.port], { timeouts: { connect: 500, server: 1000, queue: 500 } })],
    });
    await get(port).catch(() => {});
    const before = await settled(proxy);

    const client = async () => {
      for (let i = 0; i < 25; i++) {
        using wire = await Wire.to(port);
        try {
          for (;;) {
            const length = next() < 0.5 ? 0 : Math.floor(next() ** 3 * body.length);
            const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
            await wire.send(next() < 0.1 ? head.slice(0, 20) : head);
            if (next() < 0.1) break;
            await wire.send(body.slice(0, next() < 0.1 ? length >> 1 : length));
            if (next() < 0.2) break;
            await wire.message(1500);
          }
        } catch {
          // Broken off on purpose, by one of the three.
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));

    const after = await settled(proxy);
    assert.equal(after.connections, 0);
    assert.equal(after.origins, 0);
    assert.ok(after.descriptors <= before.descriptors, `descriptors: ${before.descriptors}, then ${after.descriptors}`);
    assert.ok(after.buffers <= before.buffers, `buffers: ${before.buffers}, then ${after.buffers}`);
    const { threads } = await proxy.status();
    assert.equal(threads[0].alive, true);
    assert.equal(proxy.reports.some(({ type }) => type === "thread"), false);
    assert.deepEqual(proxy.errors, []);
  });
}

/** What the proxy holds when all time-outs have passed. */
async function settled(proxy: ProxyUnderTest) {
  // Idle connections to servers are closed after 4 s.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const { threads, frontends, servers } = await proxy.status();
  return {
    connections: frontends[0].connections.current,
    origins: servers[0].connections,
    descriptors: [...Deno.readDirSync(`/proc/${proxy.pid}/fd`)].length,
    buffers: threads[0].buffers ?? 0,
  };
}

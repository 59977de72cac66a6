/** HTTP through a proxy process on real sockets, the same on io_uring and on epoll. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { answering, backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const REQUEST = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A proxy on a free port in front of `ports`. */
async function start(
  way: string,
  ports: readonly number[],
  changes: {
    frontend?: Parameters<typeof frontend>[2];
    backend?: Parameters<typeof backend>[2];
    threads?: number;
  } = {},
): Promise<{ proxy: ProxyUnderTest; port: number }> {
  const proxy = new ProxyUnderTest(way);
  const port = freePort();
  const applied = await proxy.apply({
    threads: changes.threads ?? 1,
    frontends: [frontend("in", port, changes.frontend)],
    backends: [backend("web", ports, changes.backend)],
  });
  assert.equal(applied.listeners[0].error, null);
  return { proxy, port };
}

const shortTimeouts = { httpRequest: 400, keepAlive: 400, client: 400, tunnel: 400 };

for (const way of ways) {
  Deno.test(`${way}: a hundred requests of one client take one connection to the server`, async () => {
    await using origin = new Origin(answering("ok"));
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    for (let i = 0; i < 100; i++) {
      await wire.send(REQUEST);
      assert.match(await wire.message(), /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
    }
    assert.equal(origin.connections, 1);
  });

  Deno.test(`${way}: servers are picked in turn by weight, whichever thread serves`, async () => {
    await using a = new Origin(answering("a"));
    await using b = new Origin(answering("b"));
    const web = backend("web", [a.port, b.port]);
    const weighted = { ...web, servers: web.servers.map((server, index) => ({ ...server, weight: index + 1 })) };
    const { proxy, port } = await start(way, [], { backend: weighted, threads: 2 });
    await using _ = proxy;
    const answers = [];
    for (let i = 0; i < 30; i++) answers.push((await get(port)).slice(-1));
    assert.equal(answers.filter((answer) => answer === "b").length, 20);
  });

  Deno.test(`${way}: bodies pass unchanged in both directions, by length and in chunks`, async () => {
    await using origin = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.until("\r\n\r\n");
        if (/transfer-encoding: chunked/i.test(head)) {
          const body = await wire.until("0\r\n\r\n", 20_000);
          await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          await wire.sendBytes(latin1(body));
        } else {
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
          const body = await wire.take(length, 20_000);
          await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
          await wire.sendBytes(latin1(body));
        }
      }
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    for (const length of [0, 1, 1000, 4000, 16_384, 70_000, 1_000_000, 5_000_000]) {
      const body = "0123456789abcdef-".repeat(Math.ceil(length / 17)).slice(0, length);
      const sent = wire.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`);
      const [head, echo] = [await wire.until("\r\n\r\n", 20_000), await wire.take(length, 20_000)];
      await sent;
      assert.match(head, /200 OK/, `${length}`);
      assert.ok(echo === body, `body of ${length} differs`);
      if (length === 0) continue;
      const chunks = chunked(body, 3000);
      const chunksSent = wire.send(`POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
      await wire.until("\r\n\r\n", 20_000);
      const echoed = await wire.until("0\r\n\r\n", 20_000);
      await chunksSent;
      assert.ok(echoed === chunks, `chunks of ${length} differ`);
    }
    assert.equal(origin.connections, 1);
  });

  Deno.test(`${way}: the server is told who the client is, whatever the client says`, async () => {
    let seen = "";
    await using origin = new Origin(async (wire) => {
      seen = await wire.message();
      await wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    await get(port, "/", "X-Forwarded-For: 1.2.3.4\r\n");
    assert.deepEqual(seen.match(/x-forwarded-for: .*/gi), ["X-Forwarded-For: 127.0.0.1"]);
  });

  Deno.test(`${way}: a refused connect goes to the next server, and 503 when there is none`, async () => {
    await using origin = new Origin(answering("up"));
    const { proxy, port } = await start(way, [freePort(), origin.port, freePort()]);
    await using _ = proxy;
    for (let i = 0; i < 9; i++) assert.match(await get(port), /^HTTP\/1\.1 200/);
    const status = await proxy.status();
    assert.ok(status.servers[0].connect_failures > 0);
    assert.equal(status.servers[1].requests_total, 9);

    await proxy.apply({ frontends: [frontend("in", port)], backends: [backend("web", [freePort(), freePort()])] });
    assert.match(await get(port), /^HTTP\/1\.1 503/);
  });

  Deno.test(`${way}: the only server is tried again after a pause, and gets what was sent meanwhile once`, async () => {
    const server = freePort();
    const timeouts = { connect: 400, server: 5000, queue: 1000 };
    const { proxy, port } = await start(way, [server], { backend: { timeouts } });
    await using _ = proxy;
    using wire = await Wire.to(port);
    const began = performance.now();
    await wire.send("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello");
    await pause(100);
    let served = "";
    await using _origin = new Origin(async (wire) => {
      served += await wire.until("helloworld");
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      await wire.until("never", 60_000);
    }, server);
    await wire.send("world");
    assert.match(await wire.message(), /^HTTP\/1\.1 200 OK/);
    assert.ok(performance.now() - began >= 400, "no pause");
    assert.equal(served.match(/POST/g)?.length, 1);
    const [{ requests_total, connect_failures }] = (await proxy.status()).servers;
    assert.deepEqual([requests_total, connect_failures], [1, 1]);
  });

  Deno.test(`${way}: nobody is waited for in a pause whom a verdict takes away, nor with retries: 0`, async () => {
    const timeouts = { connect: 1000, server: 5000, queue: 1000 };
    const { proxy, port } = await start(way, [freePort()], { backend: { timeouts } });
    await using _ = proxy;
    const began = performance.now();
    const answer = get(port);
    await pause(100);
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s0", state: "down", weight: 1 }] });
    assert.match(await answer, /^HTTP\/1\.1 503/);
    const first = performance.now() - began;
    assert.ok(first >= 1000 && first < 1900, `answered after ${first} ms`);
    assert.match(await get(port), /^HTTP\/1\.1 503/);
    await proxy.apply({
      frontends: [frontend("in", port)],
      backends: [{ ...backend("web", [freePort()]), timeouts, retries: 0 }],
    });
    assert.match(await get(port), /^HTTP\/1\.1 503/);
    assert.ok(performance.now() - began < first + 900, "a pause");
  });

  Deno.test(`${way}: a server that is down gets no request from the moment the verdict is told`, async () => {
    await using a = new Origin(answering("a"));
    await using b = new Origin(answering("b"));
    const { proxy, port } = await start(way, [a.port, b.port]);
    await using _ = proxy;
    await get(port);
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s0", state: "down", weight: 1 }] });
    await proxy.status();
    const before = a.connections;
    for (let i = 0; i < 6; i++) assert.match(await get(port), /b$/);
    assert.equal(a.connections, before);
    await proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s1", state: "down", weight: 1 }] });
    await proxy.status();
    assert.match(await get(port), /^HTTP\/1\.1 503/);
  });

  Deno.test(`${way}: a GET on a reused connection that dies unanswered is sent once more, a POST never`, async () => {
    const seen: string[] = [];
    await using origin = new Origin(async (wire, connection) => {
      const first = await wire.message();
      seen.push(`${connection} ${first.slice(0, first.indexOf(" "))}`);
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
      const second = await wire.message();
      seen.push(`${connection} ${second.slice(0, second.indexOf(" "))}`);
      // Closes without an answer.
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    for (let i = 0; i < 2; i++) {
      await wire.send(REQUEST);
      assert.match(await wire.message(), /^HTTP\/1\.1 200/);
    }
    assert.deepEqual(seen, ["0 GET", "0 GET", "1 GET"]);
    seen.length = 0;
    await wire.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert.match(await wire.message(), /^HTTP\/1\.1 502/);
    assert.deepEqual(seen, ["1 POST"]);
  });

  Deno.test(`${way}: a client that goes away closes the server's connection at once`, async () => {
    const closed = Promise.withResolvers<number>();
    const asked = Promise.withResolvers<void>();
    await using origin = new Origin(async (wire) => {
      await wire.message();
      asked.resolve();
      await wire.rest();
      closed.resolve(performance.now());
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    const wire = await Wire.to(port);
    await wire.send(REQUEST);
    await asked.promise;
    const gone = performance.now();
    wire[Symbol.dispose]();
    assert.ok(await closed.promise - gone < 200);
  });

  Deno.test(`${way}: a client that does not read stops the server, in bounded memory`, async () => {
    let sent = 0;
    await using origin = new Origin(async (wire) => {
      await wire.message();
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${1 << 30}\r\n\r\n`);
      const piece = new Uint8Array(1 << 20);
      for (;;) {
        await wire.sendBytes(piece);
        sent += piece.length;
      }
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    await wire.send(REQUEST);
    await wire.until("\r\n\r\n");
    await delay(1000);
    const settled = sent;
    await delay(500);
    assert.equal(sent, settled);
    assert.ok(sent < 32 << 20, `the server could send ${sent} bytes`);
    // And it goes on when the client does.
    for (let taken = 0; taken < 64 << 20; taken += 1 << 20) await wire.take(1 << 20);
    assert.ok(sent > settled);
  });

  Deno.test(`${way}: time-outs: 408 for a slow head, 504 for a silent server, an idle client is closed silently`, async () => {
    await using silent = new Origin(async (wire) => {
      await wire.rest();
    });
    const { proxy, port } = await start(way, [silent.port], {
      frontend: { timeouts: shortTimeouts },
      backend: { timeouts: { connect: 400, server: 400, queue: 400 } },
    });
    await using _ = proxy;
    using slow = await Wire.to(port);
    await slow.send("GET / HT");
    await delay(200);
    await slow.send("TP/1.1\r\nHo");
    assert.match(await slow.rest(), /^HTTP\/1\.1 408/);
    assert.match(await get(port), /^HTTP\/1\.1 504/);
    using idle = await Wire.to(port);
    assert.equal(await idle.rest(), "");
    using stalled = await Wire.to(port);
    await stalled.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert.match(await stalled.rest(), /^HTTP\/1\.1 408/);
  });

  Deno.test(`${way}: a slow reader is served to the end, one that does not read is cut off`, async () => {
    await using origin = new Origin(async (wire) => {
      for (;;) {
        const size = Number((await wire.message()).split(" ")[1].slice(1));
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        await wire.sendBytes(new Uint8Array(size));
      }
    });
    const { proxy, port } = await start(way, [origin.port], {
      // The last of a response may stay here for longer than a connection may idle: that clock starts when it is sent.
      frontend: { timeouts: { ...shortTimeouts, client: 2_000, keepAlive: 50 } },
    });
    await using _ = proxy;
    const ask = (wire: Wire, size: number) => wire.send(`GET /${size} HTTP/1.1\r\nHost: a\r\n\r\n`);
    // Whether that last is with us or with the kernel when the server has ended depends on the size.
    const sizes = Array.from({ length: 8 }, (_, index) => (8 << 20) + 170_000 * index);
    await Promise.all(sizes.map(async (size) => {
      using slow = await Wire.to(port);
      await ask(slow, size);
      await slow.until("\r\n\r\n");
      for (let left = size; left > 0; left -= 256 << 10) {
        await slow.take(Math.min(left, 256 << 10));
        await delay(100);
      }
    }));
    using dead = await Wire.to(port);
    await ask(dead, 12 << 20);
    // Before it is counted, nobody is there either.
    await dead.until("\r\n\r\n");
    const current = async () => (await proxy.status()).frontends[0].connections.current;
    for (let waited = 0; waited < 20_000 && await current() > 0; waited += 200) await delay(200);
    assert.equal(await current(), 0);
  });

  Deno.test(`${way}: a body that breaks off is not ended cleanly`, async () => {
    await using origin = new Origin(async (wire) => {
      const head = await wire.until("\r\n\r\n");
      const [, path] = head.split(" ");
      if (path === "/length") await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      else await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    assert.match(await get(port, "/chunks"), /5\r\nabcde\r\n$/);
  });

  Deno.test(`${way}: a body that ends with the connection ends with a reset if the server's does`, async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\nabc");
        setTimeout(() => socket.resetAndDestroy(), 100);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { proxy, port } = await start(way, [(server.address() as { port: number }).port]);
    await using _ = proxy;
    assert.match(await get(port), /\r\n\r\nabc<reset>$/);
    server.close();
  });

  Deno.test(`${way}: 100-continue and 103 are relayed, and a 101 opens a tunnel with half-close`, async () => {
    await using origin = new Origin(async (wire) => {
      const head = await wire.until("\r\n\r\n");
      if (/expect/i.test(head)) {
        await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        const body = await wire.take(3);
        await wire.send(
          `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n${body}`,
        );
        return;
      }
      await wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
      const all = await wire.rest();
      await wire.send(all.toUpperCase());
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    await wire.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1\.1 100 /);
    await wire.send("abc");
    assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1\.1 103 [^]*Link: <\/a>/);
    assert.match(await wire.message(), /^HTTP\/1\.1 200 [^]*abc$/);

    using tunnel = await Wire.to(port);
    await tunnel.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    assert.match(await tunnel.until("hello"), /^HTTP\/1\.1 101 [^]*Upgrade: echo/);
    await tunnel.send("some bytes");
    await (tunnel.connection as Deno.TcpConn).closeWrite();
    assert.equal(await tunnel.rest(), "SOME BYTES");
  });

  Deno.test(`${way}: pipelined requests are answered in order`, async () => {
    await using origin = new Origin(async (wire) => {
      for (;;) {
        const path = (await wire.message()).split(" ")[1];
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
      }
    });
    const { proxy, port } = await start(way, [origin.port]);
    await using _ = proxy;
    using wire = await Wire.to(port);
    const paths = Array.from({ length: 50 }, (_, index) => `/path-${index}`);
    await wire.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    for (const path of paths) assert.match(await wire.message(), new RegExp(`${path}$`));
  });

  Deno.test(`${way}: mode tcp passes bytes and half-closes`, async () => {
    await using origin = new Origin(async (wire) => {
      await wire.send("banner ");
      await wire.send((await wire.rest()).toUpperCase());
    });
    const { proxy, port } = await start(way, [origin.port], { frontend: { mode: "tcp" } });
    await using _ = proxy;
    using wire = await Wire.to(port);
    await wire.send("some bytes");
    assert.equal(await wire.until("banner "), "banner ");
    await (wire.connection as Deno.TcpConn).closeWrite();
    assert.equal(await wire.rest(), "SOME BYTES");
  });
}

function chunked(body: string, size: number): string {
  let text = "";
  for (let at = 0; at < body.length; at += size) {
    const piece = body.slice(at, at + size);
    text += `${piece.length.toString(16)}\r\n${piece}\r\n`;
  }
  return text + "0\r\n\r\n";
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

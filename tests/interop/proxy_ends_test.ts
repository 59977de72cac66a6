/**
 * What a client can tell of a body that ends with its connection (RFC 9112 §6.3 rule 8): a FIN says that it is whole,
 * so whatever is less than whole must end with a reset. Looked at where the last of it lies in the proxy.
 */
import assert from "node:assert/strict";
import { backend, freePort, frontend, Origin, ProxyUnderTest, type Report, ways, Wire } from "./proxy_support.ts";

/** Octets beyond what the kernels take from a proxy whose client does not read; the server has ended by then. */
const LAST = [10_000, 30_000, 60_000, 100_000, 150_000, 250_000];

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends as many octets as the path says, framed by the end of the connection. */
function upToTheEnd(): Origin {
  return new Origin(async (wire) => {
    const path = (await wire.until("\r\n\r\n")).split(" ")[1];
    await wire.send("HTTP/1.1 200 OK\r\n\r\n");
    await wire.sendBytes(new Uint8Array(Number(path.slice(1))));
  });
}

async function start(way: string, origin: Origin, client = 600): Promise<{ proxy: ProxyUnderTest; port: number }> {
  const proxy = new ProxyUnderTest(way);
  const port = freePort();
  const timeouts = { httpRequest: 5_000, keepAlive: 5_000, client, tunnel: 5_000 };
  await proxy.apply({ frontends: [frontend("in", port, { timeouts })], backends: [backend("web", [origin.port])] });
  return { proxy, port };
}

async function asking(port: number, size: number): Promise<Wire> {
  const wire = await Wire.to(port);
  await wire.send(`GET /${size} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  return wire;
}

/** Octets that went out to a client that reads none. */
async function absorbed({ proxy, port }: { proxy: ProxyUnderTest; port: number }): Promise<number> {
  using _client = await asking(port, 64 << 20);
  await gone(proxy);
  return (await proxy.status()).frontends[0].bytes_out;
}

/** Whole, or cut so that the client knows. */
function seemsRight(got: string, size: number): boolean {
  return got.endsWith("<reset>") || got.length - (got.indexOf("\r\n\r\n") + 4) === size;
}

async function gone(proxy: ProxyUnderTest): Promise<void> {
  await settled(proxy, "no client is left", ({ frontends }) => frontends[0].connections.current === 0);
}

async function settled(proxy: ProxyUnderTest, what: string, is: (status: Report<"status">) => boolean): Promise<void> {
  assert.ok(await comes(proxy, is, 20_000), `not within 20 s: ${what}`);
}

/** Whether it is so within `ms`. */
async function comes(proxy: ProxyUnderTest, is: (status: Report<"status">) => boolean, ms: number): Promise<boolean> {
  for (const deadline = Date.now() + ms; Date.now() < deadline;) if (is(await proxy.status())) return true;
  return false;
}

for (const way of ways) {
  Deno.test(`${way}: who does not read the last of a body that ends with the connection gets a reset`, async () => {
    await using origin = upToTheEnd();
    const under = await start(way, origin);
    await using _ = under.proxy;
    const most = await absorbed(under);
    const dead = await Promise.all(LAST.map((last) => asking(under.port, most + last)));
    await settled(under.proxy, "all came", ({ frontends }) => frontends[0].connections.total === 1 + dead.length);
    await gone(under.proxy);
    for (const [index, wire] of dead.entries()) {
      const size = most + LAST[index];
      const got = await wire.rest();
      wire[Symbol.dispose]();
      assert.ok(seemsRight(got, size), `${got.length} octets of ${size} and a clean end`);
    }
  });

  Deno.test(`${way}: who ends its own side early gets the whole body, or a reset`, async () => {
    await using origin = upToTheEnd();
    const under = await start(way, origin);
    await using _ = under.proxy;
    const most = await absorbed(under);
    for (const last of [1 << 20, ...LAST]) {
      const size = most + last;
      using hurried = await asking(under.port, size);
      await delay(100);
      await (hurried.connection as Deno.TcpConn).closeWrite();
      await delay(100);
      const got = await hurried.rest();
      assert.ok(seemsRight(got, size), `${got.length} octets of ${size} and a clean end`);
    }
  });

  Deno.test(`${way}: who ends its own side when the server is done still gets the last of the response`, async () => {
    await using origin = new Origin(async (wire) => {
      const size = Number((await wire.message()).split(" ")[1].slice(1));
      await wire.send(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`);
      await wire.sendBytes(new Uint8Array(size));
    });
    const impatient = await start(way, origin);
    await using _impatient = impatient.proxy;
    const most = await absorbed(impatient);
    const under = await start(way, origin, 10_000);
    await using _ = under.proxy;
    for (const last of [-300_000, ...LAST]) {
      using hurried = await asking(under.port, most + last);
      await hurried.until("\r\n\r\n");
      // Where the kernels take less than before, the proxy cannot take all of it: then the server is not done.
      const done = await comes(under.proxy, ({ servers }) => servers[0].connections === 0, 1_500);
      if (!done) break;
      await (hurried.connection as Deno.TcpConn).closeWrite();
      await hurried.take(most + last);
      assert.equal(await hurried.rest(), "");
    }
  });
}

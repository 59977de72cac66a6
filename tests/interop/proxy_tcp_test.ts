/** `mode: tcp` by the server name of the ClientHello, on real sockets: OpenSSL speaks TLS with the server it asked for. */
import assert from "node:assert/strict";
import { OPENING_LIMIT } from "../../runtime/proxy/opening.ts";
import type { FrontendOptions } from "../../runtime/proxy/protocol.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const routes: FrontendOptions["tcpRoutes"] = [
  { names: ["db.example"], clients: [], backend: "db" },
  { names: ["*.shop.example", "shop.example"], clients: [], backend: "shop" },
  { names: ["local.example"], clients: ["10.0.0.0/8"], backend: "db" },
];

/** A server that says its name, and echoes. */
function named(name: string): Origin {
  return new Origin(async (wire) => {
    await wire.send(`${name}:`);
    const buffer = new Uint8Array(4096);
    for (;;) {
      const length = await wire.connection.read(buffer);
      if (length === null) return;
      await wire.sendBytes(buffer.subarray(0, length));
    }
  });
}

/** A ClientHello as OpenSSL sends it. */
async function helloFor(...options: readonly string[]): Promise<Uint8Array> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const client = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...options],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  using connection = await listener.accept();
  const buffer = new Uint8Array(16_384);
  const length = await connection.read(buffer) ?? 0;
  listener.close();
  connection.close();
  await client.status;
  return buffer.slice(0, length);
}

for (const way of ways) {
  Deno.test(`${way}: mode: tcp goes where the ClientHello's server name says, whole or octet by octet`, async () => {
    await using db = named("db");
    await using shop = named("shop");
    await using rest = named("rest");
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    await proxy.apply({
      frontends: [frontend("in", port, { mode: "tcp", defaultBackend: "rest", tcpRoutes: routes })],
      backends: [backend("db", [db.port]), backend("shop", [shop.port]), backend("rest", [rest.port])],
    });
    const rows: readonly [string, readonly string[], string][] = [
      ["an exact name", ["-servername", "db.example"], "db"],
      ["its case does not matter", ["-servername", "DB.example", "-tls1_2"], "db"],
      ["a name below the wildcard", ["-servername", "a.b.shop.example"], "shop"],
      ["the name the wildcard is below", ["-servername", "shop.example"], "shop"],
      ["another name", ["-servername", "db.example.org"], "rest"],
      ["a name whose client is elsewhere", ["-servername", "local.example"], "rest"],
      ["no name", ["-noservername"], "rest"],
    ];
    for (const [what, options, server] of rows) {
      const hello = await helloFor(...options);
      for (const step of [hello.length, 1, 90]) {
        using wire = await Wire.to(port);
        for (let at = 0; at < hello.length; at += step) {
          await wire.sendBytes(hello.subarray(at, at + step));
          if (step === 90) await new Promise((resolve) => setTimeout(resolve, 2));
        }
        assert.equal(await wire.until(":"), `${server}:`, what);
        const echoed = await wire.take(hello.length);
        assert.equal(echoed, new TextDecoder("latin1").decode(hello), `${what}: nothing is lost`);
        await wire.send("more");
        assert.equal(await wire.take(4), "more", what);
      }
    }
    for (const [what, text] of [["HTTP", "GET / HTTP/1.1\r\n"], ["PostgreSQL", "\0\0\0\x08\x04\xd2\x16\x2f"]]) {
      using wire = await Wire.to(port);
      await wire.sendBytes(Uint8Array.from(text, (char) => char.charCodeAt(0)));
      assert.equal(await wire.until(":"), "rest:", what);
      assert.equal(await wire.take(text.length), text, what);
    }
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: who is silent before a ClientHello gets the default backend in time, who begins one is closed`, async () => {
    await using rest = named("rest");
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    await proxy.apply({
      frontends: [frontend("in", port, { mode: "tcp", defaultBackend: "rest", tcpRoutes: routes })],
      backends: [backend("rest", [rest.port])],
    });
    const began = performance.now();
    using silent = await Wire.to(port);
    using slow = await Wire.to(port);
    using gone = await Wire.to(port);
    await slow.sendBytes(Uint8Array.of(22, 3, 1));
    await gone.sendBytes(Uint8Array.of(22));
    gone.connection.close();
    const [greeting, nothing] = await Promise.all([silent.until(":", 8000), slow.rest(8000)]);
    assert.equal(greeting, "rest:");
    assert.equal(nothing, "<reset>");
    const took = performance.now() - began;
    assert.ok(took > OPENING_LIMIT - 100 && took < OPENING_LIMIT + 1500, `${took}`);
    // A route's backend that is not there is nobody's: the connection is closed, not sent elsewhere.
    using lost = await Wire.to(port);
    await lost.sendBytes(await helloFor("-servername", "db.example"));
    assert.equal(await lost.rest(), "<reset>");
    assert.deepEqual(proxy.errors, []);
  });
}

/** PROXY protocol in and out: by hand, and with HAProxy as the sender and as the receiver. */
import assert from "node:assert/strict";
import type { FrontendOptions } from "../../runtime/proxy/protocol.ts";
import type { ProxyVersion } from "../../runtime/proxy/proxy_protocol.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const V2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb";
const REQUEST = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Answers every request with the head it got. */
function mirror(): Origin {
  return new Origin(async (wire) => {
    for (;;) {
      const head = await wire.until("\r\n\r\n", 20_000);
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`);
    }
  });
}

const bind = (port: number): Partial<FrontendOptions> => ({
  binds: [{ address: "127.0.0.1", port, proxyProtocol: true }],
});

for (const way of ways) {
  Deno.test(`${way}: proxy_protocol gives the client's address to fields, routes and keys, however its octets come`, async () => {
    await using web = mirror();
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    const none = { set: {}, add: {}, remove: [] };
    await proxy.apply({
      frontends: [frontend("in", port, {
        ...bind(port),
        routes: [{
          match: { hosts: [], paths: [], methods: [], headers: [], query: [], clients: ["192.0.2.7/32"] },
          action: { type: "backend", backend: null, rewrite: null },
          allow: [],
          deny: [],
          basicAuth: null,
          rateLimit: null,
          forwardAuth: null,
          bodyLimit: null,
          timeouts: { connect: null, server: null, client: null, tunnel: null },
          retry: { attempts: null, repeat: "never" },
          requestHeaders: { set: { "x-route": "client" }, add: {}, remove: [] },
          responseHeaders: none,
        }],
      })],
      backends: [backend("web", [web.port])],
    });
    const rows: readonly [string, string, string, boolean][] = [
      ["v1", V1, "192.0.2.7", true],
      ["v2", V2, "192.0.2.7", true],
      ["v1 of IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 1 2\r\n", "2001:db8::9", false],
      ["v1 UNKNOWN", "PROXY UNKNOWN\r\n", "127.0.0.1", false],
      ["v2 LOCAL", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1", false],
    ];
    for (const [what, header, address, routed] of rows) {
      for (const step of [1000, 1, 17]) {
        using wire = await Wire.to(port);
        const bytes = bytesOf(header + REQUEST);
        for (let at = 0; at < bytes.length; at += step) {
          await wire.sendBytes(bytes.subarray(at, at + step));
          if (step === 17) await new Promise((resolve) => setTimeout(resolve, 2));
        }
        const answer = await wire.message();
        assert.match(answer, new RegExp(`x-forwarded-for: ${address.replaceAll(".", "\\.")}\r\n`, "i"), what);
        assert.equal(/x-route: client/i.test(answer), routed, what);
        // The header holds for the whole connection.
        await wire.send(REQUEST);
        assert.match(await wire.message(), new RegExp(`x-forwarded-for: ${address}`, "i"), what);
      }
    }
    assert.deepEqual(proxy.errors, []);
  });

  Deno.test(`${way}: with proxy_protocol anything else is closed, without it a header is no request`, async () => {
    await using web = mirror();
    const [asked, plain] = [freePort(), freePort()];
    await using proxy = new ProxyUnderTest(way);
    const backends = [backend("web", [web.port])];
    await proxy.apply({ frontends: [frontend("asked", asked, bind(asked)), frontend("plain", plain)], backends });
    const wrong = [
      REQUEST,
      "PROXY TCP4 192.0.2.7 198.51.100.1 56324 99999\r\n" + REQUEST,
      "PROXY TCP4 192.0.2.7\r\n" + REQUEST,
      V2.replace("\x21\x11", "\x31\x11") + REQUEST,
      // A TLV that does not fit.
      V2.replace("\0\x0c", "\0\x0e") + "\x04\0" + REQUEST,
      `PROXY UNKNOWN ${"x".repeat(200)}`,
    ];
    for (const text of wrong) {
      using wire = await Wire.to(asked);
      await wire.sendBytes(bytesOf(text));
      assert.ok(["", "<reset>"].includes(await wire.rest()), JSON.stringify(text.slice(0, 40)));
    }
    for (const header of [V1, V2]) {
      using wire = await Wire.to(plain);
      await wire.sendBytes(bytesOf(header + REQUEST));
      assert.match(await wire.rest(), /^HTTP\/1.1 400 /, "no header is taken where none is asked for");
    }
    assert.equal(web.connections, 0);
    // A reload turns it off: the socket stays, what is said on it changes.
    await proxy.apply({ frontends: [frontend("asked", asked), frontend("plain", plain)], backends });
    using wire = await Wire.to(asked);
    await wire.send(REQUEST);
    assert.match(await wire.message(), /200 OK/);
    assert.deepEqual(proxy.errors, []);
  });

  for (const version of ["v1", "v2"] as const) {
    Deno.test(`${way}: send_proxy ${version} tells HAProxy the client's address, of one's own and of a header's`, async () => {
      await using web = mirror();
      await using haproxy = await startHaproxy({ receives: true, to: web.port });
      const [http, tcp, chained] = [freePort(), freePort(), freePort()];
      await using proxy = new ProxyUnderTest(way);
      await proxy.apply({
        frontends: [
          frontend("http", http),
          frontend("tcp", tcp, { mode: "tcp" }),
          frontend("chained", chained, bind(chained)),
        ],
        backends: [sending(version, haproxy.port)],
      });
      for (const port of [http, tcp]) {
        for (let i = 0; i < 3; i++) {
          using wire = await Wire.to(port);
          const mine = (wire.connection.localAddr as Deno.NetAddr).port;
          for (let each = 0; each < 3; each++) {
            await wire.send(REQUEST);
            const answer = await wire.message();
            assert.match(
              answer,
              new RegExp(`x-seen: 127.0.0.1:${mine} 127.0.0.1:${port}\r\n`, "i"),
              `${version} ${port}`,
            );
          }
        }
      }
      using wire = await Wire.to(chained);
      await wire.sendBytes(bytesOf(V2 + REQUEST));
      assert.match(await wire.message(), /x-seen: 192.0.2.7:56324 198.51.100.1:443\r\n/i);
      assert.deepEqual(proxy.errors, []);
    });

    Deno.test(`${way}: HAProxy sends ${version}, with its TLVs, and we believe it`, async () => {
      await using web = mirror();
      const port = freePort();
      await using proxy = new ProxyUnderTest(way);
      await proxy.apply({ frontends: [frontend("in", port, bind(port))], backends: [backend("web", [web.port])] });
      await using haproxy = await startHaproxy({ receives: false, to: port, sends: version });
      for (const client of ["127.0.0.9", "127.0.0.10"]) {
        // From another address of the loopback net, so that it cannot be the connection's own by chance.
        const answer = await curl(client, haproxy.port);
        assert.match(answer, new RegExp(`x-forwarded-for: ${client.replaceAll(".", "\\.")}\r\n`, "i"));
      }
      assert.deepEqual(proxy.errors, []);
    });
  }

  Deno.test(`${way}: no connection that was introduced as one client's serves another`, async () => {
    const introduced: string[] = [];
    await using web = new Origin(async (wire) => {
      introduced.push(await wire.until("\r\n"));
      for (;;) {
        await wire.until("\r\n\r\n", 20_000);
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      }
    });
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    await proxy.apply({ frontends: [frontend("in", port)], backends: [sending("v1", web.port)] });
    const expected: string[] = [];
    for (let i = 0; i < 4; i++) {
      using wire = await Wire.to(port);
      expected.push(`PROXY TCP4 127.0.0.1 127.0.0.1 ${(wire.connection.localAddr as Deno.NetAddr).port} ${port}\r\n`);
      await wire.send(REQUEST);
      await wire.message();
    }
    assert.deepEqual(introduced, expected);
    assert.deepEqual(proxy.errors, []);
  });
}

function sending(version: ProxyVersion, port: number) {
  const web = backend("web", [port]);
  return { ...web, servers: web.servers.map((server) => ({ ...server, sendProxy: version })) };
}

/** GET / from one of this machine's addresses; the whole response. */
async function curl(from: string, port: number): Promise<string> {
  const { stdout, success } = await new Deno.Command("curl", {
    args: ["-s", "-i", "--max-time", "5", "--interface", from, `http://127.0.0.1:${port}/`],
  }).output();
  assert.ok(success, "curl got no answer");
  return new TextDecoder().decode(stdout);
}

interface Peer extends AsyncDisposable {
  readonly port: number;
}

/** HAProxy between us and a server, or between a client and us. */
async function startHaproxy(
  { receives, sends, to }: { receives: boolean; sends?: ProxyVersion; to: number },
): Promise<Peer> {
  const port = freePort();
  const send = sends === undefined
    ? ""
    : sends === "v1"
    ? " send-proxy"
    : " send-proxy-v2 proxy-v2-options unique-id,crc32c";
  const file = await Deno.makeTempFile({ suffix: ".cfg" });
  await Deno.writeTextFile(
    file,
    `global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend in
  bind 127.0.0.1:${port}${receives ? " accept-proxy" : ""}
  unique-id-format %[uuid]
  http-request set-header x-seen "%[src]:%[src_port] %[dst]:%[dst_port]" if ${receives ? "TRUE" : "FALSE"}
  default_backend out
backend out
  server one 127.0.0.1:${to}${send}
`,
  );
  const child = new Deno.Command("haproxy", { args: ["-db", "-f", file], stdout: "null", stderr: "null" }).spawn();
  for (let i = 0; i < 100; i++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(file);
    },
  };
}

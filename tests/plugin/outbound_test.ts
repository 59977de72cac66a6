/**
 * What a plugin with grants tries to reach beyond them. It has no socket of its own (`escape_test.ts`); all goes through
 * control, which here has something to lose: a server that redirects, and a listener that nobody may reach.
 */
import assert from "node:assert/strict";
import { createGranting } from "../../runtime/plugin/granted.ts";
import { nothingGranted } from "../../runtime/plugin/grants.ts";
import { Arena, checkerWith } from "./arena.ts";

/** Expressions, and what comes of each: a response's status, or the reason of a refusal. */
const attempts: readonly [name: string, expression: string, result: RegExp][] = [
  ["what is granted", `fetch("granted", "/fine")`, /^200$/],
  ["a redirect to elsewhere", `fetch("granted", "/redirect")`, /^307$/],
  ["a redirect by name", `fetch("granted", "/redirect-by-name")`, /^307$/],
  [
    "an endpoint that is not granted",
    `fetch("other", "/")`,
    /"other" is not granted; there is granted, rebound, datagrams, peer/,
  ],
  ["a property of the table", `fetch("__proto__", "/")`, /"__proto__" is not granted/],
  ["a URL in place of a name", `fetch("http://127.0.0.1:PORT/", "")`, /is not granted/],
  ["another host in the path", `fetch("granted", "//127.0.0.1:PORT/")`, /^404$|leaves the endpoint/],
  ["another host after credentials", `fetch("granted", "@127.0.0.1:PORT/")`, /Path must begin with/],
  ["the directory above", `fetch("granted", "/../secret")`, /leaves the endpoint/],
  ["the directory above, encoded", `fetch("granted", "/%2e%2e/secret")`, /leaves the endpoint/],
  ["a request within the request", `fetch("granted", "/ HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nGET /")`, /no spaces/],
  ["a header within the header", `fetch("granted", "/fine", { "x": "a\\r\\nb: c" })`, /header|Invalid/i],
  ["another host in the header", `fetch("granted", "/host", { host: "127.0.0.1:PORT" })`, /^200$/],
  ["another credential", `fetch("granted", "/authorization", { authorization: "mine" })`, /^200$/],
  ["a name that means this machine", `fetch("rebound", "/")`, /"localhost" is at .*, reached only under net_unsafe/],
  ["a peer", `fetch("peer", "/")`, /Address 192\.0\.2\.7 is reached only under net_unsafe/],
  ["a datagram to where none is granted", `ctx.send("other", new Uint8Array(1))`, /"other" is not granted/],
  [
    "a datagram to this machine",
    `ctx.send("datagrams", new Uint8Array(1))`,
    /Address (127\.0\.0\.1|::1) is reached only/,
  ],
  ["a connection", `ctx.connect({ port: PORT })`, /Connections are not granted/],
  ["a command", `ctx.run("sh", ["-c", "id"])`, /"sh" is not granted/],
  ["a store", `ctx.store.get("a")`, /No store is granted/],
];

Deno.test("a plugin reaches what was granted by name, and nothing else", async (t) => {
  using forbidden = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let contacts = 0;
  const accepting = (async () => {
    for await (const connection of forbidden) {
      contacts++;
      connection.close();
    }
  })().catch(() => {});
  const { port } = forbidden.addr;
  const seen: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url, headers }) => {
    const { pathname } = new URL(url);
    seen.push(`${pathname} ${headers.get("host")} ${headers.get("authorization")}`);
    const host = pathname === "/base/redirect-by-name" ? "localhost" : "127.0.0.1";
    if (pathname.startsWith("/base/redirect")) {
      return new Response(null, { status: 307, headers: { location: `http://${host}:${port}/` } });
    }
    return new Response(null, { status: /^\/base\/(fine|host|authorization)$/.test(pathname) ? 200 : 404 });
  });
  await using arena = new Arena();
  const endpoints = {
    granted: { url: `http://127.0.0.1:${server.addr.port}/base`, headers: { authorization: "ours" }, unsafe: true },
    rebound: { url: `http://localhost:${port}/` },
    datagrams: { url: `udp://localhost:${port}` },
    peer: { url: "http://192.0.2.7/" },
  };
  const grants = { targets: false, endpoints: Object.keys(endpoints), commands: [], store: 0 };
  const granting = createGranting({ directory: arena.directory, outward: { forbidden: ["192.0.2.7"] } });
  const capabilities = granting("outbound", grants, { ...nothingGranted, endpoints });
  const list = attempts.map(([, code]) =>
    `() => ${code.replaceAll("PORT", String(port)).replaceAll("\r\n", "\\r\\n")}`
  );
  const plugin = await arena.plugin(
    "outbound",
    checkerWith(`const fetch = async (endpoint: string, path: string, headers = {}) =>
        String((await ctx.fetch(endpoint, { path, headers })).status);
      try { return { state: "up", reason: String(await [${list.join(",\n")}][Number(target.server)]()) }; }
      catch (error: any) { return { state: "up", reason: error.message }; }`),
  );
  for (const [index, [name, , result]] of attempts.entries()) {
    await t.step(name, async () => {
      assert.match((await plugin.check(String(index), 5000, capabilities)).reason, result);
    });
  }
  assert.equal(contacts, 0, "Something reached the listener");
  // Where it went, and as whom, was never the plugin's to say.
  for (const line of seen) assert.match(line, new RegExp(`^/base/\\S* 127\\.0\\.0\\.1:${server.addr.port} ours$`));
  forbidden.close();
  await accepting;
});

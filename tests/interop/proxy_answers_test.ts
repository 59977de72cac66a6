/** Answers of our own, as `response_headers` of frontend and route leave them: all of them, once a request was read. */
import assert from "node:assert/strict";
import { hashSync } from "bcryptjs";
import type { FieldOptions, RouteOptions } from "../../runtime/proxy/routes/options.ts";
import { match, route } from "../unit/proxy/routes/request.ts";
import { allUp, backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

/** Every response says whose request it answers and that it came over this edge, and nothing of caches. */
const everywhere: FieldOptions = {
  set: { "X-Edge": "{request_id}", "Strict-Transport-Security": "max-age=1" },
  add: {},
  remove: ["cache-control", "server"],
};

const to = (name: string): RouteOptions["action"] => ({ type: "backend", backend: name, rewrite: null });
const on = (path: string) => match({ paths: [path] });
const routes: readonly Partial<RouteOptions>[] = [
  { match: on("/denied"), action: to("web"), deny: ["0.0.0.0/0"] },
  { match: on("/limited"), action: to("web"), rateLimit: { key: "client_ip", rate: 0.001, burst: 1 } },
  {
    match: on("/secret"),
    action: to("web"),
    basicAuth: { realm: "r", users: { ann: hashSync("right", 4) } },
  },
  { match: on("/large"), action: to("web"), bodyLimit: 3 },
  { match: on("/moved"), action: { type: "redirect", to: "/new", status: 308 } },
  {
    match: on("/said"),
    action: { type: "respond", status: 418, headers: { Server: "tea", "X-Own": "1" }, body: "tea" },
  },
  { match: on("/nowhere"), action: to("none") },
  { match: on("/refused"), action: to("gone") },
  { match: on("/down"), action: to("down") },
  { match: on("/empty"), action: to("empty") },
  { match: on("/asked"), action: to("web"), forwardAuth: { backend: "web", path: "/deny", copyHeaders: [] } },
  { match: on("/unasked"), action: to("web"), forwardAuth: { backend: "gone", path: "/", copyHeaders: [] } },
  { match: on("/own"), action: to("down"), responseHeaders: { set: { "X-Edge": "own" }, add: {}, remove: [] } },
];

const basic = (text: string) => `Authorization: Basic ${btoa(text)}\r\n`;

/** Target, further lines of the request, the status, and what else the answer's head has. */
const rows: readonly [what: string, status: number, target: string, fields?: string, has?: RegExp][] = [
  ["a server's own response", 200, "/"],
  ["monitor", 200, "/lb-health"],
  ["deny", 403, "/denied"],
  ["rate limit, once", 200, "/limited"],
  ["rate limit", 429, "/limited", "", /^Retry-After: /m],
  ["no password", 401, "/secret", "", /^WWW-Authenticate: Basic/m],
  ["a wrong password, looked up", 401, "/secret", basic("ann:wrong")],
  ["body limit", 413, "/large", "Content-Length: 9\r\n"],
  ["body limit in chunks", 413, "/large", "Transfer-Encoding: chunked\r\n"],
  ["redirect", 308, "/moved", "", /^Location: \/new\r$/m],
  ["respond", 418, "/said", "", /^X-Own: 1\r$/m],
  ["no backend", 404, "/nowhere"],
  ["every connect refused", 503, "/refused"],
  ["no server up", 503, "/down"],
  ["when_empty", 451, "/empty"],
  ["forward auth refuses", 401, "/asked"],
  ["forward auth cannot be asked", 503, "/unasked"],
  ["not HTTP from the server", 502, "/garbage"],
  ["no answer in time", 504, "/silent"],
  ["the route's word before the frontend's", 503, "/own", "", /^X-Edge: own\r$/m],
];

async function behave(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.message();
    const path = / (\S+)/.exec(head)?.[1];
    if (path === "/garbage") return await wire.send("220 mail.example\r\n\r\n");
    if (path === "/silent") await new Promise(() => {});
    const status = path === "/deny" ? 401 : 200;
    await wire.send(`HTTP/1.1 ${status} X\r\nServer: secret\r\nCache-Control: x\r\nContent-Length: 2\r\n\r\nok`);
  }
}

for (const way of ways) {
  Deno.test(`${way}: fields of responses are those of our own answers too`, async (t) => {
    await using origin = new Origin(behave);
    const timeouts = { connect: 200, server: 300, queue: 200 };
    const backends = [
      backend("web", [origin.port], { timeouts }),
      backend("gone", [freePort()], { timeouts }),
      backend("down", [freePort()], { timeouts }),
      backend("empty", [], { timeouts, whenEmpty: { status: 451, headers: {}, body: "later" } }),
    ];
    const port = freePort();
    await using proxy = new ProxyUnderTest(way);
    await proxy.apply(
      {
        frontends: [
          frontend("in", port, {
            routes: routes.map(route),
            monitor: { path: "/lb-health", active: false, backends: [] },
            responseHeaders: everywhere,
            // A trusted proxy says which request it is.
            trustedProxies: ["127.0.0.1/32"],
          }),
        ],
        backends,
      },
      allUp(backends).map((one) => one.backend === "down" ? { ...one, state: "down" as const } : one),
    );
    for (const [what, status, target, fields = "", has] of rows) {
      await t.step(what, async () => {
        using wire = await Wire.to(port);
        const method = /chunked|-length/i.test(fields) ? "POST" : "GET";
        const body = fields.includes("chunked") ? "9\r\n123456789\r\n0\r\n\r\n" : "";
        await wire.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-7\r\n${fields}\r\n${body}`);
        const [head] = (await wire.message(10_000)).split("\r\n\r\n");
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} \\S`), head);
        assert.match(head, /^Strict-Transport-Security: max-age=1\r?$/m);
        if (!/X-Edge/.test(has?.source ?? "")) assert.match(head, /^X-Edge: id-7\r?$/m);
        assert.equal(head.match(/^x-edge:/gim)?.length, 1, head);
        assert.doesNotMatch(head, /^(cache-control|server):/im);
        if (has !== undefined) assert.match(`${head}\r\n`, has);
      });
    }
    await t.step("what is no request gets the bare answer", async () => {
      using wire = await Wire.to(port);
      await wire.send("GET / FOO\r\n\r\n");
      const head = await wire.message();
      assert.match(head, /^HTTP\/1\.1 400 /);
      assert.doesNotMatch(head, /x-edge|strict-transport/i);
    });
    await t.step("HEAD gets the head alone, and the connection stays as it may", async () => {
      using wire = await Wire.to(port);
      await wire.send("HEAD /moved HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-7\r\n\r\n");
      assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1\.1 308 [^]*X-Edge: id-7\r\n/);
      await wire.send("HEAD /down HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-8\r\n\r\n");
      assert.match(await wire.rest(), /^HTTP\/1\.1 503 [^]*X-Edge: id-8\r\n[^]*\r\n\r\n$/);
    });
  });
}

/** Routes through a proxy process on real sockets: every match and action, and who tries to get around them. */
import assert from "node:assert/strict";
import { hashSync } from "bcryptjs";
import type { FrontendOptions } from "../../runtime/proxy/protocol.ts";
import type { RouteOptions } from "../../runtime/proxy/routes/options.ts";
import { match, NO_FIELDS, route } from "../unit/proxy/routes/request.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

/** What an origin saw last. */
interface Seen {
  head: string;
  requests: number;
}

/** An origin that says its name and remembers the request. */
function named(name: string, seen: Seen): Origin {
  return new Origin(async (wire) => {
    for (;;) {
      seen.head = await wire.message();
      seen.requests++;
      await wire.send(`HTTP/1.1 200 OK\r\nServer: secret\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    }
  });
}

interface Stage extends AsyncDisposable {
  readonly port: number;
  readonly proxy: ProxyUnderTest;
  readonly web: Seen;
  readonly api: Seen;
  /** One request on a connection of its own; status line, head and body. */
  ask(request: string): Promise<string>;
}

async function stage(
  way: string,
  routes: readonly Partial<RouteOptions>[],
  around: Partial<FrontendOptions> = {},
  more: { readonly auth?: Origin; readonly threads?: number } = {},
): Promise<Stage> {
  const web = { head: "", requests: 0 };
  const api = { head: "", requests: 0 };
  const origins = [named("web", web), named("api", api)];
  const proxy = new ProxyUnderTest(way);
  const port = freePort();
  const applied = await proxy.apply({
    threads: more.threads ?? 1,
    frontends: [frontend("in", port, { routes: routes.map(route), ...around })],
    backends: [
      backend("web", [origins[0].port]),
      backend("b", [origins[1].port]),
      backend("auth", [more.auth?.port ?? freePort()]),
      backend("gone", [freePort()]),
    ],
  });
  assert.equal(applied.listeners[0].error, null);
  return {
    port,
    proxy,
    web,
    api,
    async ask(request) {
      using wire = await Wire.to(port);
      await wire.send(request);
      return await wire.message(10_000);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const origin of origins) await origin[Symbol.asyncDispose]();
    },
  };
}

/** A GET of `target` with these further lines. */
function get(target: string, fields = "", host = "shop.example"): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
}

type Row = readonly [request: string, status: number, body: string];

async function table(stage: Stage, rows: readonly Row[]): Promise<void> {
  for (const [request, status, body] of rows) {
    const response = await stage.ask(request);
    assert.equal(Number(response.slice(9, 12)), status, `${request}\n→ ${response}`);
    assert.ok(response.endsWith(body), `${request}\n→ ${response}`);
  }
}

const redirect = (to: string, status = 308) => ({ type: "redirect", to, status }) as const;
const respond = (status: number, body: string, headers = {}) => ({ type: "respond", status, headers, body }) as const;
const to = (backend: string | null, rewrite: string | null = null) => ({ type: "backend", backend, rewrite }) as const;

for (const way of ways) {
  Deno.test(`${way}: requests go where the first route that matches sends them`, async () => {
    await using on = await stage(way, [
      { match: match({ hosts: ["api.example", "*.api.example"] }) },
      { match: match({ paths: ["/api/*"], methods: ["GET"] }) },
      { match: match({ headers: [{ name: "x-canary", values: ["1"] }] }) },
      { match: match({ query: [{ name: "v", values: ["2"] }] }) },
      { match: match({ paths: ["/mine"], clients: ["127.0.0.0/8"] }) },
      { match: match({ paths: ["/yours"], clients: ["192.0.2.0/24"] }) },
      { match: match({ paths: ["/dead"] }), action: to("gone") },
    ]);
    await table(on, [
      [get("/"), 200, "web"],
      [get("/", "", "API.example:80"), 200, "api"],
      [get("/", "", "v1.api.example"), 200, "api"],
      [get("/api"), 200, "api"],
      [get("/api/x"), 200, "api"],
      ["POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, "web"],
      [get("/", "X-Canary: 1\r\n"), 200, "api"],
      [get("/", "X-Canary: 0\r\n"), 200, "web"],
      [get("/?a=1&v=2"), 200, "api"],
      [get("/mine"), 200, "api"],
      [get("/yours"), 200, "web"],
      [get("/dead"), 503, "No server is available to handle this request.\n"],
      ["GET http://shop.example/api/x HTTP/1.1\r\nHost: shop.example\r\n\r\n", 200, "api"],
    ]);
  });

  Deno.test(`${way}: no spelling of a path gets by a rule, and the target is forwarded as it came`, async () => {
    await using on = await stage(way, [
      { match: match({ paths: ["/admin/*"] }), deny: ["0.0.0.0/0"] },
      { match: match({ paths: ["/public/*"] }), action: to("web") },
      { action: to(null), basicAuth: { realm: "r", users: { a: "$2y$04$x" } } },
    ]);
    const spellings = [
      "/admin",
      "/admin/",
      "/%61dmin",
      "//admin",
      "/./admin",
      "/a;x/../admin",
      "/public/../admin",
      "/public/%2e%2e/admin",
      "/public/..%2fadmin",
      "/public/..;/admin",
      "/public//../admin",
      "/public/..%5cadmin",
      "/public/..\\admin",
      "/admin;x",
      "/admin%2f",
      "/public/%00/../../admin",
      "http://shop.example//admin",
      "http://shop.example/public/..%2Fadmin",
    ];
    for (const target of spellings) {
      const status = (await on.ask(get(target))).slice(9, 12);
      assert.match(status, /^40[03]$/, target);
    }
    assert.equal(on.web.requests + on.api.requests, 0, "no origin saw any of them");
    for (const target of ["/public/a%2Fb;c//d/%7Ex?y=%20&z", "/public/%41", "/public/./x"]) {
      assert.match(await on.ask(get(target)), /^HTTP\/1\.1 200/, target);
      assert.ok(on.web.head.startsWith(`GET ${target} HTTP/1.1\r\n`), on.web.head);
    }
  });

  Deno.test(`${way}: redirects and fixed answers keep the connection, and nothing captured ends a line`, async () => {
    await using on = await stage(way, [
      { match: match({ paths: ["/old/*"] }), action: redirect("https://{host}/new/{*}") },
      { match: match({ paths: ["/u/:id"] }), action: redirect("/users/{id}?from={query}", 302) },
      { match: match({ hosts: ["plain.example"] }), action: redirect("https://{host}{uri}", 301) },
      { match: match({ paths: ["/r/*"] }), action: redirect("/{*}", 302) },
      { match: match({ paths: ["/down"] }), action: respond(503, "<!doctype html>sorry", { "Retry-After": "60" }) },
      { match: match({ paths: ["/big"] }), action: respond(200, "x".repeat(100_000)) },
    ], { responseHeaders: { set: { "Strict-Transport-Security": "max-age=1" }, add: {}, remove: [] } });
    const locations: readonly [string, string][] = [
      [get("/old/a/b?x=1"), "https://shop.example/new/a/b"],
      [get("/old"), "https://shop.example/new/"],
      [get("/old/%0d%0aSet-Cookie:%20a=b"), "https://shop.example/new/%0D%0ASet-Cookie:%20a=b"],
      [get("/old/%00%0a"), ""],
      [get("/u/7%0d%0a?a=%0d%0ab"), "/users/7%0D%0A?from=a=%0d%0ab"],
      [get("/x/y?z", "", "plain.example:8080"), "https://plain.example/x/y?z"],
      [get("/r//evil.example/x"), "/evil.example/x"],
      [get("/r/%5cevil.example"), ""],
    ];
    using wire = await Wire.to(on.port);
    for (const [request, wanted] of locations) {
      await wire.send(request);
      const response = await wire.message();
      if (wanted === "" && response.startsWith("HTTP/1.1 400")) continue;
      assert.equal(/^Location: (.*)\r$/m.exec(response)?.[1], wanted || "/%5Cevil.example", request);
      assert.doesNotMatch(response, /^set-cookie|^connection: close/im);
    }
    await wire.send(get("/down") + "HEAD /down HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"));
    assert.match(
      await wire.message(),
      /^HTTP\/1\.1 503 .*\r\nContent-Type: text\/html.*\r\nRetry-After: 60\r\nStrict-T.*sorry$/s,
    );
    assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1\.1 503 [^]*Content-Length: 20\r\n\r\n$/);
    assert.match(await wire.message(), /^HTTP\/1\.1 200 [^]*Strict-Transport-Security: max-age=1\r\n\r\nweb$/);
    assert.equal((await on.ask(get("/big"))).split("\r\n\r\n")[1].length, 100_000);
    assert.match(await on.ask("GET /old/x HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await on.ask("GET /down HTTP/1.0\r\n\r\n"), /connection: close/i);
  });

  Deno.test(`${way}: a request with a body that a route answers does not leave its body behind`, async () => {
    await using on = await stage(way, [{ match: match({ paths: ["/down"] }), action: respond(503, "down") }]);
    using wire = await Wire.to(on.port);
    const smuggled = get("/smuggled");
    await wire.send(`POST /down HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
    const all = await wire.rest();
    assert.match(all, /^HTTP\/1\.1 503 [^]*connection: close[^]*down$/i);
    assert.equal(on.web.requests, 0);
  });

  Deno.test(`${way}: ten thousand pipelined requests that a route answers take no more memory than a few`, async () => {
    await using on = await stage(way, [{ action: respond(200, "ok") }]);
    using wire = await Wire.to(on.port);
    const sent = wire.send(get("/").repeat(10_000));
    for (let i = 0; i < 10_000; i++) assert.match(await wire.message(), /ok$/);
    await sent;
  });

  Deno.test(`${way}: paths are rewritten and fields changed, of frontend and route`, async () => {
    await using on = await stage(way, [{
      match: match({ paths: ["/api/*"] }),
      action: to("b", "/v2/{*}"),
      requestHeaders: {
        set: { "X-Path": "{path}", host: "inner.example" },
        add: { "X-Id": "{request_id}" },
        remove: ["cookie"],
      },
      responseHeaders: { set: { "X-From": "{host}" }, add: {}, remove: ["server"] },
    }], {
      requestHeaders: { set: { "X-Edge": "1", "X-Path": "none" }, add: {}, remove: [] },
      trustedProxies: ["127.0.0.1/32"],
    });
    const response = await on.ask(
      get("/api/a%2Fb//c?q=1", "Cookie: a\r\nX_Path: spoofed\r\nX-Edge: 0\r\nX-Request-Id: mine-1\r\n"),
    );
    assert.match(response, /X-From: shop\.example\r\n/);
    assert.doesNotMatch(response, /^server:/im);
    const head = on.api.head;
    assert.ok(head.startsWith("GET /v2/a%2Fb/c?q=1 HTTP/1.1\r\n"), head);
    assert.match(head, /\r\nX-Path: \/api\/a%2Fb\/\/c\r\n/);
    assert.match(head, /\r\nX-Id: mine-1\r\n/);
    assert.match(head, /\r\nX-Edge: 1\r\n/);
    assert.equal(head.match(/^host: .*$/gim)?.join(), "host: inner.example");
    await on.ask("GET /api/old HTTP/1.0\r\n\r\n");
    assert.equal(on.api.head.match(/^host: .*$/gim)?.join(), "host: inner.example");
    assert.doesNotMatch(head, /cookie|spoofed|X-Edge: 0|X-Path: none/i);
    assert.match(await on.ask(get("/")), /Server: secret/);
    assert.match(on.web.head, /\r\nX-Edge: 1\r\nX-Path: none\r\n|\r\nX-Path: none\r\nX-Edge: 1\r\n/);
  });

  Deno.test(`${way}: a rate is shared by all threads`, async () => {
    await using on = await stage(
      way,
      [
        { match: match({ paths: ["/limited"] }), rateLimit: { key: "client_ip", rate: 0.1, burst: 5 } },
        { match: match({ paths: ["/by"] }), rateLimit: { key: { header: "x-key" }, rate: 0.1, burst: 1 } },
      ],
      {},
      { threads: 2 },
    );
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push(await on.ask(get("/limited")));
    assert.equal(answers.filter((answer) => answer.startsWith("HTTP/1.1 200")).length, 5);
    assert.match(answers.at(-1)!, /^HTTP\/1\.1 429 [^]*Retry-After: (10|[1-9])\r\n/);
    await table(on, [
      [get("/by", "X-Key: a\r\n"), 200, "api"],
      [get("/by", "X-Key: b\r\n"), 200, "api"],
      [get("/by", "X-Key: a\r\n"), 429, "Too many requests.\n"],
      [get("/"), 200, "web"],
    ]);
  });

  Deno.test(`${way}: passwords are compared without holding up anybody else`, async () => {
    const users = {
      ann: hashSync("secret", 11).replace("$2b$", "$2y$"),
      // openssl passwd -6 -salt saltstring secret
      eve: "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
    };
    await using on = await stage(way, [{ match: match({ paths: ["/in/*"] }), basicAuth: { realm: "in", users } }]);
    const authorization = (text: string) => `Authorization: Basic ${btoa(text)}\r\n`;
    assert.match(await on.ask(get("/in")), /^HTTP\/1\.1 401 [^]*WWW-Authenticate: Basic realm="in", charset="UTF-8"/);
    await on.ask(get("/in", authorization("ann:wrong")));
    using slow = await Wire.to(on.port);
    await slow.send(get("/in", authorization("bob:secret")));
    let longest = 0;
    for (let i = 0; i < 30; i++) {
      const begin = performance.now();
      await on.ask(get("/"));
      longest = Math.max(longest, performance.now() - begin);
    }
    assert.match(await slow.message(10_000), /^HTTP\/1\.1 401/);
    await table(on, [
      [get("/in", authorization("ann:secret")), 200, "api"],
      [get("/in/x", authorization("ann:secret")), 200, "api"],
      [get("/in", authorization("ann:secret2")), 401, "This needs a user name and a password.\n"],
      [get("/in", authorization("ann:wrong")), 401, "This needs a user name and a password.\n"],
      [get("/in", authorization("eve:secret")), 200, "api"],
      [get("/in", authorization("eve:secret2")), 401, "This needs a user name and a password.\n"],
    ]);
    using body = await Wire.to(on.port);
    await body.send(`POST /in HTTP/1.1\r\nHost: a\r\n${authorization("ann:secret")}Content-Length: 5\r\n\r\nab`);
    await body.send("cde");
    assert.match(await body.message(), /api$/);
    assert.match(on.api.head, /\r\n\r\nabcde$/);
    assert.ok(longest < 150, `another request took ${Math.round(longest)} ms`);
  });

  Deno.test(`${way}: a client that leaves while its password is compared leaves nothing behind`, async () => {
    const users = { ann: hashSync("secret", 10).replace("$2b$", "$2y$") };
    await using on = await stage(way, [{ basicAuth: { realm: "in", users } }]);
    for (let i = 0; i < 8; i++) {
      using wire = await Wire.to(on.port);
      await wire.send(get("/", `Authorization: Basic ${btoa(`ann:${i}`)}\r\n`));
    }
    let answer = "";
    for (let tries = 0; tries < 20 && !answer.startsWith("HTTP/1.1 200"); tries++) {
      answer = await on.ask(get("/", `Authorization: Basic ${btoa("ann:secret")}\r\n`));
      if (answer.startsWith("HTTP/1.1 429")) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.match(answer, /^HTTP\/1\.1 200/);
    assert.equal((await on.proxy.status()).frontends[0].connections.current, 0);
  });

  Deno.test(`${way}: a forward-auth server lets pass, redirects, and its silence is no permission`, async () => {
    const questions: string[] = [];
    await using auth = new Origin(async (wire) => {
      for (;;) {
        const head = await wire.until("\r\n\r\n");
        questions.push(head);
        const uri = /x-forwarded-uri: (.*)\r/i.exec(head)?.[1] ?? "";
        if (uri.startsWith("/ok/long")) {
          await wire.send(`HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`);
        } else if (uri.startsWith("/ok/chunks")) {
          const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
          await wire.send(
            `HTTP/1.1 200 OK\r\nX-User: ann\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(9)}0\r\n\r\n`,
          );
        } else if (uri.startsWith("/ok")) {
          await wire.send("HTTP/1.1 200 OK\r\nX-User: ann\r\nX-Other: 1\r\nContent-Length: 2\r\n\r\nok");
        } else if (uri.startsWith("/login")) {
          const page = "<p>please</p>";
          await wire.send(
            `HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n`,
          );
          await wire.send(`${page.length.toString(16)}\r\n${page}\r\n0\r\n\r\n`);
        } else if (uri.startsWith("/broken")) return;
        else await wire.send("nonsense\r\n\r\n");
      }
    });
    const forwardAuth = { backend: "auth", path: "/check?x=1", copyHeaders: ["X-User"] };
    await using on = await stage(
      way,
      [
        { forwardAuth },
      ],
      {},
      { auth },
    );
    const spoofed =
      "X-User: root\r\nX_User: root\r\nX-Forwarded-Uri: /ok\r\nCookie: session=1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n";
    for (let i = 0; i < 3; i++) assert.match(await on.ask(get("/ok/a?b", spoofed)), /^HTTP\/1\.1 200 [^]*api$/);
    assert.equal(on.api.head.match(/^x.user: .*$/gim)?.join(), "X-User: ann");
    assert.equal(auth.connections, 1, "its connection is reused");
    for (const path of ["/ok/long", "/ok/chunks"]) {
      assert.match(
        await on.ask(get(path)),
        /^HTTP\/1\.1 200 [^]*api$/,
        "what a permission says beside that is nothing",
      );
      assert.match(on.api.head, /\r\nX-User: ann\r\n/);
    }
    const [first] = questions;
    assert.ok(first.startsWith("GET /check?x=1 HTTP/1.1\r\nHost: shop.example\r\n"), first);
    assert.equal(first.match(/^x-forwarded-uri: .*$/gim)?.join(), "X-Forwarded-Uri: /ok/a?b");
    assert.match(first, /\r\nX-Forwarded-Method: GET\r\n/);
    assert.match(first, /\r\nCookie: session=1\r\n/);
    assert.doesNotMatch(first, /X-Hop/i);

    const before = on.api.requests;
    const response = await on.ask(get("/login"));
    assert.match(
      response,
      /^HTTP\/1\.1 302 Found\r\nLocation: \/login\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 13\r\n\r\n<p>please<\/p>$/,
    );
    for (const path of ["/broken", "/nonsense"]) assert.match(await on.ask(get(path)), /^HTTP\/1\.1 502/, path);
    assert.equal(on.api.requests, before);

    using post = await Wire.to(on.port);
    await post.send("POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await post.send("0\r\n\r\n");
    assert.match(await post.until("api"), /^HTTP\/1\.1 200/);
    assert.doesNotMatch(questions.at(-1)!, /transfer-encoding|content-length/i);
  });

  Deno.test(`${way}: forward auth that nobody answers is refused`, async () => {
    await using on = await stage(way, [{ forwardAuth: { backend: "auth", path: "/", copyHeaders: [] } }]);
    await table(on, [[get("/"), 503, "No server is available to handle this request.\n"]]);
    assert.equal(on.api.requests, 0);
  });

  Deno.test(`${way}: bodies are limited, by length and in chunks`, async () => {
    await using on = await stage(way, [{ bodyLimit: 10 }]);
    const post = (framing: string) => `POST / HTTP/1.1\r\nHost: a\r\n${framing}`;
    await table(on, [
      [post("Content-Length: 10\r\n\r\n0123456789"), 200, "api"],
      [post("Content-Length: 11\r\n\r\n01234567890"), 413, "The request body is larger than allowed.\n"],
    ]);
    const chunked = await on.ask(post("Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"));
    assert.match(chunked, /^HTTP\/1\.1 413/);
  });

  Deno.test(`${way}: a route has its own time-out and may say that a request is repeated`, async () => {
    await using silent = new Origin(async (wire) => {
      await wire.until("\r\n\r\n");
      await wire.rest(10_000);
    });
    let deliveries = 0;
    await using dying = new Origin(async (wire) => {
      await wire.until("\r\n\r\n");
      if (++deliveries % 2 === 1) return;
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
    });
    const none = { connect: null, server: null, client: null, tunnel: null };
    const proxy = new ProxyUnderTest(way);
    await using _ = proxy;
    const port = freePort();
    await proxy.apply({
      frontends: [frontend("in", port, {
        routes: [
          route({ match: match({ paths: ["/slow"] }), action: to("silent"), timeouts: { ...none, server: 200 } }),
          route({
            match: match({ paths: ["/again"] }),
            action: to("dying"),
            retry: { attempts: 1, repeat: "idempotent" },
          }),
          route({ match: match({ paths: ["/once"] }), action: to("dying") }),
        ],
      })],
      backends: [backend("silent", [silent.port]), backend("dying", [dying.port])],
    });
    using wire = await Wire.to(port);
    const begin = performance.now();
    await wire.send(get("/slow"));
    assert.match(await wire.message(), /^HTTP\/1\.1 504/);
    assert.ok(performance.now() - begin < 3000);
    const ask = async (text: string) => {
      using wire = await Wire.to(port);
      await wire.send(text);
      return await wire.message();
    };
    assert.match(await ask(get("/once")), /^HTTP\/1\.1 502/);
    deliveries = 0;
    assert.match(await ask(get("/again")), /second$/);
    assert.equal(deliveries, 2);
    deliveries = 0;
    assert.match(await ask("POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), /^HTTP\/1\.1 502/);
    assert.equal(deliveries, 1);
  });

  Deno.test(`${way}: a monitor answers for the balancer itself`, async () => {
    await using on = await stage(way, [{ deny: ["0.0.0.0/0"] }], {
      monitor: { path: "/lb-health", active: true, backends: ["web"] },
    });
    await table(on, [[get("/lb-health"), 503, "This balancer should not get traffic now.\n"], [
      get("/x"),
      403,
      "allowed.\n",
    ]]);
    await on.proxy.send({ type: "held", addresses: ["127.0.0.1"] });
    await on.proxy.status();
    await table(on, [[get("/lb-health"), 200, "OK\n"], [get("/lb-health/"), 403, "allowed.\n"]]);
    await on.proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server: "s0", state: "down", weight: 1 }] });
    await on.proxy.status();
    await table(on, [[get("/lb-health"), 503, "This balancer should not get traffic now.\n"]]);
  });

  Deno.test(`${way}: a trusted proxy's client is the client`, async () => {
    await using on = await stage(way, [{ allow: ["192.0.2.0/24"] }], { trustedProxies: ["127.0.0.0/8"] });
    await table(on, [
      [get("/"), 403, "allowed.\n"],
      [get("/", "X-Forwarded-For: 192.0.2.1\r\n"), 200, "api"],
      [get("/", "X-Forwarded-For: 192.0.2.1, 198.51.100.1\r\n"), 403, "allowed.\n"],
    ]);
  });

  Deno.test(`${way}: routes come and go with a reload, also for connections that stay`, async () => {
    await using on = await stage(way, []);
    using wire = await Wire.to(on.port);
    await wire.send(get("/"));
    assert.match(await wire.message(), /web$/);
    const set = (routes: readonly RouteOptions[]) =>
      on.proxy.apply({
        frontends: [frontend("in", on.port, { routes, requestHeaders: NO_FIELDS })],
        backends: [backend("web", [freePort()])],
      });
    await set([route({ action: respond(418, "tea") })]);
    await wire.send(get("/"));
    assert.match(await wire.message(), /^HTTP\/1\.1 418 [^]*tea$/);
    await set([]);
    await wire.send(get("/"));
    assert.match(await wire.message(), /^HTTP\/1\.1 503/);
  });
}

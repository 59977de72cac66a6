import assert from "node:assert/strict";
import { answerHead } from "../../../../runtime/proxy/routes/answer.ts";
import { CredentialCache } from "../../../../runtime/proxy/routes/credentials.ts";
import { renderLines } from "../../../../runtime/proxy/routes/field_changes.ts";
import type { RouteOptions, RoutingOptions } from "../../../../runtime/proxy/routes/options.ts";
import { allocateRates, RateTable } from "../../../../runtime/proxy/routes/rate_table.ts";
import { APPROVED, type Decision, PROVEN, Rules } from "../../../../runtime/proxy/routes/rules.ts";
import { packRouting, unpackRouting } from "../../../../runtime/proxy/routes/routing_text.ts";
import { rewritten } from "../../../../runtime/proxy/routes/target.ts";
import { match, NO_FIELDS, requestOf, type RequestOptions, route } from "./request.ts";

function rules(routes: readonly Partial<RouteOptions>[], around: Partial<RoutingOptions> = {}): Rules {
  const options: RoutingOptions = {
    routes: routes.map(route),
    monitor: null,
    requestHeaders: NO_FIELDS,
    responseHeaders: NO_FIELDS,
    ...around,
  };
  const rates = new RateTable(allocateRates(64));
  return new Rules(unpackRouting(packRouting(options)), "web", {
    rates,
    credentials: new CredentialCache(),
    now: () => 0,
    time: () => 1e12,
  });
}

/** A decision in a word. */
function told(decision: Decision): string {
  if (decision.type === "monitor") return "monitor";
  if (decision.type !== "answer") return `${decision.type} ${decision.route.name}`;
  const { status, lines } = decision.answer;
  const location = /^Location: (.*)\r$/m.exec(lines)?.[1];
  return location === undefined ? String(status) : `${status} ${location}`;
}

type Row = readonly [target: string, wanted: string, options?: RequestOptions];

function table(subject: Rules, rows: readonly Row[]): void {
  for (const [target, wanted, options] of rows) {
    assert.equal(
      told(subject.decide(requestOf(target, options))),
      wanted,
      `${target} ${JSON.stringify(options ?? {})}`,
    );
  }
}

Deno.test("Rules sends to backends, turns away by network, and answers itself", () => {
  const subject = rules([
    { match: match({ paths: ["/api/*"] }), deny: ["192.0.2.66"], allow: ["192.0.2.0/24"] },
    { match: match({ paths: ["/up"] }), bodyLimit: 10 },
    { match: match({ paths: ["/old/*"] }), action: { type: "redirect", to: "https://{host}/new/{*}", status: 308 } },
    { match: match({ hosts: ["x.example"] }), action: { type: "redirect", to: "https://{host}{uri}", status: 301 } },
    { match: match({ paths: ["/to/*"] }), action: { type: "redirect", to: "/{*}", status: 302 } },
    { match: match({ paths: ["/s"] }), action: { type: "redirect", to: "{scheme}://{host}/", status: 302 } },
    { match: match({ paths: ["/raw/*"] }), action: { type: "redirect", to: "{path}?{query}", status: 302 } },
  ], { monitor: { path: "/lb-health", active: false, backends: [] } });
  table(subject, [
    ["/api/x", "pass #0 /api/*"],
    ["/api/x", "403", { from: "192.0.2.66" }],
    ["/api/x", "403", { from: "198.51.100.1" }],
    ["/api/x", "403", { from: "unix:" }],
    ["/api/x", "403", { fields: "X-Forwarded-For: 198.51.100.1\r\n", trusted: ["192.0.2.7"] }],
    ["/api/x", "pass #0 /api/*", {
      from: "198.51.100.1",
      trusted: ["198.51.100.0/24"],
      fields: "X-Forwarded-For: 1.1.1.1, 192.0.2.9\r\nX-Forwarded-For: 198.51.100.3\r\n",
    }],
    ["/api/x", "403", { fields: "X-Forwarded-For: not an address\r\n", trusted: ["192.0.2.7"] }],
    ["/up", "413", { method: "POST", fields: "Content-Length: 11\r\n" }],
    ["/up", "pass #1 /up", { method: "POST", fields: "Content-Length: 10\r\n" }],
    ["/old/a/b?x=1", "308 https://shop.example/new/a/b"],
    ["/old/%0d%0aSet-Cookie:x", "308 https://shop.example/new/%0D%0ASet-Cookie:x"],
    ["//a?b=1", "301 https://x.example//a?b=1", { host: "X.example:8080" }],
    ["/to//evil.example/", "302 /evil.example/"],
    ["//raw//x?a=b", "302 /raw//x?a=b"],
    ["/s", "302 http://shop.example/"],
    ["/s", "302 https://shop.example/", { fields: "X-Forwarded-Proto: https\r\n", trusted: ["192.0.2.7"] }],
    ["/s", "302 http://shop.example/", { fields: "X-Forwarded-Proto: https\r\n" }],
    ["/s", "302 http://shop.example/", { fields: "X-Forwarded-Proto: gopher\r\n", trusted: ["192.0.2.7"] }],
    ["/lb-health", "monitor"],
    ["http://shop.example/lb-health?x", "monitor"],
    ["/lb-healthy", "pass default"],
    ["/", "pass default"],
    ["/api%2Fx", "400"],
  ]);
});

Deno.test("Rules fills rate buckets per client, and IPv6 clients are their /64", () => {
  const limited = route({ rateLimit: { key: "client_ip", rate: 1, burst: 2 } });
  const byField = route({ rateLimit: { key: { header: "X-Key" }, rate: 1, burst: 1 } });
  const subject = rules([{ ...limited, match: match({ paths: ["/a"] }) }, {
    ...byField,
    match: match({ paths: ["/b"] }),
  }]);
  table(subject, [
    ["/a", "pass #0 /a"],
    ["/a", "pass #0 /a"],
    ["/a", "429"],
    ["/a", "pass #0 /a", { from: "192.0.2.8" }],
    ["/a", "pass #0 /a", { from: "2001:db8::1" }],
    ["/a", "pass #0 /a", { from: "2001:db8::2" }],
    ["/a", "429", { from: "2001:db8::3" }],
    ["/a", "pass #0 /a", { from: "2001:db8:0:1::1" }],
    ["/b", "pass #1 /b", { fields: "x-key: one\r\n" }],
    ["/b", "429", { fields: "X-Key: one\r\n" }],
    ["/b", "pass #1 /b", { fields: "X-Key: two\r\n" }],
    ["/b", "pass #1 /b"],
    ["/b", "429"],
  ]);
});

Deno.test("Rules asks for passwords once, then for forward auth", () => {
  const users = { ann: "$2y$10$hash" };
  const forwardAuth = { backend: "auth", path: "/check", copyHeaders: [] };
  const subject = rules([{ basicAuth: { realm: 'a "b"', users }, forwardAuth }]);
  const authorization = (text: string) => ({ fields: `Authorization: Basic ${btoa(text)}\r\n` });
  table(subject, [["/", "401"], ["/", "401", { fields: "Authorization: Bearer x\r\n" }], [
    "/",
    "401",
    authorization("x"),
  ]]);
  const first = subject.decide(requestOf("/", authorization("ann:secret")));
  assert.ok(first.type === "verify");
  assert.deepEqual([first.question.password, first.question.hash, first.question.known], ["secret", users.ann, true]);
  const stranger = subject.decide(requestOf("/", authorization("bob:secret")));
  assert.ok(stranger.type === "verify");
  assert.deepEqual([stranger.question.hash, stranger.question.known], [users.ann, false]);
  subject.ports.credentials.learn(stranger.question, true, 0);
  subject.ports.credentials.learn(first.question, true, 0);
  table(subject, [["/", "401", authorization("bob:secret")], ["/", "ask #0 *", authorization("ann:secret")]]);
  assert.equal(told(subject.decide(requestOf("/"), PROVEN)), "ask #0 *");
  assert.equal(told(subject.decide(requestOf("/"), APPROVED)), "pass #0 *");
  assert.match(subject.route(0).unauthorized.lines, /^WWW-Authenticate: Basic realm="a \\"b\\"", charset="UTF-8"\r$/m);
});

Deno.test("Rules rewrites paths and keeps queries", () => {
  const rewrite = "/v2/{*}";
  const subject = rules([
    { match: match({ paths: ["/api/*"] }), action: { type: "backend", backend: "b", rewrite } },
    {
      match: match({ paths: ["/q/:id"] }),
      action: { type: "backend", backend: "b", rewrite: "/find?id={id}&{query}" },
    },
    { match: match({ paths: ["/none/*"] }), action: { type: "backend", backend: "b", rewrite: "{*}" } },
  ]);
  const rows: readonly [string, string | null][] = [
    ["/api/a%2Fb?x=%20", "/v2/a%2Fb?x=%20"],
    ["/api", "/v2/"],
    ["/api//x/../y", "/v2/y"],
    ["/q/7?a=1", "/find?id=7&a=1"],
    ["/q/a%20b%26c", "/find?id=a%20b%26c&"],
    ["/none/x", null],
  ];
  for (const [target, wanted] of rows) {
    const decision = subject.decide(requestOf(target));
    assert.ok(decision.type === "pass" && decision.route.action.type === "backend" && decision.route.action.rewrite);
    const facts = requestOf(target);
    subject.decide(facts);
    const made = rewritten(decision.route.action.rewrite, facts.sentQuery, subject.values);
    assert.equal(made && new TextDecoder().decode(made), wanted, target);
  }
});

Deno.test("Rules changes fields of frontend and route; no capture ends a line", () => {
  const subject = rules([{
    match: match({ paths: ["/x/:id/*"] }),
    requestHeaders: {
      set: { "X-User": "{id}", "X-Fixed": "route" },
      add: { "X-Where": "{host} {uri} {client_ip} {request_id}" },
      remove: ["Cookie"],
    },
  }], { requestHeaders: { set: { "x-fixed": "frontend", "x-all": "1" }, add: {}, remove: [] } });
  subject.decide(requestOf("/x/a%0d%0aEvil:%201/b?c=d"));
  const plan = subject.route(0).request;
  assert.ok(plan !== null);
  assert.deepEqual(plan.edits.drop.map((name) => new TextDecoder().decode(name)).sort(), [
    "cookie",
    "x-all",
    "x-fixed",
    "x-fixed",
    "x-user",
  ]);
  assert.equal(new TextDecoder().decode(plan.edits.append), "X-Fixed: route\r\nx-all: 1\r\n");
  assert.equal(
    new TextDecoder().decode(renderLines(plan, subject.values) ?? new Uint8Array()),
    "X-User: a%0D%0AEvil:%201\r\nX-Where: shop.example /x/a%0d%0aEvil:%201/b?c=d 192.0.2.7 made-up-id\r\n",
  );
});

Deno.test("Answers of routes have headers, framing and no body where none may be", () => {
  const subject = rules([
    {
      match: match({ paths: ["/down"] }),
      action: {
        type: "respond",
        status: 503,
        headers: { "Retry-After": "60", "X-Id": "{request_id}" },
        body: "<!doctype html>é",
      },
    },
    { match: match({ paths: ["/gone"] }), action: { type: "respond", status: 204, headers: {}, body: "" } },
  ]);
  const text = (target: string, framing = { close: false, toHead: false, clientMinor: 1 }) => {
    const decision = subject.decide(requestOf(target));
    assert.ok(decision.type === "answer");
    return new TextDecoder().decode(answerHead(decision.answer, framing));
  };
  assert.equal(
    text("/down"),
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nRetry-After: 60\r\nX-Id: made-up-id\r\n" +
      "Content-Length: 17\r\n\r\n",
  );
  assert.equal(
    text("/gone", { close: true, toHead: false, clientMinor: 1 }),
    "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
  );
});

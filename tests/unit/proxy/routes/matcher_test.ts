import assert from "node:assert/strict";
import { parsePathPattern } from "../../../../runtime/http/path_pattern.ts";
import { AMBIGUOUS, Matcher, NO_ROUTE } from "../../../../runtime/proxy/routes/matcher.ts";
import type { MatchOptions } from "../../../../runtime/proxy/routes/options.ts";
import { match, requestOf, type RequestOptions } from "./request.ts";

type Row = readonly [target: string, wanted: number, options?: RequestOptions];

function table(routes: readonly Partial<MatchOptions>[], rows: readonly Row[]): void {
  const matcher = new Matcher(routes.map(match));
  for (const [target, wanted, options] of rows) {
    assert.equal(matcher.match(requestOf(target, options)), wanted, `${target} ${JSON.stringify(options ?? {})}`);
  }
}

Deno.test("Matcher takes the first route whose every condition is met", () => {
  table([
    { paths: ["/api/*"], methods: ["GET", "PURGE"] },
    { hosts: ["www.example"], paths: ["/api/v1", "/v1"] },
    { paths: ["/api/*"], headers: [{ name: "X-Canary", values: ["1", "yes"] }] },
    { query: [{ name: "debug", values: [] }] },
    { clients: ["10.0.0.0/8", "2001:db8::/32"] },
    { paths: ["/"] },
  ], [
    ["/api/x", 0],
    ["/api", 0],
    ["/api/", 0],
    ["/api/x", 0, { method: "PURGE" }],
    ["/api/v1", NO_ROUTE, { method: "POST" }],
    ["/api/v1", 1, { method: "POST", host: "www.example" }],
    ["/v1", 1, { host: "WWW.Example:8080" }],
    ["/apix", NO_ROUTE],
    ["/api", 2, { method: "POST", fields: "x-canary: yes\r\n" }],
    ["/api", 2, { method: "POST", fields: "x-canary: 0\r\nX-CANARY: 1\r\n" }],
    ["/api", NO_ROUTE, { method: "POST", fields: "x_canary: 1\r\n" }],
    ["/x?a=1&debug", 3],
    ["/x?de%62ug=0", 3],
    ["/x?debugger", NO_ROUTE],
    ["/x", 4, { from: "10.1.2.3" }],
    ["/x", 4, { from: "2001:db8::9" }],
    ["/x", NO_ROUTE, { from: "11.0.0.1" }],
    ["/x", NO_ROUTE, { from: "unix:" }],
    ["/", 5],
    ["/?q=1", 5],
    ["http://shop.example", 5],
    ["http://shop.example/api/x", 0],
  ]);
});

Deno.test("Matcher compares hosts without port, case and the root's dot, wildcards at any depth", () => {
  table([
    { hosts: ["a.example"] },
    { hosts: ["*.b.a.example"] },
    { hosts: ["*.a.example", "c.example"] },
    { hosts: ["[2001:db8::1]"] },
    {},
  ], [
    ["/", 0, { host: "a.example" }],
    ["/", 0, { host: "A.EXAMPLE." }],
    ["/", 0, { host: "%61.example:80" }],
    ["/", 1, { host: "x.b.a.example" }],
    ["/", 2, { host: "b.a.example" }],
    ["/", 2, { host: "x.y.a.example" }],
    ["/", 2, { host: "c.example" }],
    ["/", 4, { host: "xa.example" }],
    ["/", 4, { host: ".a.example" }],
    ["/", 3, { host: "[2001:DB8::1]:8443" }],
    ["/", 4, { host: "other" }],
  ]);
});

Deno.test("Matcher is not fooled by spellings of a path, in either direction", () => {
  const spellings: readonly [string, number][] = [
    ["/admin", 0],
    ["/admin/x", 0],
    ["/%61dmin", 0],
    ["//admin", 0],
    ["/./admin", 0],
    ["/a;x/../admin", 0],
    ["/public/../admin", 0],
    ["/admin;x/y", AMBIGUOUS],
    ["/public/..%2fadmin", AMBIGUOUS],
    ["/public/..%2Fadmin/x", AMBIGUOUS],
    ["/public/..;/admin", AMBIGUOUS],
    ["/public//../admin", AMBIGUOUS],
    ["/public/..%5cadmin", AMBIGUOUS],
    ["/public\\..\\admin", AMBIGUOUS],
    ["/x%2f..%2fadmin", AMBIGUOUS],
    ["/admin%3bx", AMBIGUOUS],
    ["/admin%00", AMBIGUOUS],
    ["http://shop.example//admin", 0],
    ["/public/a%2Fb", 1],
    ["/public/a;v=1/b%40c", 1],
    ["/public//x", 1],
    ["/public/%7euser", 1],
    ["/else/a%2Fb;c", 2],
  ];
  table([{ paths: ["/admin/*"] }, { paths: ["/public/*"] }, {}], spellings);
  // Without paths there is nothing to fool.
  table([{ hosts: ["shop.example"] }], spellings.map(([path]) => [path, 0]));
});

Deno.test("Matcher.capture() gives parameters and the rest of the path in normal form", () => {
  const matcher = new Matcher([
    match({ paths: ["/old/*"] }),
    match({ paths: ["/u/:id{[0-9]+}/*", "/v/:id/*"] }),
    match({ paths: ["/o/:id?"] }),
    match({ hosts: ["b.example"] }),
  ]);
  const rows: readonly [string, string, string][] = [
    ["/old/a/b", "*", "a/b"],
    ["/old", "*", ""],
    ["/old/", "*", ""],
    ["/old//evil.example", "*", "evil.example"],
    ["/old/a%0d%0ab", "*", "a%0D%0Ab"],
    ["/u/7/x/y", "id", "7"],
    ["/u/7/x/y", "*", "x/y"],
    ["/v/z%2e/x", "id", "z."],
    ["/o/1", "id", "1"],
    ["/o", "id", ""],
  ];
  for (const [path, name, wanted] of rows) {
    assert.ok(matcher.match(requestOf(path)) >= 0, path);
    assert.equal(matcher.capture(name), wanted, path);
  }
  matcher.match(requestOf("//a/./b", { host: "b.example" }));
  assert.equal(matcher.capture("*"), "a/b");
});

Deno.test("Matcher agrees with regular expressions made of the patterns, in the order of the routes", () => {
  const parts = [
    "a",
    "b",
    ":x",
    ":y{[0-9]+}",
    ":z{[a-z]{2}}",
    ":v{[0-9]+|b}",
    ":u{(?:a|b)c?}",
    "*",
    ":o?",
    ".well",
    "~x",
  ];
  const paths = ["a", "b", "c", "7", "zz", "ac", "a.b", ".well", "~x", "12"];
  const random = generator(5);
  const choose = (from: readonly string[], most: number) =>
    "/" + Array.from({ length: random(most + 1) }, () => from[random(from.length)]).join("/");
  for (let round = 0; round < 400; round++) {
    // Many patterns are spread over more than one router.
    const length = round % 10 === 0 ? 150 : 1 + random(6);
    const patterns = Array.from({ length }, () => choose(parts, 3)).filter((pattern) => parsePathPattern(pattern).ok);
    const matcher = new Matcher(patterns.map((path) => match({ paths: [path] })));
    const expressions = patterns.map(expressionOf);
    for (let i = 0; i < 20; i++) {
      const path = choose(paths, 4);
      const wanted = patterns.length === 0 ? NO_ROUTE : expressions.findIndex((each) => each.test(path));
      assert.equal(matcher.match(requestOf(path)), wanted, `${path} in ${patterns}`);
    }
  }
});

Deno.test("Matcher takes the first of the routes that name the host, a wildcard above it, or none", () => {
  const named = ["a.b.c", "b.c", "x.b.c", "*.b.c", "*.c", "*.a.b.c"];
  const asked = ["a.b.c", "b.c", "x.b.c", "y.x.b.c", "c", "z.c", "d", "q.a.b.c", ".c", ".b.c"];
  const paths = ["/p/*", "/q", "/:any"];
  const random = generator(11);
  const some = (from: readonly string[], most: number) =>
    Array.from({ length: random(most + 1) }, () => from[random(from.length)]);
  const fits = (wanted: string, host: string) =>
    wanted.startsWith("*.") ? host.length > wanted.length - 1 && host.endsWith(wanted.slice(1)) : wanted === host;
  for (let round = 0; round < 400; round++) {
    const routes = Array.from({ length: random(8) }, () => ({ hosts: some(named, 2), paths: some(paths, 1) }));
    const matcher = new Matcher(routes.map(match));
    for (const host of asked) {
      for (const path of ["/p/1", "/q", "/z/z", "/"]) {
        const wanted = routes.findIndex(({ hosts, paths }) =>
          (hosts.length === 0 || hosts.some((each) => fits(each, host))) &&
          (paths.length === 0 || paths.some((each) => expressionOf(each).test(path)))
        );
        const found = matcher.match(requestOf(path, { host }));
        assert.equal(found, wanted, `${host}${path} in ${JSON.stringify(routes)}`);
      }
    }
  }
});

function expressionOf(pattern: string): RegExp {
  const segments = pattern.slice(1).split("/").map((segment, index, { length }) => {
    if (segment === "*") return index === length - 1 ? "(?:/.*)?" : "/[^/]+";
    const [, , expression, optional] = /^:(\w+)(?:\{(.*)\})?(\?)?$/.exec(segment) ?? [];
    if (!segment.startsWith(":")) return `/${segment.replace(/[.~]/g, "\\$&")}`;
    const group = `(?:${expression ?? "[^/]+"})`;
    if (optional === undefined) return `/${group}`;
    return index === 0 ? `/${group}?` : `(?:/${group})?`;
  });
  return new RegExp(`^${segments.join("")}$`);
}

function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

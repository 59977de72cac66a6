import assert from "node:assert/strict";
import { literalPrefix, parsePathPattern } from "../../../runtime/http/path_pattern.ts";

Deno.test("parsePathPattern() reads Hono's patterns in the form that normal paths have", () => {
  const rows: readonly [string, string, readonly string[], number][] = [
    ["*", "/*", [], 0],
    ["/*", "/*", [], 0],
    ["/api/*", "/api/*", [], 1],
    ["/a/b", "/a/b", [], -1],
    ["/a/", "/a/", [], -1],
    ["/", "/", [], -1],
    ["/users/:id", "/users/:id", ["id"], -1],
    ["/users/:id{[0-9]+}/*", "/users/:id{[0-9]+}/*", ["id"], 2],
    ["/:v{[a-z.]+\\.x}", "/:v{[a-z.]+\\.x}", ["v"], -1],
    ["/:v{[0-9]+|b}", "/:v{(?:[0-9]+|b)}", ["v"], -1],
    ["/a/:b?", "/a/:b?", ["b"], -1],
    ["/a/*/c", "/a/:_1/c", [], -1],
    ["/%7euser", "/~user", [], -1],
    ["/café", "/caf%C3%A9", [], -1],
  ];
  for (const [text, wanted, names, restAfter] of rows) {
    assert.deepEqual(parsePathPattern(text), { ok: true, value: { text: wanted, names, restAfter } }, text);
  }
});

Deno.test("literalPrefix() is what every path begins with that the pattern matches, in normal form", () => {
  const rows: readonly [string, string][] = [
    ["*", ""],
    ["/*", ""],
    ["/", "/"],
    ["/api/*", "/api"],
    ["/api/:id/x", "/api"],
    ["/a/:b?", "/a"],
    ["/:a/b", ""],
    ["/a/b", "/a/b"],
    ["/a/", "/a/"],
    ["/a/*/c", "/a"],
    ["/a:b/c", "/a:b/c"],
    ["/%7euser/*", "/~user"],
    ["/café/:x", "/caf%C3%A9"],
  ];
  for (const [pattern, wanted] of rows) assert.equal(literalPrefix(pattern), wanted, pattern);
});

Deno.test("parsePathPattern() refuses what could never match or means something else", () => {
  const rows: readonly [string, RegExp][] = [
    ["api", /must begin with "\/"/],
    ["/api*", /"\*" must be a whole segment/],
    ["/a//b", /must not have "\/\/"/],
    ["/a/../b", /must not have "\." or "\.\."/],
    ["/a?x=1", /the query has a key of its own/],
    ["/a b", /must not have a space/],
    ["/a{x}", /must not have a space, a control character, or any of/],
    ["/:a?/b", /only the last segment can be left out/],
    ["/:a/:a", /two parameters called a/],
    ["/:host", /\{host\} is taken/],
    ["/:1", /a parameter must be :name/],
    ["/:a{(x)}", /must not capture/],
    ["/:a{.+}", /must not match "\/"/],
    ["/:a{[^x]+}", /must not match "\/"/],
    ["/:a{\\W}", /must not match "\/"/],
    ["/:a{[}", /expression that is none/],
  ];
  for (const [text, wanted] of rows) {
    const parsed = parsePathPattern(text);
    assert.match(parsed.ok ? "" : parsed.reason, wanted, text);
  }
});

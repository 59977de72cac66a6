import assert from "node:assert/strict";
import { isPlainPath, LONGEST_AMBIGUOUS, normalPath, readings } from "../../../runtime/http/path.ts";
import { bytesOf } from "../../../runtime/http/mod.ts";

Deno.test("normalPath() follows RFC 3986 §6.2.2 and makes one slash of many", () => {
  const rows: readonly [string, string][] = [
    ["/admin", "/admin"],
    ["/%61dmin", "/admin"],
    ["/%7Euser/%2d", "/~user/-"],
    ["/caf%c3%a9", "/caf%C3%A9"],
    ["//admin", "/admin"],
    ["/a//b///c", "/a/b/c"],
    ["/./admin", "/admin"],
    ["/a/../admin", "/admin"],
    ["/a/%2e%2E/admin", "/admin"],
    ["/../../admin", "/admin"],
    ["/a/b/..", "/a/"],
    ["/a/.", "/a/"],
    ["/a;x/../admin", "/admin"],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/...", "/a/..."],
    ["/a%2fb", "/a%2Fb"],
    ["/a%252fb", "/a%252fb"],
    ["/100%", "/100%25"],
    ["/%zz", "/%25zz"],
    ['/"<>|', "/%22%3C%3E%7C"],
    ["/a\\b", "/a%5Cb"],
    ["", "/"],
  ];
  for (const [path, wanted] of rows) assert.equal(normalPath(path), wanted, path);
});

Deno.test("normalPath() changes nothing a second time", () => {
  for (const path of ["/a/../b", "/%2561", "//x//..//y", "/..;/x", "/a%2f..", "/%zz%"]) {
    assert.equal(normalPath(normalPath(path)), normalPath(path), path);
  }
});

Deno.test("readings() lists what other origins make of a path", () => {
  const rows: readonly [string, readonly string[]][] = [
    ["/admin", ["/admin"]],
    ["/%61dmin", ["/admin"]],
    ["/public/..%2fadmin", ["/public/..%2Fadmin", "/admin"]],
    ["/public/..;/admin", ["/public/..;/admin", "/admin"]],
    ["/public//../admin", ["/public/admin", "/admin"]],
    ["/public%5c..%5cadmin", ["/public%5C..%5Cadmin", "/admin"]],
    ["/public\\..\\admin", ["/public%5C..%5Cadmin", "/admin"]],
    ["/admin;jsessionid=1", ["/admin;jsessionid=1", "/admin"]],
    ["/a%3Bx", ["/a%3Bx", "/a;x", "/a"]],
    ["/user%40x", ["/user%40x", "/user@x"]],
    ["/a%2Fb", ["/a%2Fb", "/a/b"]],
  ];
  for (const [path, wanted] of rows) assert.deepEqual(readings(path), wanted, path);
  assert.ok(readings("/x;%2f..%5c../admin")?.includes("/admin"));
});

Deno.test("readings() trusts no NUL and no endless riddle", () => {
  assert.equal(readings("/admin%00.html"), null);
  assert.ok(readings("/" + "a;%2f".repeat(LONGEST_AMBIGUOUS / 4)) === null);
  assert.deepEqual(readings("/" + "%61".repeat(LONGEST_AMBIGUOUS)), ["/" + "a".repeat(LONGEST_AMBIGUOUS)]);
});

Deno.test("isPlainPath() is true only of paths that are their own normal form and only reading", () => {
  const alphabet = ["/", ".", "a", "%", "2", "f", ";", "\\", "~", "@", "//", "/..", "%2e", '"', ":"];
  let plain = 0;
  for (let seed = 0; seed < 20_000; seed++) {
    let path = "/";
    for (let rest = seed, i = 0; i < 6; i++, rest = Math.imul(rest + 7, 2654435761) >>> 5) {
      path += alphabet[rest % alphabet.length];
    }
    const bytes = bytesOf(path);
    if (!isPlainPath(bytes, 0, bytes.length)) continue;
    plain++;
    assert.deepEqual(readings(path), [path]);
  }
  assert.ok(plain > 100);
  assert.equal(isPlainPath(bytesOf("/a/b-c/~d"), 0, 9), true);
  assert.equal(isPlainPath(bytesOf(""), 0, 0), false);
});

import assert from "node:assert/strict";
import { requestOf, TARGET_FIELD, targetOf } from "../../../runtime/app/target.ts";

const made = (target: string, fields: Readonly<Record<string, string>> = {}) =>
  requestOf(target, { headers: new Headers({ host: "a.example:81", ...fields }) });

Deno.test("requestOf() has the client's host and scheme, and the target the client wrote, whatever it says itself", () => {
  const rows: readonly [target: string, fields: Readonly<Record<string, string>>, url: string, sent: string | null][] =
    [
      ["/a?b=c", {}, "http://a.example:81/a?b=c", "/a?b=c"],
      ["/a", { "x-forwarded-proto": "https" }, "https://a.example:81/a", "/a"],
      ["/a/../b", { [TARGET_FIELD]: "/forged" }, "http://a.example:81/b", "/a/../b"],
      ["//evil.example/a", {}, "http://a.example:81//evil.example/a", "//evil.example/a"],
      ["*", { [TARGET_FIELD]: "/forged" }, "http://a.example:81/", null],
    ];
  for (const [target, fields, url, sent] of rows) {
    const request = made(target, fields);
    assert.deepEqual([request.url, request.headers.get(TARGET_FIELD)], [url, sent], target);
  }
});

Deno.test("targetOf() is what came, unless the application asks for something else", () => {
  const came = made("/a/../b%2f?x");
  assert.equal(targetOf(came), "/a/../b%2f?x");
  assert.equal(targetOf(new Request(came, { headers: new Headers(came.headers) })), "/a/../b%2f?x", "changed fields");
  assert.equal(targetOf(new Request("http://a.example:81/c", came)), "/c", "another path");
  assert.equal(targetOf(new Request("http://a.example:81/b%2f?x=1", came)), "/b%2f?x=1", "another query");
  assert.equal(targetOf(new Request("http://b.example/b%2f?x", came)), "/a/../b%2f?x", "another host is a field");
  const split = new Headers({ [TARGET_FIELD]: "/b c" });
  assert.equal(targetOf(new Request("http://a/b%20c", { headers: split })), "/b%20c", "no target");
});

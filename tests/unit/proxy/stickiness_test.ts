import assert from "node:assert/strict";
import { DEFAULT_LIMITS, parseRequest, RequestHead } from "../../../runtime/http/mod.ts";
import type { Server } from "../../../runtime/proxy/server.ts";
import { Stickiness } from "../../../runtime/proxy/stickiness.ts";

const servers = ["one", "two", "new"].map((name) => ({ options: { name } }) as Server);
const stickiness = new Stickiness(
  { by: "cookie", cookie: "S", attributes: "; Path=/", values: { one: "v1", two: "v2" } },
  servers,
);
const decoder = new TextDecoder();

// Cookie fields of a request → the server they name (- none, null no cookie of ours), what is passed on instead
const rows: readonly [readonly string[], string | null, string | null][] = [
  [[], null, null],
  [["a=b"], null, null],
  [["S=v1"], "one", null],
  [["a=b; S=v2; c=d"], "two", "Cookie: a=b; c=d\r\n"],
  [["a=b; S=v2"], "two", "Cookie: a=b\r\n"],
  [["S=v2; c=d"], "two", "Cookie: c=d\r\n"],
  [["S=forged; c=d"], "-", "Cookie: c=d\r\n"],
  [["S=one"], "-", null],
  [["S="], "-", null],
  [["S=forged; x=y; S=v1"], "one", "Cookie: x=y\r\n"],
  [["a=b", "S=v1; e=f", "g=h"], "one", "Cookie: e=f\r\n"],
  [["S=v1", "S=v2"], "one", null],
  [["s=v1; SS=v2"], null, null],
];

for (const [fields, server, cookies] of rows) {
  Deno.test(`Stickiness.take() of ${JSON.stringify(fields)}`, () => {
    const text = `GET / HTTP/1.1\r\nHost: a\r\n${fields.map((each) => `Cookie: ${each}\r\n`).join("")}\r\n`;
    const bytes = new TextEncoder().encode(text);
    const head = new RequestHead();
    assert.ok(parseRequest(head, bytes, 0, bytes.length, DEFAULT_LIMITS) > 0);
    const taken = stickiness.take(head);
    assert.equal(taken === null ? null : taken.server?.options.name ?? "-", server);
    assert.equal(taken?.cookies ? decoder.decode(taken.cookies) : null, cookies);
  });
}

Deno.test("Stickiness.fieldFor() sets the cookie of a server that has a value", () => {
  const [one, , fresh] = servers;
  assert.equal(decoder.decode(stickiness.fieldFor(one) ?? undefined), "Set-Cookie: S=v1; Path=/\r\n");
  assert.equal(stickiness.fieldFor(fresh), null);
});

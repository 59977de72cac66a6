import assert from "node:assert/strict";
import type { Plan } from "../../../plugins/contract.ts";
import { DEFAULT_LIMITS, parseRequest, RequestHead } from "../../../runtime/http/mod.ts";
import { cookieValue } from "../../../runtime/proxy/balance/cookie_value.ts";
import { hashText } from "../../../runtime/proxy/balance/hash.ts";
import { keyReader } from "../../../runtime/proxy/balance/key.ts";

const encoder = new TextEncoder();
const client = { ipOf: () => encoder.encode("192.0.2.7") };

/** The head of a request that begins somewhere in its buffer, as received ones do. */
function headOf(target: string, ...fields: string[]): RequestHead {
  const head = new RequestHead();
  const bytes = encoder.encode(
    `xxxxxGET ${target} HTTP/1.1\r\nHost: a\r\n${fields.map((f) => `${f}\r\n`).join("")}\r\n`,
  );
  assert.ok(parseRequest(head, bytes, 5, bytes.length, DEFAULT_LIMITS) > 0);
  return head;
}

Deno.test("keyReader() hashes what the plan names, null where the request has none of it", () => {
  const rows: readonly [Omit<NonNullable<Plan["key"]>, "table">, RequestHead | null, string | null][] = [
    [{ from: "client_ip" }, null, "192.0.2.7"],
    [{ from: "path" }, headOf("/a/b?c=d"), "/a/b"],
    [{ from: "path" }, headOf("http://a/x?y"), "/x"],
    [{ from: "path" }, null, null],
    [{ from: "header", name: "X-User" }, headOf("/", "x-user: ann"), "ann"],
    [{ from: "header", name: "X-User" }, headOf("/", "x-user:"), null],
    [{ from: "header", name: "X-User" }, headOf("/", "x-users: ann"), null],
    [{ from: "cookie", name: "SID" }, headOf("/", "Cookie: a=b; SID=xyz; c=d"), "xyz"],
    [{ from: "cookie", name: "SID" }, headOf("/", "Cookie: a=b", "Cookie: SID=q"), "q"],
    [{ from: "cookie", name: "SID" }, headOf("/", "Cookie: sid=xyz"), null],
    [{ from: "query", name: "u" }, headOf("/x?a=1&u=7&b"), "7"],
    [{ from: "query", name: "u" }, headOf("/x?uu=1&u"), null],
    [{ from: "query", name: "u" }, headOf("/x"), null],
  ];
  for (const [key, head, wanted] of rows) {
    const got = keyReader({ ...key, table: "maglev" })(head, client);
    assert.equal(got, wanted === null ? null : hashText(wanted), JSON.stringify([key, wanted]));
  }
});

Deno.test("cookieValue() finds the pair and its value as RFC 6265 §4.2.1 writes them", () => {
  const rows: readonly [string, string | null, string][] = [
    ["S=1", "1", ""],
    ["a=b; S=1; c=d", "1", "a=b; c=d"],
    ["a=b;S=1", "1", "a=b;"],
    ["S=1;a=b", "1", "a=b"],
    ["S=; a=b", "", "a=b"],
    ['S="q"; a=b', "q", "a=b"],
    ["S=1 ; a=b", "1", "a=b"],
    ["XS=1; SS=2", null, "XS=1; SS=2"],
    ["s=1", null, "s=1"],
    ["S", null, "S"],
    ["", null, ""],
    ["S=1; S=2", "1", "S=2"],
    ["S=a=b", "a=b", ""],
  ];
  for (const [field, value, rest] of rows) {
    const bytes = encoder.encode(field);
    const place = cookieValue(bytes, 0, bytes.length, encoder.encode("S"));
    assert.equal(place && field.slice(place.start, place.end), value, field);
    assert.equal(place === null ? field : field.slice(0, place.from) + field.slice(place.to), rest, field);
  }
});

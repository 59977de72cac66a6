/** What an application may answer, and what its log says of anything else. */
import assert from "node:assert/strict";
import { usableResponse } from "../../../runtime/app/usable_response.ts";

const request = new Request("http://a.example/shop?key=secret", { method: "POST" });
const read = new Response("x");
await read.text();
const locked = new Response("x");
locked.body!.getReader();

const refused: readonly [name: string, answer: unknown, what: string][] = [
  ["a forgotten return", undefined, "nothing (is a return missing?), and not with a Response"],
  ["null", null, "null, and not with a Response"],
  ["text", "hello", "a string, and not with a Response"],
  ["an object", { status: 200 }, "an object (Object), and not with a Response"],
  ["a bare object", Object.create(null), "an object (bare), and not with a Response"],
  ["another request", request, "an object (Request), and not with a Response"],
  ["Response.error()", Response.error(), "status 0: Response.error() cannot be sent"],
  ["a body that was read", read, "a Response whose body was read already"],
  ["a body that is being read", locked, "a Response whose body was read already"],
];
for (const [name, answer, what] of refused) {
  Deno.test(`usableResponse() refuses ${name}`, () => {
    const message = `POST /shop was answered with ${what}`;
    assert.throws(() => usableResponse(answer, request), { name: "TypeError", message });
  });
}

Deno.test("usableResponse() takes every response that can be made", () => {
  const all = [new Response("x"), new Response(null, { status: 204 }), new Response("", { status: 599 })];
  for (const one of all) assert.equal(usableResponse(one, request), one);
});

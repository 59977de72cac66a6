import { request } from "tandem/plugin/test";
import assert from "node:assert/strict";
import door from "./main.ts";

const ANN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const config = { keys: { ann: ANN, bob: ANN.replace("9", "0") }, backend: "web" };

/** Asks the door; what it forwards is answered. */
async function ask(headers: Readonly<Record<string, string>>, path = "/api/orders") {
  const forwarded: [string, Request][] = [];
  const forward = (backend: string, request: Request) => {
    forwarded.push([backend, request]);
    return Promise.resolve(new Response("orders", { status: 206, headers: { "x-powered-by": "x" } }));
  };
  const response = await request(door, new Request(`http://a.example${path}`, { headers }), { config, forward });
  return { response, forwarded };
}

Deno.test("who is known is passed on, by name and without the key", async () => {
  const { response, forwarded } = await ask({ authorization: "Bearer test", accept: "text/plain", "x-caller": "root" });
  assert.deepEqual([response.status, await response.text()], [206, "orders"]);
  assert.deepEqual([...response.headers.keys()].filter((name) => name.startsWith("x-")), ["x-caller"]);
  const [[backend, request]] = forwarded;
  assert.equal(backend, "web");
  assert.deepEqual([...request.headers], [["accept", "text/plain"], ["x-caller", "ann"]]);
});

Deno.test("everybody else is turned away, and nothing forwarded", async () => {
  const rows: readonly [string, Readonly<Record<string, string>>][] = [
    ["no key", {}],
    ["an unknown key", { authorization: "Bearer other" }],
    ["another scheme", { authorization: "Basic dGVzdA==" }],
    ["the digest instead of the key", { authorization: `Bearer ${ANN}` }],
  ];
  for (const [what, headers] of rows) {
    const { response, forwarded } = await ask(headers);
    assert.deepEqual([response.status, forwarded.length], [401, 0], what);
  }
  assert.equal(await (await ask({}, "/api/door")).response.text(), "open\n");
});

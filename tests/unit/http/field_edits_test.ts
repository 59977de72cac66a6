import assert from "node:assert/strict";
import { compileEdits } from "../../../runtime/http/mod.ts";

Deno.test("compileEdits() is null where nothing changes", () => {
  assert.equal(compileEdits({}), null);
  assert.equal(compileEdits({ set: {}, add: {}, remove: [] }), null);
});

const refused = [
  ["no token", { set: { "a b": "1" } }, /Cannot edit field "a b": its name is not a token/],
  ["empty name", { remove: [""] }, /its name is not a token/],
  ["framing", { set: { "Content-Length": "1" } }, /framing and connection are decided by the proxy/],
  ["coding", { remove: ["transfer-encoding"] }, /framing and connection/],
  ["connection", { add: { Connection: "close" } }, /framing and connection/],
  ["injected line", { set: { a: "1\r\nb: 2" } }, /its value has a control character/],
  ["not Latin-1", { set: { a: "\u20ac" } }, /Cannot encode/],
] as const;

for (const [name, changes, message] of refused) {
  Deno.test(`compileEdits() refuses ${name}`, () =>
    assert.throws(() => compileEdits(changes), { name: "RangeError", message }));
}

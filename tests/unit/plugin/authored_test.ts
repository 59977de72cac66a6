import assert from "node:assert/strict";
import { sentenceOf, toWireError } from "../../../runtime/plugin/host/authored.ts";
import { PluginThrew, withPlace } from "../../../runtime/plugin/failure.ts";

const thrown = (stack: string, message = "no") => Object.assign(new Error(message), { stack });

const rows: [name: string, stack: string, at: string | undefined][] = [
  ["a method", "Error: no\n    at Object.check (file:///tmp/plugin/main.ts:14:9)", "main.ts:14:9"],
  ["the top of a module", "Error: no\n    at file:///tmp/plugin/lib/a.ts:1:7", "lib/a.ts:1:7"],
  ["an await", "Error: no\n    at async check (file:///tmp/plugin/main.ts:2:3)", "main.ts:2:3"],
  ["first ours", "Error: no\n    at x (file:///tmp/kit/a.ts:1:1)\n    at y (file:///tmp/plugin/b.ts:2:2)", "b.ts:2:2"],
  ["only ours", "Error: no\n    at x (file:///tmp/kit/a.ts:1:1)", undefined],
  ["no stack", "", undefined],
];
for (const [name, stack, at] of rows) {
  Deno.test(`toWireError() tells where it was thrown: ${name}`, () => {
    assert.equal(toWireError(thrown(stack), "/tmp/plugin").at, at);
  });
}

Deno.test("a place is told once, though the message names it too", () => {
  const wire = { name: "Error", message: "no (at main.ts:1:2)", at: "main.ts:1:2" };
  assert.equal(withPlace(wire), "no (at main.ts:1:2)");
  assert.equal(sentenceOf(wire), "Error: no (at main.ts:1:2)");
  assert.equal(withPlace({ ...wire, message: "no" }), "no (at main.ts:1:2)");
  assert.equal(sentenceOf({ name: "Error", message: "no" }), "Error: no");
  assert.equal(new PluginThrew({ ...wire, message: "no" }).message, "no");
});

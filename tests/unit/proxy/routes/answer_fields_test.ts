import assert from "node:assert/strict";
import { bytesOf } from "../../../../runtime/http/mod.ts";
import { plainAnswer, sentence } from "../../../../runtime/proxy/routes/answer.ts";
import { withFields } from "../../../../runtime/proxy/routes/answer_fields.ts";
import { compileFields, renderLines } from "../../../../runtime/proxy/routes/field_changes.ts";
import type { FieldOptions } from "../../../../runtime/proxy/routes/options.ts";

const before = "Content-Type: text/plain\r\nCache-Control: no-store\r\nRetry-After: 3\r\n";

const rows: readonly [what: string, changes: Partial<FieldOptions>, after: string][] = [
  ["add goes behind what is there", { add: { "Retry-After": "5" } }, `${before}Retry-After: 5\r\n`],
  [
    "set takes the place of a field, in any case",
    { set: { "cache-control": "max-age=1" } },
    "Content-Type: text/plain\r\nRetry-After: 3\r\ncache-control: max-age=1\r\n",
  ],
  ["remove", { remove: ["Content-Type", "retry-after"] }, "Cache-Control: no-store\r\n"],
  ["remove what is not there", { remove: ["server"] }, before],
  ["a part of a name is another name", { remove: ["cache"] }, before],
  ["a value of the request", { set: { "X-Id": "<{request_id}>" } }, `${before}X-Id: <7>\r\n`],
  ["Latin-1 stays one octet", { add: { "X-Name": "é" } }, `${before}X-Name: é\r\n`],
];

Deno.test("withFields() changes an answer as response_headers says", async (t) => {
  for (const [what, changes, after] of rows) {
    await t.step(what, () => {
      const plan = compileFields([{ set: {}, add: {}, remove: [], ...changes }], []) ?? assert.fail("no changes");
      const fields = { edits: plan.edits, lines: renderLines(plan, () => "7") };
      const { status, lines, body } = withFields(sentence(429, "Too many requests.", "Retry-After: 3\r\n"), fields);
      assert.deepEqual([status, lines, new TextDecoder().decode(body)], [429, after, "Too many requests.\n"]);
    });
  }
  const unchanged = { edits: { drop: [], append: bytesOf("") }, lines: null };
  assert.deepEqual(withFields(plainAnswer(504), unchanged), sentence(504, "The server did not answer in time."));
});

import assert from "node:assert/strict";
import { fill, parseTemplate } from "../../../runtime/http/template.ts";

Deno.test("fill() puts values where the placeholders are", () => {
  const rows: readonly [string, string][] = [
    ["", ""],
    ["plain", "plain"],
    ["{host}", "<host>"],
    ["https://{host}/new/{*}?{query}", "https://<host>/new/<*>?<query>"],
    ["{id}{id}", "<id><id>"],
    ['{{"a":1}}', '{"a":1}'],
  ];
  for (const [text, wanted] of rows) {
    const parsed = parseTemplate(text, ["*", "id"]);
    assert.ok(parsed.ok, text);
    assert.equal(fill(parsed.value, (name) => `<${name}>`), wanted);
  }
});

Deno.test("parseTemplate() refuses placeholders that nobody fills in", () => {
  const rows: readonly [string, RegExp][] = [
    ["{id}", /unknown placeholder \{id\}/],
    ["{*}", /unknown placeholder \{\*\}/],
    ["{}", /unknown placeholder \{\}/],
    ["{host", /"\{" without "\}"/],
    ["host}", /"\}" without "\{"/],
  ];
  for (const [text, wanted] of rows) {
    const parsed = parseTemplate(text);
    assert.match(parsed.ok ? "" : parsed.reason, wanted, text);
  }
});

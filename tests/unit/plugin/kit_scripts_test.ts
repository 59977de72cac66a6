import assert from "node:assert/strict";
import { KIT_FILES } from "../../../runtime/plugin/kit_files.ts";
import { scriptOf, scriptsOf } from "../../../runtime/plugin/kit_scripts.ts";

const scripts = scriptsOf(KIT_FILES)!;

Deno.test("scriptsOf() makes a script of every module, and they import each other", () => {
  assert.deepEqual(Object.keys(scripts).sort(), Object.keys(KIT_FILES).map(scriptOf).sort());
  for (const [path, text] of Object.entries(scripts)) {
    for (const [, specifier] of text.matchAll(/(?:from|import) "(\.[^"]+)"/g)) {
      const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
      assert.ok(target in scripts, `${path} imports ${specifier}`);
    }
  }
});

const cases: [name: string, text: string, script: RegExp][] = [
  ["types are gone", `const a: number = 1 as number; export { a };`, /^const a = 1;\s*export \{ a \};\s*$/],
  ["imports of types are gone", `import type { A } from "./a.ts"; import { type B } from "./b.ts";`, /^[^A]*$/],
  ["parameter properties are made", `class A { constructor(private readonly a: number) {} }`, /this\.a = a/],
  ["relative imports follow", `import { a } from "../os/a.ts"; export { a };`, /from "\.\.\/os\/a\.js"/],
  ["a text that looks like one stays", `export const a = "see ./a.ts";`, /"see \.\/a\.ts"/],
  ["packages stay", `import { a } from "hono"; export { a };`, /from "hono"/],
];
for (const [name, text, script] of cases) {
  Deno.test(`scriptsOf(): ${name}`, () => assert.match(scriptsOf({ "x/m.ts": text })!["x/m.js"], script));
}

Deno.test("scriptsOf() leaves other files alone, and gives up on what it cannot read", () => {
  assert.deepEqual(scriptsOf({ "a.js": "a", "b.d.ts": "b", "c.json": "{}" }), {});
  assert.equal(scriptsOf({ "a.ts": "const = ;" }), null);
});

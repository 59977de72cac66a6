import assert from "node:assert/strict";
import { appFileProblem } from "../../../runtime/control/app_files.ts";

Deno.test("appFileProblem() finds what cannot be loaded, and runs nothing of it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const files = {
      "fine.ts": `import { Hono } from "hono";\nimport "./part.ts";\nexport default new Hono();\nDeno.exit(9);`,
      "part.ts": `export const part: number = 1;`,
      "broken.ts": `export default {\n  fetch: () => new Response("a" "b"),\n};`,
      "incomplete.ts": `import "./gone.ts";\nexport default {};`,
      "around.ts": `import "./broken.ts";\nexport default {};`,
    };
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${directory}/${name}`, text);
    const rows: readonly [file: string, problem: RegExp | null][] = [
      ["fine.ts", null],
      ["none.ts", /^"DIR\/none\.ts" does not exist$/],
      ["", /^"DIR\/" is no file$/],
      ["broken.ts", /^"DIR\/broken\.ts" does not load: SyntaxError: .* \(DIR\/broken\.ts:2:33\)$/],
      ["incomplete.ts", /^"DIR\/incomplete\.ts" does not load: Module not found "DIR\/gone\.ts"$/],
      ["around.ts", /^"DIR\/around\.ts" does not load: SyntaxError: .* \(DIR\/broken\.ts:2:33\)$/],
    ];
    for (const [file, problem] of rows) {
      const got = (await appFileProblem(`${directory}/${file}`))?.replaceAll(directory, "DIR") ?? null;
      if (problem === null) assert.equal(got, null, file);
      else assert.match(got ?? "", problem);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

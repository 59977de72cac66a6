import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { main } from "../../runtime/cli.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = Deno.readTextFileSync(`${root}/README.md`);

Deno.test("README's configurations are accepted by check", async () => {
  const file = Deno.makeTempFileSync({ prefix: "tandem-readme-", suffix: ".yaml" });
  try {
    for (const [, yaml] of readme.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      Deno.writeTextFileSync(file, yaml);
      assert.equal(await main(["check", file]), 0, yaml);
    }
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("README's commands are those of deno.json, with the pinned Deno", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${root}/deno.json`)) as { tasks: Record<string, string> };
  for (const [, task] of readme.matchAll(/\btask (\w+)/g)) assert.ok(task in tasks, `task ${task}`);
  const versions = new Set([...readme.matchAll(/deno@([\d.]+)/g)].map(([, version]) => version));
  const ci = /deno_version=([\d.]+)/.exec(Deno.readTextFileSync(`${root}/.ci/run`))?.[1];
  assert.deepEqual([...versions], [ci]);
});

/** A plugin run by the program as one bundled file, where there is no source tree and no network to fetch from. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test("a bundled program runs plugins from an empty directory", async () => {
  const directory = await Deno.makeTempDir({ prefix: "tandem-bundled-" });
  await Deno.chmod(directory, 0o755);
  try {
    const bundle = `${directory}/program.js`;
    await deno([
      "bundle",
      "--quiet",
      "--platform",
      "deno",
      "--output",
      bundle,
      "tests/plugin/fixtures/bundle_driver.ts",
    ], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    await Deno.mkdir(`${directory}/sample`);
    await Deno.writeTextFile(
      `${directory}/sample/plugin.yaml`,
      "name: acme/sample\nversion: 1.0.0\nkind: checker\nentry: main.ts\npublisher: { name: Acme }\nconfig: {}\n",
    );
    await Deno.writeTextFile(
      `${directory}/sample/main.ts`,
      `import { defineChecker } from "tandem/plugin";
export default defineChecker({ check: (target) => ({ state: "up", reason: "bundled " + target.server }) });\n`,
    );
    const flags = ["-A", "--quiet", "--no-config", "--no-lock", "--no-npm", "--no-remote"];
    const output = await deno(["run", ...flags, bundle, directory, `${directory}/sample`], {
      cwd: "/",
      env: { DENO_DIR: `${directory}/cache` },
    });
    const { problems, verdict, isolation } = JSON.parse(output);
    assert.deepEqual([problems, verdict], [[], { state: "up", reason: "bundled node01" }]);
    if (Deno.uid() === 0) assert.deepEqual(isolation.missing, []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

async function deno(args: string[], options: Deno.CommandOptions): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", ...options })
    .output();
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr));
  return decoder.decode(stdout);
}

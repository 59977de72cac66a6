/** A plugin run by the program as one bundled file, where there is no source tree and no network to fetch from. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { answering, get, Origin } from "../interop/proxy_support.ts";
import { startAppNode } from "./app_node.ts";

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

Deno.test("a bundled program serves applications, files and plugins, from an empty directory", async () => {
  const directory = await Deno.makeTempDir({ prefix: "tandem-bundled-" });
  await Deno.chmod(directory, 0o755);
  const before = Deno.env.get("TANDEM_BINARY");
  try {
    const bundle = `${directory}/program.js`;
    const program = `${directory}/program`;
    await deno(["bundle", "--quiet", "--platform", "deno", "--output", bundle, "mod.ts"], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    const flags = "-A --quiet --no-lock --no-npm --no-remote";
    const script = `#!/bin/sh\nDENO_DIR=${directory}/cache exec ${Deno.execPath()} run ${flags} ${bundle} "$@"\n`;
    await Deno.writeTextFile(program, script, { mode: 0o755 });
    Deno.env.set("TANDEM_BINARY", program);
    await using web = new Origin(answering("web"));
    const app = (word: string) =>
      `import { forward } from "tandem/plugin";
import { Hono } from "hono";
import { cors } from "hono/cors";
const app = new Hono();
app.use(cors());
app.get("/:where/own", (c: any) => c.text("${word} of " + c.env.host.node));
app.all("*", forward("web"));
export default app;\n`;
    await Deno.writeTextFile(`${directory}/file.ts`, app("file"));
    const routes = `{ match: { path: /file/* }, app: ${directory}/file.ts }, { match: { path: /plugin/* }, app: door }`;
    await using world = await startAppNode({ door: app("plugin") }, [
      `frontends: { in: { bind: "127.0.0.1:PORT", routes: [${routes}] } }`,
      `backends: { web: { servers: { one: "127.0.0.1:${web.port}" } } }`,
      "plugins: { door: { source: ./door } }",
    ]);
    await world.node.waitFor(
      "both run",
      ({ apps, plugins }) => [...apps, ...plugins].every(({ state }) => state === "running"),
      20_000,
    );
    for (const where of ["file", "plugin"]) {
      const own = await get(world.port, `/${where}/own`);
      assert.match(own, new RegExp(`access-control-allow-origin: [^]*${where} of n1`, "i"));
      assert.match(await get(world.port, `/${where}/x`), /web$/);
    }
    if (Deno.uid() === 0) assert.deepEqual((await world.plugin("door")).isolation.missing, []);
  } finally {
    if (before === undefined) Deno.env.delete("TANDEM_BINARY");
    else Deno.env.set("TANDEM_BINARY", before);
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

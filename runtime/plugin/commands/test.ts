/** `plugin test`: the author's own tests with Deno, then those of the kind in the real sandbox. */
import type { JsonSchema } from "../../../plugins/declaration.ts";
import { describeFailure } from "../failure.ts";
import { readSource } from "../source.ts";
import { conformance, sampleConfig } from "./conformance.ts";
import { isTest } from "./findings.ts";
import { say, words } from "./terminal.ts";
import { type KitPlace, type Kits, openKit, openWorkshop } from "./workshop.ts";

export async function run(args: readonly string[], kits: Kits): Promise<number> {
  const { values, positionals } = words(args, { watch: { type: "boolean" } }, [0, 1]);
  const directory = positionals[0] ?? ".";
  using place = openKit(kits);
  for (;;) {
    const passed = await test(directory, place);
    if (!values.watch) return passed ? 0 : 1;
    say("Waiting for a change");
    using watcher = Deno.watchFs(directory);
    for await (const change of watcher) if (change.kind !== "access") break;
  }
}

/** Whether everything passed. */
export async function test(directory: string, place: KitPlace): Promise<boolean> {
  const source = await readSource(directory);
  const tests = [...source.files.keys()].filter(isTest).map((file) => `${directory}/${file}`);
  const own = tests.length === 0 || await runOwnTests(tests, await place.typesOf(source.manifest.kind));
  await using workshop = await openWorkshop(source, place);
  const { kind } = source.manifest;
  const config = sampleConfig(workshop.loaded.schema as JsonSchema);
  let failed = 0;
  const report = (name: string, error: unknown) => {
    if (error !== null) failed++;
    const what = error === null ? "ok" : `FAILED: ${describeFailure(error)}`;
    say(`${kind} in its sandbox: ${name} … ${what}`);
  };
  try {
    await workshop.call("init", null, 5000, { config });
    report("init takes a config that the schema takes", null);
  } catch (error) {
    report("init takes a config that the schema takes", error);
  }
  // From then on an application takes requests, as on a node.
  if (kind === "app") workshop.serve();
  for (const rule of conformance[kind]) {
    await rule.test(workshop).then(() => report(rule.name, null), (error) => report(rule.name, error));
  }
  for (const line of workshop.log) say(`  ${line}`);
  return own && failed === 0;
}

/** @param imports the import map; null where there is no Deno, or the types of a package are not known */
async function runOwnTests(files: readonly string[], imports: string | null): Promise<boolean> {
  if (imports === null) {
    say("Its own tests need Deno and its packages: run deno test in its directory");
    return true;
  }
  const flags = ["--quiet", "--allow-read", "--no-config", "--no-lock", `--import-map=${imports}`];
  const status = await new Deno.Command(Deno.execPath(), {
    args: ["test", ...flags, ...files],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return status.success;
}

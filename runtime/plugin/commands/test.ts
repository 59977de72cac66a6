/** `plugin test`: the author's own tests with Deno, then those of the kind in the real sandbox. */
import type { JsonSchema } from "../../../plugins/declaration.ts";
import { describeFailure } from "../failure.ts";
import { readSource } from "../source.ts";
import { conformance, sampleConfig } from "./conformance.ts";
import { grantAll } from "./granting.ts";
import { isTest } from "./findings.ts";
import { say, words } from "./terminal.ts";
import { type KitPlace, type Kits, openKit, openWorkshop } from "./workshop.ts";

export async function run(args: readonly string[], kits: Kits): Promise<number> {
  const { values, positionals } = words(args, { watch: { type: "boolean" } }, [0, 1]);
  const directory = positionals[0] ?? ".";
  using place = openKit(kits);
  if (!values.watch) return await test(directory, place) ? 0 : 1;
  await watching(directory, async () => {
    await test(directory, place);
  });
  return 0;
}

/** One save is several changes: a file is cut off, written, renamed. */
const SETTLED = 100;

/**
 * Does `work` now, and again after every change below `directory`, until `signal` is aborted. What it throws is told: a file
 * that does not parse is what its author is about to mend.
 */
export async function watching(directory: string, work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  // Open before the first time: what is saved in the meantime is a change too.
  using watcher = Deno.watchFs(directory);
  let changed = Promise.withResolvers<void>();
  signal?.addEventListener("abort", () => changed.resolve());
  const hearing = (async () => {
    for await (const { kind } of watcher) if (kind !== "access") changed.resolve();
  })();
  while (!signal?.aborted) {
    changed = Promise.withResolvers();
    await work().catch((error) => say(describeFailure(error), { error: true }));
    if (signal?.aborted) break;
    say("Waiting for a change");
    await changed.promise;
    await new Promise((resolve) => setTimeout(resolve, SETTLED));
  }
  watcher.close();
  await hearing;
}

/** Whether everything passed. */
export async function test(directory: string, place: KitPlace): Promise<boolean> {
  const source = await readSource(directory);
  const tests = [...source.files.keys()].filter(isTest).map((file) => `${directory}/${file}`);
  const own = tests.length === 0 || await runOwnTests(tests, await place.typesOf(source.manifest.kind));
  await using workshop = await openWorkshop(source, place);
  const { kind } = source.manifest;
  const { capabilities } = grantAll(source.manifest);
  const config = sampleConfig(workshop.loaded.schema as JsonSchema);
  let failed = 0;
  const report = (name: string, error: unknown) => {
    if (error !== null) failed++;
    const what = error === null ? "ok" : `FAILED: ${describeFailure(error)}`;
    say(`${kind} in its sandbox: ${name} … ${what}`);
  };
  try {
    await workshop.call("init", null, 5000, { config, capabilities });
    report("init takes a config that the schema takes", null);
  } catch (error) {
    report("init takes a config that the schema takes", error);
  }
  // From then on an application takes requests, as on a node.
  if (kind === "app") workshop.serve(capabilities);
  for (const rule of conformance[kind]) {
    await rule.test(workshop).then(() => report(rule.name, null), (error) => report(rule.name, error));
  }
  for (const line of counted(workshop.log)) say(`  ${line}`);
  return own && failed === 0;
}

/** Each line once: what one of fifty requests says, the others say too. */
function counted(lines: readonly string[]): string[] {
  const times = new Map<string, number>();
  for (const line of lines) times.set(line, (times.get(line) ?? 0) + 1);
  return [...times].map(([line, count]) => count === 1 ? line : `${line} (${count} times)`);
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

/**
 * Every test of Tandem, in the order in which a mistake is cheapest to find: format, lint, types, unit, HTTP, interop,
 * plugins. Interop and plugin files run one after another, because they measure time. The last line is
 * `N passed, N failed`, with `, N skipped` when something was left out; in CI (`CI=true`) nothing may be.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { add, nothing, parseJunit, type Tally, verdict } from "./support/junit.ts";
import { interopNeeds, missing, type Requirement } from "./support/requirements.ts";

const usage = `Runs the tests of Tandem.

  deno task test [--only GROUP]... [FILE]...

  --only GROUP   one of: static unit http interop plugin; may be given several times
  FILE           only these test files of the chosen groups (any part of the path)
  --help         this text

Interop tests need root, network namespaces and real peers (keepalived, HAProxy, nginx, tshark); without them they are
left out, and said so. With CI=true that is a failure.`;

/** A directory of test files. */
interface Group {
  readonly name: string;
  readonly directory: string;
  /** `all`: one \`deno test\` for the directory; `each`: one per file, one after another. */
  readonly run: "all" | "each";
  readonly needs: readonly Requirement[];
}

const groups: readonly Group[] = [
  { name: "unit", directory: "tests/unit", run: "all", needs: [] },
  { name: "http", directory: "tests/http", run: "each", needs: [] },
  { name: "interop", directory: "tests/interop", run: "each", needs: interopNeeds },
  { name: "plugin", directory: "tests/plugin", run: "each", needs: [] },
];

/** A \`deno test\` that does not end is killed after this, in ms: a hang must not take the other results with it. */
const patience = 5 * 60_000;

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const inCi = Deno.env.get("CI") === "true";

/** Runs what `args` ask for; the exit code. */
async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { only: { type: "string", multiple: true }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.help) {
    say(usage);
    return 0;
  }
  const only = new Set(
    values.only?.flatMap((value) => value.split(",")) ?? ["static", ...groups.map(({ name }) => name)],
  );
  const unknown = [...only].filter((name) => name !== "static" && !groups.some((group) => group.name === name));
  if (unknown.length > 0) {
    say(`No group "${unknown[0]}": use static, ${groups.map(({ name }) => name).join(", ")}`);
    return 2;
  }

  let total = nothing;
  if (only.has("static") && positionals.length === 0) total = add(total, await staticChecks());
  for (const group of groups) {
    if (only.has(group.name)) total = add(total, await runGroup(group, positionals));
  }
  say("");
  for (const failure of total.failures) say(`failed: ${failure}`);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  say(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

async function staticChecks(): Promise<Tally> {
  const steps: readonly [name: string, args: readonly string[]][] = [
    ["format", ["fmt", "--check"]],
    ["lint", ["lint"]],
    ["types", ["check", "mod.ts", "runtime", "plugins", "tests"]],
    ["examples in comments", ["test", "-A", "--doc", "mod.ts", "runtime", "plugins"]],
  ];
  let tally = nothing;
  for (const [name, args] of steps) {
    heading(`${name}: deno ${args.join(" ")}`);
    tally = add(tally, await timed(async () => verdict(name, (await deno(args)).success)));
  }
  return tally;
}

async function runGroup(group: Group, wanted: readonly string[]): Promise<Tally> {
  const files = testFiles(group.directory).filter((file) =>
    wanted.length === 0 || wanted.some((part) => file.includes(part.replace(/^\.\//, "")))
  );
  if (files.length === 0) return nothing;
  const lacking = missing(group.needs);
  if (lacking !== null) return leaveOut(`${group.name} (${files.length} files)`, files.length, lacking);
  let tally = nothing;
  for (const batch of group.run === "all" ? [files] : files.map((file) => [file])) {
    heading(group.run === "all" ? `${group.name}: ${files.length} files` : batch[0]);
    tally = add(tally, await timed(() => runTests(batch)));
  }
  return tally;
}

/** Says what is not run and why. In CI everything is there, or the run is no proof. */
function leaveOut(what: string, count: number, why: string): Tally {
  heading(what);
  say(`Left out ${what}: ${why}`);
  return inCi ? verdict(`${what} left out in CI: ${why}`, false) : { ...nothing, skipped: count };
}

async function runTests(files: readonly string[]): Promise<Tally> {
  const report = await Deno.makeTempFile({ prefix: "tandem-junit-", suffix: ".xml" });
  try {
    // The types of every file were checked above, once.
    const status = await deno(["test", "-A", "--no-check", `--junit-path=${report}`, ...files]);
    const tally = parseJunit(await Deno.readTextFile(report));
    if (inCi && tally.skipped > 0) {
      return add(tally, verdict(`${files.join(", ")}: ${tally.skipped} tests ignored in CI`, false));
    }
    // A module that does not load or a runner that dies has no case to blame.
    if (!status.success && tally.failed === 0) {
      return add(tally, verdict(`${files.join(", ")}: ${describe(status)}`, false));
    }
    return tally;
  } finally {
    await Deno.remove(report);
  }
}

function describe(status: Deno.CommandStatus): string {
  return status.signal === null ? `exit code ${status.code}` : `ended by ${status.signal}`;
}

async function deno(args: readonly string[]): Promise<Deno.CommandStatus> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], cwd: root, stdin: "null" }).spawn();
  const timer = setTimeout(() => {
    say(`No end within ${patience / 60_000} minutes, killed: deno ${args.join(" ")}`);
    child.kill("SIGKILL");
  }, patience);
  const status = await child.status;
  clearTimeout(timer);
  return status;
}

/** Files named `*_test.ts` under `directory`, in order; none when it does not exist. */
function testFiles(directory: string): string[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(`${root}/${directory}`)];
  } catch {
    return [];
  }
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(`${directory}/${name}`);
    return name.endsWith("_test.ts") ? [`${directory}/${name}`] : [];
  }).sort();
}

async function timed(step: () => Promise<Tally>): Promise<Tally> {
  const started = performance.now();
  const tally = await step();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`${tally.failed === 0 ? "ok" : "FAILED"}: ${tally.passed} passed, ${tally.failed} failed in ${seconds} s`);
  return tally;
}

function heading(text: string): void {
  say(`\n== ${text}`);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

Deno.exit(await main(Deno.args));

/**
 * Tandem's proxy beside HAProxy and nginx, in one run, in turns, before the same origin: CPU for each request by /proc,
 * latency at a fixed rate, memory of idle connections. Load, origin and proxies share this machine, so how many requests
 * they do says little; what the proxy needs for one does. Budgets are shown, not enforced: the exit code is 1 only when
 * something could not be measured.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { missing } from "../support/requirements.ts";
import { Scratch } from "../support/scratch.ts";
import { compare, type Comparison, type Effort, notMeasured } from "./comparison.ts";
import { asMarkdown, asText, withSection } from "./report.ts";
import { type Scenario, scenarios, setupOf } from "./scenarios.ts";
import {
  type Origin,
  type Setup,
  startHaproxy,
  startNginxProxy,
  startOrigin,
  startSyslogReceiver,
  startTandem,
  type Subject,
} from "./subjects.ts";

const usage = `Measures Tandem's proxy beside HAProxy and nginx.

  deno task bench [--only NAME,…] [--rounds N] [--seconds N] [--markdown]

  --only NAME,…   of: ${scenarios.map(({ name }) => name).join(" ")}
  --rounds N      turns of everybody; medians are shown (default 3)
  --seconds N     of each measurement (default 3)
  --markdown      writes the table into README.md as well
  --help          this text

Exit code 0: measured, whatever the budgets say; 1: something was not measured; 2: a program is missing.`;

const readme = fileURLToPath(new URL("../../README.md", import.meta.url));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(usage, 0);
  const only = values.only.flatMap((each) => each.split(",")).filter((each) => each !== "");
  const unknown = only.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    return say(`No measurement "${unknown}": use ${scenarios.map((s) => s.name).join(", ")}`, 2);
  }
  const effort = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  if (!(effort.rounds >= 1) || !(effort.seconds >= 1)) return say("--rounds and --seconds must be 1 or more", 2);
  const needed = missing(["program:wrk", "program:haproxy", "program:nginx"]);
  if (needed !== null) return say(`Cannot compare: ${needed}`, 2);

  const chosen = scenarios.filter(({ name }) => only.length === 0 || only.includes(name));
  say(
    `Medians of ${effort.rounds} rounds of ${effort.seconds} s; × is the share of what HAProxy had in the same round`,
  );
  const [busy] = Deno.loadavg();
  const processors = navigator.hardwareConcurrency;
  if (busy > processors / 2) say(`Others keep this machine busy, load average ${busy.toFixed(1)}: believe no latency`);
  const comparisons = await compareAll(chosen, effort);
  if (values.markdown) {
    const circumstances = {
      date: new Date(),
      versions: versions(),
      processors,
      ...effort,
    };
    Deno.writeTextFileSync(readme, withSection(Deno.readTextFileSync(readme), asMarkdown(comparisons, circumstances)));
    say("\nREADME.md has the table");
  }
  const over = comparisons.flatMap(({ rows }) => rows).filter(({ budget }) => budget === "over").length;
  const faulty = comparisons.filter(({ faults }) => faults.length > 0).length;
  say(`\n${comparisons.length - faulty} of ${comparisons.length} measured, ${over} figures over budget`);
  return faulty > 0 ? 1 : 0;
}

/** Compares what is chosen, setup by setup; whatever ends it, nothing is left running. */
async function compareAll(chosen: readonly Scenario[], effort: Effort): Promise<Comparison[]> {
  using scratch = new Scratch();
  await using running = new AsyncDisposableStack();
  const interrupted = async () => {
    await running.disposeAsync();
    scratch[Symbol.dispose]();
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  const origin = running.adopt(await startOrigin(scratch.path), stop);
  const receiver = running.adopt(await startSyslogReceiver(), stop);
  const comparisons: Comparison[] = [];
  const tell = (comparison: Comparison) => {
    comparisons.push(comparison);
    say(`\n${asText(comparison)}`);
  };
  for (const group of Map.groupBy(chosen, (scenario) => JSON.stringify(scenario.setup)).values()) {
    const setup = setupOf(group[0], receiver.port);
    await using subjects = running.use(new AsyncDisposableStack());
    try {
      const contenders = await startAll(subjects, scratch.path, origin, setup);
      for (const scenario of group) tell(await compare(scenario, contenders, effort));
    } catch (error) {
      for (const scenario of group) tell(notMeasured(scenario, error));
    }
  }
  return comparisons;
}

/** Starts everybody, the yardstick first. */
async function startAll(
  subjects: AsyncDisposableStack,
  directory: string,
  origin: Origin,
  setup: Setup,
): Promise<Subject[]> {
  return [
    subjects.adopt(await startHaproxy(directory, origin, setup), stop),
    subjects.adopt(await startNginxProxy(directory, origin, setup), stop),
    subjects.adopt(await startTandem("uring", origin, setup), stop),
    subjects.adopt(await startTandem("epoll", origin, setup), stop),
  ];
}

function stop(what: { stop(): Promise<void> }): Promise<void> {
  return what.stop();
}

function versions(): string[] {
  const ask = (program: string, pattern: RegExp) => {
    const { stdout, stderr } = new Deno.Command(program, { args: ["-v"] }).outputSync();
    const decoder = new TextDecoder();
    return pattern.exec(decoder.decode(stdout) + decoder.decode(stderr))?.[1] ?? "of unknown version";
  };
  return [
    `HAProxy ${ask("haproxy", /version ([\d.]+)/)}`,
    `nginx ${ask("nginx", /nginx\/([\d.]+)/)}`,
    `Deno ${Deno.version.deno}`,
    `Linux ${/^[\d.]+/.exec(Deno.osRelease())?.[0] ?? Deno.osRelease()}`,
  ];
}

function say(text: string, code = 0): number {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

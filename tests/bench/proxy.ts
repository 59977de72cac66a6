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
import { compare, type Comparison, type Effort } from "./comparison.ts";
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
  return say(
    `\n${comparisons.length} measured, ${over} figures over budget, ${faulty} not as they should be`,
    faulty > 0 ? 1 : 0,
  );
}

/** Compares what is chosen, setup by setup. */
async function compareAll(chosen: readonly Scenario[], effort: Effort): Promise<Comparison[]> {
  using scratch = new Scratch();
  const origin = await startOrigin(scratch.path);
  const receiver = await startSyslogReceiver();
  const comparisons: Comparison[] = [];
  try {
    for (const group of Map.groupBy(chosen, (scenario) => JSON.stringify(scenario.setup)).values()) {
      const subjects: Subject[] = [];
      try {
        await startAll(subjects, scratch.path, origin, setupOf(group[0], receiver.port));
        for (const scenario of group) {
          const comparison = await compare(scenario, subjects, effort);
          comparisons.push(comparison);
          say(`\n${asText(comparison)}`);
        }
      } finally {
        for (const subject of subjects) await subject.stop();
      }
    }
  } finally {
    await receiver.stop();
    await origin.stop();
  }
  return comparisons;
}

/** Adds one after the other, so that those before one that does not start can be stopped. The first is the yardstick. */
async function startAll(subjects: Subject[], directory: string, origin: Origin, setup: Setup): Promise<void> {
  subjects.push(await startHaproxy(directory, origin, setup));
  subjects.push(await startNginxProxy(directory, origin, setup));
  subjects.push(await startTandem("uring", origin, setup));
  subjects.push(await startTandem("epoll", origin, setup));
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

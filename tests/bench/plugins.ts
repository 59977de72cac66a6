/**
 * What plugins cost the node that runs them, against the budgets: `deno task bench:plugins`. Budgets are shown, not
 * enforced: the exit code is 1 only when something could not be measured.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { missing } from "../support/requirements.ts";
import { type Cost, costsAsMarkdown, costsAsText, judge } from "./cost.ts";
import { appCosts } from "./plugin_app.ts";
import { checkCosts } from "./plugin_checks.ts";
import { planCosts } from "./plugin_plan.ts";
import { startCosts } from "./plugin_start.ts";
import { withSection } from "./report.ts";

/** What is started belongs to the stack: whatever ends a measurement, nothing is left running. */
const parts: Readonly<Record<string, (running: AsyncDisposableStack) => Cost[] | Promise<Cost[]>>> = {
  plan: planCosts,
  start: startCosts,
  checks: checkCosts,
  app: appCosts,
};
const names = Object.keys(parts);

const usage = `Measures what plugins cost.

  deno task bench:plugins [--only NAME,…] [--markdown]

  --only NAME,…   of: ${names.join(" ")}
  --markdown      writes the table into plugins/README.md as well
  --help          this text

It takes about a minute and a half. Exit code 0: measured, whatever the budgets say; 1: something was not measured; 2: a
program is missing.`;

const guide = fileURLToPath(new URL("../../plugins/README.md", import.meta.url));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      markdown: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(usage, 0);
  const only = values.only.flatMap((each) => each.split(",")).filter((each) => each !== "");
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) return say(`No measurement "${unknown}": use ${names.join(", ")}`, 2);
  const needed = missing(["root", "program:wrk", "program:nginx"]);
  if (needed !== null) return say(`Cannot measure: ${needed}`, 2);

  const [busy] = Deno.loadavg();
  const processors = navigator.hardwareConcurrency;
  if (busy > processors / 2) say(`Others keep this machine busy, load average ${busy.toFixed(1)}: believe no latency`);
  const costs: Cost[] = [];
  let faults = 0;
  let running = new AsyncDisposableStack();
  const interrupted = () => void running.disposeAsync().finally(() => Deno.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  for (const [part, measure] of Object.entries(parts)) {
    if (only.length > 0 && !only.includes(part)) continue;
    try {
      await using stack = running = new AsyncDisposableStack();
      const measured = await measure(stack);
      costs.push(...measured);
      say(costsAsText(measured));
    } catch (error) {
      faults++;
      say(`NOT MEASURED: ${part}: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (values.markdown && faults === 0) {
    const [after] = Deno.loadavg();
    const circumstances =
      `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC, Deno ${Deno.version.deno}, ` +
      `Linux ${/^[\d.]+/.exec(Deno.osRelease())?.[0]}, ${processors} cores, load average ${after.toFixed(1)}.`;
    const section = `${circumstances}\n\n${costsAsMarkdown(costs)}`;
    Deno.writeTextFileSync(guide, withSection(Deno.readTextFileSync(guide), section, "bench:plugins"));
    // Unlike README.md this page is held to the formatter, which aligns tables.
    new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", guide] }).outputSync();
    say("\nplugins/README.md has the table");
  }
  say(`\n${costs.length} figures, ${costs.filter((cost) => judge(cost) === "over").length} over budget`);
  return faults > 0 ? 1 : 0;
}

function say(text: string, code = 0): number {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

/** What `tandem check` says of a configuration file, for one node or for all of them. */
import { type Change, diff, isEmpty, type KeyChange, type Plan } from "./diff.ts";
import { load, nodesOf } from "./load.ts";
import type { Config } from "./model.ts";
import { formatProblem, type Problem, sortProblems } from "./problem.ts";
import type { PluginKnowledge } from "./plugin_facts.ts";
import type { ReadSecret } from "./secrets.ts";

export interface CheckInputs {
  readonly file: string;
  readonly text: string;
  /** `--node`; null checks every node of the file. */
  readonly node: string | null;
  readonly hostname: string;
  readonly readSecret: ReadSecret;
  readonly plugins?: PluginKnowledge;
  /** `--diff`: what the node runs now, null where it does not run. Leave it out for no diff. */
  readonly running?: Config | null;
}

export interface CheckResult {
  /** Lines for stdout where `code` is 0, for stderr where it is 2. */
  readonly text: string;
  readonly code: 0 | 2;
  /** The checked nodes' configurations; empty where `code` is 2. */
  readonly configs: readonly Config[];
}

/** Checks a configuration without touching anything but its secrets. */
export function check(inputs: CheckInputs): CheckResult {
  const { file, text, hostname, readSecret, plugins } = inputs;
  const names: readonly (string | null)[] = inputs.node === null ? nodesOf(text, file) : [inputs.node];
  const loaded = (names.length === 0 ? [null] : names).map((node) =>
    load(text, { file, node, hostname, readSecret, plugins })
  );
  const problems = sortProblems(loaded.flatMap((one) => one.ok ? [] : one.problems));
  if (problems.length > 0) return { text: describeProblems(file, problems), code: 2, configs: [] };

  const configs = loaded.flatMap((one) => one.ok ? [one.config] : []);
  if (inputs.running === undefined) return { text: describeConfigs(file, configs), code: 0, configs };
  return compareWithRunning(inputs, inputs.running, configs);
}

/** A reload concerns one node: the one that runs, else the one this machine is. */
function compareWithRunning(inputs: CheckInputs, running: Config | null, configs: readonly Config[]): CheckResult {
  const { file, text, hostname, readSecret, plugins } = inputs;
  const own = load(text, { file, node: inputs.node ?? running?.node ?? null, hostname, readSecret, plugins });
  if (!own.ok) return { text: describeProblems(file, own.problems), code: 2, configs: [] };
  const subject = running === null ? `${own.config.node} does not run` : `${own.config.node} runs`;
  const plan = describePlan(diff(running, own.config));
  return { text: `${describeConfigs(file, configs)}${subject}; a reload would\n${plan}`, code: 0, configs };
}

function describeProblems(file: string, problems: readonly Problem[]): string {
  return `${problems.map(formatProblem).join("\n")}\n${count(problems.length, "problem")} in ${file}\n`;
}

function describeConfigs(file: string, configs: readonly Config[]): string {
  const [first] = configs;
  const servers = first.backends.reduce((sum, backend) => sum + backend.servers.length, 0);
  const parts = [
    count(first.vrrp.length, "instance"),
    count(first.frontends.length, "frontend"),
    count(first.backends.length, "backend"),
    count(servers, "server"),
  ];
  return `${file}: OK for ${configs.map(({ node }) => node).join(", ")} (${parts.join(", ")})\n`;
}

/** One line for each object; "nothing" where there is nothing to do. */
export function describePlan(plan: Plan): string {
  const lines = [
    ...describeChange("vrrp", plan.vrrp),
    ...describeChange("frontends", plan.frontends),
    ...describeChange("backends", plan.backends),
    ...describeChange("plugins", plan.plugins),
    ...plan.settings.map((change) => `  update  ${describeKey(change)}`),
  ];
  if (isEmpty(plan)) lines.push("  change nothing");
  return `${lines.join("\n")}\n`;
}

function describeChange(kind: string, { create, update, remove, keep }: Change): string[] {
  return [
    ...create.map((name) => `  create  ${kind}.${name}`),
    ...update.map(({ name, changes }) => `  update  ${kind}.${name}: ${changes.map(describeKey).join(", ")}`),
    ...remove.map((name) => `  remove  ${kind}.${name}`),
    ...keep.map((name) => `  keep    ${kind}.${name}`),
  ];
}

function describeKey({ key, how }: KeyChange): string {
  return how === "changed" ? key : `${key} (${how})`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

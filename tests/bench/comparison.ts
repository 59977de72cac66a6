/** One scenario over all subjects, in turns; ratios are to the first of them in the same round, medians over the rounds. */
import { cpuOf, offer, openIdle, residentOf, stillAnswer, wrk } from "./measure.ts";
import type { Budget, Scenario } from "./scenarios.ts";
import type { Subject } from "./subjects.ts";

export interface Effort {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
}

/** A figure, and its share of what the first subject has. */
export interface Figure {
  readonly value: number;
  readonly ratio: number;
}

export interface Row {
  readonly subject: string;
  /** CPU µs a request. */
  readonly cpu?: Figure;
  /** Requests in a second. */
  readonly rate?: Figure;
  /** ms */
  readonly p50?: Figure;
  readonly p99?: Figure;
  /** Bytes of resident memory for each connection. */
  readonly memory?: Figure;
  readonly budget: "within" | "over" | "unjudged" | null;
  /** What one must know to believe the figures. */
  readonly notes: readonly string[];
}

export interface Comparison {
  readonly scenario: Scenario;
  /** The title, with what was found out only in the run. */
  readonly title: string;
  readonly rows: readonly Row[];
  /** Why figures are missing or wrong. */
  readonly faults: readonly string[];
  /** Of the last minute, at the end: other programs' work is in the latencies. */
  readonly loadAverage: number;
}

/** What one subject did in one round. */
interface Measurement {
  readonly cpu: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  readonly why: string | null;
  readonly lateP99: number;
}

/** Measures a scenario. What goes wrong is in `faults`; nothing is thrown. */
export async function compare(scenario: Scenario, subjects: readonly Subject[], effort: Effort): Promise<Comparison> {
  const draft = { scenario, title: scenario.title, rows: [] as Row[], faults: [] as string[] };
  try {
    if (scenario.type === "idle") await compareIdle(scenario, subjects, draft);
    else await compareLoad(scenario, subjects, effort, draft);
  } catch (error) {
    draft.faults.push(...notMeasured(scenario, error).faults);
  }
  return { ...draft, loadAverage: Deno.loadavg()[0] };
}

/** A scenario that did not come to be measured. */
export function notMeasured(scenario: Scenario, cause: unknown): Comparison {
  const faults = [cause instanceof Error ? cause.message : String(cause)];
  return { scenario, title: scenario.title, rows: [], faults, loadAverage: Deno.loadavg()[0] };
}

interface Draft {
  title: string;
  rows: Row[];
  faults: string[];
}

async function compareLoad(
  scenario: Exclude<Scenario, { type: "idle" }>,
  subjects: readonly Subject[],
  { rounds, seconds }: Effort,
  draft: Draft,
): Promise<void> {
  const lostBefore = await Promise.all(subjects.map((subject) => subject.lostLines?.() ?? 0));
  // Code that has not run yet is not compiled yet: everybody is warmed up first, which also tells what they can do.
  const capacities: number[] = [];
  for (const subject of subjects) capacities.push((await closed(subject, scenario, 2)).rate);
  const rate = scenario.type === "offered" ? roundedDown(Math.min(...capacities) * scenario.load) : 0;
  if (scenario.type === "offered") {
    if (rate === 0) throw new Error(`Cannot choose a rate: the slowest does ${Math.min(...capacities)} a second`);
    draft.title += ` of ${rate} requests a second`;
  }
  const all = subjects.map((): Measurement[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      const measurement = scenario.type === "offered"
        ? await offered(subject, scenario, rate, seconds)
        : await closed(subject, scenario, seconds);
      all[index].push(measurement);
      if (measurement.errors > 0) {
        draft.faults.push(`${subject.name}: ${measurement.errors} requests failed (${measurement.why ?? "by wrk"})`);
      }
    }
  }
  // Where the load itself was kept waiting for a processor, latencies are those of the machine.
  const lateness = all.map((own) => median(own.map((each) => each.lateP99 / each.p99)));
  for (const [index, subject] of subjects.entries()) {
    const figure = (of: (measurement: Measurement) => number): Figure => ({
      value: median(all[index].map(of)),
      ratio: median(all[index].map((each, round) => of(each) / of(all[0][round]))),
    });
    const cpu = figure((each) => each.cpu), p99 = figure((each) => each.p99);
    const judged = scenario.type === "offered" ? p99 : cpu;
    const late = lateness[index] > 0.5;
    const budget = budgetOf(subject, scenario.type === "offered" ? scenario.p99 : scenario.cpu);
    const lost = (await subject.lostLines?.() ?? 0) - lostBefore[index];
    draft.rows.push({
      subject: subject.name,
      cpu,
      rate: figure((each) => each.rate),
      p50: figure((each) => each.p50),
      p99,
      budget: budget !== null && (late || lateness[0] > 0.5) ? "unjudged" : verdict(judged.ratio, budget),
      notes: [
        ...(late ? [`${Math.round(lateness[index] * 100)} % of p99 is the load's own, this machine is too busy`] : []),
        ...(lost > 0 ? [`${lost} lines of the log lost`] : []),
      ],
    });
  }
}

async function closed(
  subject: Subject,
  scenario: Exclude<Scenario, { type: "idle" }>,
  seconds: number,
): Promise<Measurement> {
  const before = cpuOf(subject.pid);
  const load = await wrk(`http://127.0.0.1:${subject.port}${scenario.path}`, {
    connections: scenario.connections,
    seconds,
    close: scenario.type === "closed" && scenario.close,
  });
  if (load.requests === 0) throw new Error(`${subject.name} answered no request`);
  return { ...load, cpu: (cpuOf(subject.pid) - before) * 1000 / load.requests, why: null, lateP99: 0 };
}

async function offered(
  subject: Subject,
  { path, connections }: Extract<Scenario, { type: "offered" }>,
  rate: number,
  seconds: number,
): Promise<Measurement> {
  const before = cpuOf(subject.pid);
  const outcome = await offer({ port: subject.port, path, connections, rate, seconds });
  if (outcome.sent === 0) throw new Error(`${subject.name} was sent no request`);
  return { ...outcome, rate, cpu: (cpuOf(subject.pid) - before) * 1000 / outcome.sent };
}

async function compareIdle(
  { connections, memory }: Extract<Scenario, { type: "idle" }>,
  subjects: readonly Subject[],
  draft: Draft,
): Promise<void> {
  draft.title = `${connections} ${draft.title}`;
  const all: number[] = [], totals: number[] = [];
  for (const subject of subjects) {
    // What the first requests and connections make a program set up is no cost of idle ones.
    await wrk(`http://127.0.0.1:${subject.port}/`, { connections: 64, seconds: 2 });
    for (const connection of await openIdle(subject.port, 500)) connection.close();
    const before = residentOf(subject.pid);
    const open = await openIdle(subject.port, connections);
    totals.push(residentOf(subject.pid));
    all.push((totals[totals.length - 1] - before) / connections);
    const { answered, of } = await stillAnswer(open);
    if (answered < of) draft.faults.push(`${subject.name}: ${of - answered} of ${of} idle connections were not held`);
    for (const connection of open) connection.close();
  }
  for (const [index, { name }] of subjects.entries()) {
    const budget = name.startsWith("Tandem") ? memory : null;
    const figure = { value: all[index], ratio: all[index] / all[0] };
    const notes = [`${Math.round(totals[index] / 2 ** 20)} MiB in all`];
    draft.rows.push({ subject: name, memory: figure, budget: verdict(figure.value, budget), notes });
  }
}

function budgetOf(subject: Subject, budget: Budget | undefined): number | null {
  if (budget === undefined || !subject.name.startsWith("Tandem")) return null;
  return subject.name.endsWith("epoll") ? budget[1] : budget[0];
}

function verdict(value: number, most: number | null): Row["budget"] {
  return most === null ? null : value <= most ? "within" : "over";
}

/** To two digits: a rate that reads well. */
function roundedDown(rate: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return Math.floor(rate / unit) * unit;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

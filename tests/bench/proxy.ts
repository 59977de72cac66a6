/**
 * The proxy beside HAProxy (one thread each) in one run, in turns, before the same nginx: CPU for each request by
 * /proc, latency by wrk, memory of idle connections. Ratios are to HAProxy in the same round; the median of the rounds
 * is shown. Load generator, origin and proxy share this machine, so rates say little; CPU of the proxy does.
 *
 *     deno task bench [--rounds N] [--seconds N] [--only small,1m,…]
 */
import { parseArgs } from "node:util";
import { missing } from "../support/requirements.ts";
import { Scratch } from "../support/scratch.ts";
import { cpuOf, type Load, type LoadOptions, openIdle, residentOf, wrk } from "./measure.ts";
import { startHaproxy, startOrigin, startTandem, type Subject } from "./subjects.ts";

interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly path: string;
  readonly connections: number;
  readonly close?: boolean;
  /** Most CPU as a share of HAProxy's: io_uring, epoll. */
  readonly budget: readonly [number, number] | null;
}

const scenarios: readonly Scenario[] = [
  { name: "small", title: "small body, 64 keep-alive", path: "/", connections: 64, budget: [0.8, 1] },
  { name: "16k", title: "16 KiB body, 64 keep-alive", path: "/16k", connections: 64, budget: null },
  { name: "1m", title: "1 MiB body, 16 keep-alive", path: "/1m", connections: 16, budget: [1, 1] },
  { name: "close", title: "connection per request, 64", path: "/", connections: 64, close: true, budget: null },
];
const IDLE = 8000;
const IDLE_BUDGET = 2048;

interface Measurement {
  readonly load: Load;
  /** CPU µs a request. */
  readonly cpu: number;
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const needed = missing(["program:wrk", "program:haproxy", "program:nginx"]);
if (needed !== null) {
  say(`Cannot compare: ${needed}`);
  Deno.exit(2);
}
Deno.exit(
  await main(Number(values.rounds), Number(values.seconds), values.only.split(",").filter((each) => each !== "")),
);

async function main(rounds: number, seconds: number, only: readonly string[]): Promise<number> {
  using scratch = new Scratch();
  const origin = await startOrigin(scratch.path);
  const subjects: Subject[] = [];
  let within = true;
  try {
    subjects.push(await startHaproxy(scratch.path, origin));
    for (const io of ["uring", "epoll"] as const) subjects.push(await startTandem(io, origin));
    say(`${rounds} rounds of ${seconds} s; CPU in µs a request, latency in ms`);
    for (const scenario of scenarios) {
      if (only.length > 0 && !only.includes(scenario.name)) continue;
      within = (await compare(scenario, subjects, rounds, seconds)) && within;
    }
    if (only.length === 0 || only.includes("idle")) within = (await compareIdle(subjects)) && within;
  } finally {
    for (const subject of subjects) await subject.stop();
    await origin.stop();
  }
  return within ? 0 : 1;
}

async function compare(scenario: Scenario, subjects: readonly Subject[], rounds: number, seconds: number) {
  const results = subjects.map((): Measurement[] => []);
  // Code that has not run yet is not compiled yet: everybody is warmed up first.
  for (const subject of subjects) await measure(subject, scenario, 2);
  for (let round = 0; round < rounds; round++) {
    for (const [index, subject] of subjects.entries()) results[index].push(await measure(subject, scenario, seconds));
  }
  say(`\n${scenario.title}`);
  let within = true;
  for (const [index, subject] of subjects.entries()) {
    const own = results[index];
    const ratio = median(own.map(({ cpu }, round) => cpu / results[0][round].cpu));
    const p99 = median(own.map(({ load }, round) => load.p99 / results[0][round].load.p99));
    const budget = index === 0 ? undefined : scenario.budget?.[index - 1];
    const verdict = budget === undefined ? "" : ratio <= budget ? `within ${budget}` : `OVER ${budget}`;
    const errors = own.reduce((sum, { load }) => sum + load.errors, 0);
    if (verdict.startsWith("OVER") || errors > 0) within = false;
    say(row([
      [subject.name, 18],
      [`cpu ${median(own.map(({ cpu }) => cpu)).toFixed(1)}`, 12],
      [`× ${ratio.toFixed(2)}`, 8],
      [`rate ${Math.round(median(own.map(({ load }) => load.rate)))}`, 12],
      [`p50 ${median(own.map(({ load }) => load.p50)).toFixed(2)}`, 10],
      [`p99 ${median(own.map(({ load }) => load.p99)).toFixed(2)}`, 10],
      [`× ${p99.toFixed(2)}`, 8],
      [errors > 0 ? `${errors} ERRORS` : "", 0],
      [verdict, 0],
    ]));
  }
  return within;
}

async function measure(subject: Subject, scenario: Scenario, seconds: number): Promise<Measurement> {
  const before = cpuOf(subject.pid);
  const options: LoadOptions = { connections: scenario.connections, seconds, close: scenario.close };
  const load = await wrk(`http://127.0.0.1:${subject.port}${scenario.path}`, options);
  return { load, cpu: (cpuOf(subject.pid) - before) * 1000 / load.requests };
}

async function compareIdle(subjects: readonly Subject[]): Promise<boolean> {
  say(`\n${IDLE} idle keep-alive connections, bytes of resident memory each`);
  let within = true;
  for (const [index, subject] of subjects.entries()) {
    // Memory that load and the first connections leave behind is no cost of idle ones.
    await wrk(`http://127.0.0.1:${subject.port}/`, { connections: 64, seconds: 2 });
    for (const connection of await openIdle(subject.port, 500)) connection.close();
    const before = residentOf(subject.pid);
    const connections = await openIdle(subject.port, IDLE);
    const each = (residentOf(subject.pid) - before) / IDLE;
    for (const connection of connections) connection.close();
    const over = index > 0 && each > IDLE_BUDGET;
    if (over) within = false;
    const verdict = index === 0 ? "" : over ? `OVER ${IDLE_BUDGET}` : `within ${IDLE_BUDGET}`;
    say(row([[subject.name, 18], [String(Math.round(each)), 12], [verdict, 0]]));
  }
  return within;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function row(cells: readonly (readonly [string, number])[]): string {
  return cells.map(([text, width]) => text.padEnd(width)).join(" ").trimEnd();
}

/** Comparisons as text for a terminal, and as the section of README that is made from them. */
import type { Comparison, Figure, Row } from "./comparison.ts";

/** What the figures are true of. */
export interface Circumstances {
  readonly date: Date;
  /** "HAProxy 2.6.12", … */
  readonly versions: readonly string[];
  readonly processors: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** A comparison as lines of columns. */
export function asText({ title, rows, faults, loadAverage }: Comparison): string {
  const lines = rows.map((row) => {
    const cells: [string, number][] = [
      [row.subject, 16],
      [cell("cpu", row.cpu, "µs", 1), 20],
      [cell("p50", row.p50, "ms", 2), 22],
      [cell("p99", row.p99, "ms", 2), 23],
      [row.rate === undefined ? "" : `${Math.round(row.rate.value)}/s`, 8],
      [cell("memory", row.memory, "B", 0), 24],
      [row.budget ?? "", 8],
      [row.notes.join("; "), 0],
    ];
    const present = cells.filter(([, width], column) => width === 0 || rows.some((each) => isPresent(each, column)));
    return "  " + present.map(([text, width]) => text.padEnd(width)).join(" ").trimEnd();
  });
  return [
    `${title} (load average ${loadAverage.toFixed(1)})`,
    ...lines,
    ...faults.map((fault) => `  NOT MEASURED: ${fault}`),
  ].join("\n");
}

/** The section of README, without its marks: of each comparison the figure that has a budget, or would have one. */
export function asMarkdown(comparisons: readonly Comparison[], circumstances: Circumstances): string {
  const subjects = comparisons.find(({ rows }) => rows.length > 0)?.rows.map(({ subject }) => subject) ?? [];
  const { date, versions, processors, rounds, seconds } = circumstances;
  const loads = comparisons.map(({ loadAverage }) => loadAverage);
  return [
    `${date.toISOString().slice(0, 16).replace("T", " ")} UTC, ${versions.join(", ")}, one thread each unless said.`,
    `Load, origin and proxy share ${processors} cores, load average ${Math.min(...loads).toFixed(1)} to ` +
    `${Math.max(...loads).toFixed(1)}.`,
    `Medians of ${rounds} rounds of ${seconds} s; × is the share of what the first had in the same round.`,
    "",
    tableRow(["", "", ...subjects, "budget"]),
    tableRow(["---", "---", ...subjects.map(() => "--:"), "---"]),
    ...comparisons.map((comparison) => tableRow(cellsOf(comparison, subjects))),
  ].join("\n");
}

function cellsOf({ scenario, title, rows, faults }: Comparison, subjects: readonly string[]): string[] {
  const { what, unit, digits, of } = mainFigures[scenario.type];
  const cells = rows.map((row, index) => {
    const figure = of(row);
    if (figure === undefined) return "";
    const remark = row.budget === "over" || row.budget === "unjudged" ? ` (${row.budget})` : "";
    return index === 0 ? `${figure.value.toFixed(digits)} ${unit}` : `× ${figure.ratio.toFixed(2)}${remark}`;
  });
  const measured = faults.length === 0 && rows.length > 0;
  return [title, what, ...(measured ? cells : subjects.map(() => "not measured")), budgetText(scenario)];
}

const mainFigures: Readonly<
  Record<
    Comparison["scenario"]["type"],
    {
      readonly what: string;
      readonly unit: string;
      readonly digits: number;
      readonly of: (row: Row) => Figure | undefined;
    }
  >
> = {
  closed: { what: "CPU a request", unit: "µs", digits: 1, of: ({ cpu }) => cpu },
  offered: { what: "p99", unit: "ms", digits: 2, of: ({ p99 }) => p99 },
  idle: { what: "memory each", unit: "B", digits: 0, of: ({ memory }) => memory },
};

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const END = "<!-- to here -->";

/**
 * `page` with `section` between the marks that name the task that makes it.
 *
 * @throws {Error} when it has no marks.
 */
export function withSection(page: string, section: string, task = "bench"): string {
  const begin = `<!-- Made by \`deno task ${task} --markdown\`: from here -->`;
  const from = page.indexOf(begin), to = page.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`Cannot refresh the benchmark in README: it lacks "${begin}" and "${END}"`);
  return `${page.slice(0, from + begin.length)}\n\n${section}\n\n${page.slice(to)}`;
}

function budgetText(scenario: Comparison["scenario"]): string {
  if (scenario.type === "idle") return `≤ ${scenario.memory} B`;
  const budget = scenario.type === "offered" ? scenario.p99 : scenario.cpu;
  if (budget === undefined) return "";
  return budget[0] === budget[1] ? `× ${budget[0]}` : `× ${budget[0]}, epoll × ${budget[1]}`;
}

function cell(name: string, figure: Figure | undefined, unit: string, digits: number): string {
  return figure === undefined ? "" : `${name} ${figure.value.toFixed(digits)} ${unit} × ${figure.ratio.toFixed(2)}`;
}

function isPresent(row: Row, column: number): boolean {
  const values = [row.subject, row.cpu, row.p50, row.p99, row.rate, row.memory, row.budget ?? undefined];
  return values[column] !== undefined;
}

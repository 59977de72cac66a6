/** Figures with their budgets, as a table for a terminal and for a page. Pure. */

export interface Cost {
  /** "start to first verdict, p50" */
  readonly what: string;
  readonly value: number;
  readonly unit: "ns" | "µs" | "ms" | "MiB" | "% of a core";
  /** At most this; null = shown only, to compare with. */
  readonly budget: number | null;
}

/** Whether the figure keeps its budget. */
export function judge({ value, budget }: Cost): "within" | "over" | "" {
  return budget === null ? "" : value <= budget ? "within" : "over";
}

/** Aligned columns. */
export function costsAsText(costs: readonly Cost[]): string {
  const rows = costs.map((cost) => [cost.what, figure(cost), budget(cost), judge(cost)]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([what, value, budget, verdict]) =>
    `${what.padEnd(width(0))}  ${value.padStart(width(1))}  ${budget.padStart(width(2))}  ${verdict}`.trimEnd()
  ).join("\n");
}

/** The same as a table of Markdown. */
export function costsAsMarkdown(costs: readonly Cost[]): string {
  const rows = costs.map((cost) => [cost.what, figure(cost), budget(cost), judge(cost)]);
  return [["", "measured", "budget", ""], ["---", "--:", "--:", "---"], ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function figure({ value, unit }: Cost): string {
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

function budget({ budget, unit }: Cost): string {
  return budget === null ? "" : `${budget} ${unit}`;
}

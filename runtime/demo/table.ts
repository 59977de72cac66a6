/** The demo's measured table as text. Pure. */
import { seconds } from "./measure.ts";
import type { Row } from "./steps.ts";

/** The rows under their headings, and one line for every step that did not hold. */
export function formatTable(rows: readonly Row[]): string {
  const head = ["step", "VIP on", "client's ARP", "longest gap", "failed", "wanted", ""];
  const cells = rows.map((row) => [
    row.step,
    row.holder,
    row.neighbour,
    row.gap === null ? "-" : seconds(row.gap),
    row.failed === null ? "-" : String(row.failed),
    row.wanted,
    row.fault === null ? "held" : "FAILED",
  ]);
  const widths = head.map((text, column) => Math.max(text.length, ...cells.map((line) => line[column].length)));
  const format = (line: readonly string[]) =>
    line.map((text, column) =>
      column === 3 || column === 4 ? text.padStart(widths[column]) : text.padEnd(widths[column])
    )
      .join("  ").trimEnd();
  const faults = rows.flatMap(({ step, fault }) => fault === null ? [] : [`${step}: ${fault}`]);
  return [
    format(head),
    widths.map((width) => "-".repeat(width)).join("  ").trimEnd(),
    ...cells.map(format),
    ...faults,
  ].join("\n") + "\n";
}

/** One step in one line, as it ended. */
export function formatRow(row: Row): string {
  const parts = [
    `VIP on ${row.holder}`,
    `client's ARP: ${row.neighbour}`,
    ...(row.gap === null ? [] : [`longest gap ${seconds(row.gap)}`]),
    ...(row.failed === null ? [] : [`${row.failed} failed`]),
    ...(row.note === "" ? [] : [row.note]),
  ];
  return `${row.step}: ${parts.join(", ")}: ${row.fault === null ? "held" : `FAILED: ${row.fault}`}`;
}

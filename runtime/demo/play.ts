/** `demo --once`: plays every step, says how each ended, and closes with the table. */
import type { Row } from "./steps.ts";
import { steps } from "./steps.ts";
import { formatRow, formatTable } from "./table.ts";
import type { Stage } from "./stage.ts";

/** The exit code: 0 only if every step held. */
export async function playOnce(stage: Stage, say: (text: string) => void, signal: AbortSignal): Promise<number> {
  const rows: Row[] = [];
  for (const [index, step] of steps.entries()) {
    say(`${index + 1}/${steps.length} ${step.title} …\n`);
    const row = await step.run(stage, signal);
    rows.push(row);
    say(`    ${formatRow(row)}\n`);
  }
  say(`\n${formatTable(rows)}`);
  const held = rows.filter(({ fault }) => fault === null).length;
  say(`\n${held} of ${steps.length} steps held\n`);
  return held === steps.length ? 0 : 1;
}

/** What commands write: answers to stdout, everything else to stderr. */

const encoder = new TextEncoder();

export function print(text: string): void {
  write(Deno.stdout, text + "\n");
}

export function printError(text: string): void {
  write(Deno.stderr, text + "\n");
}

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
  } catch (error) {
    // Whoever read us has gone, as `head` does.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Rows as columns of equal width. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, width(cell)));
  return rows
    .map((row) => row.map((cell, column) => cell + " ".repeat(widths[column] - width(cell))).join("  ").trimEnd())
    .join("\n");
}

/** Columns that a cell takes: colours take none. */
function width(cell: string): number {
  // deno-lint-ignore no-control-regex
  return cell.replace(/\x1b\[\d+m/g, "").length;
}

const colours = { good: 32, bad: 31, dim: 90 } as const;

/** `text` in a colour where stdout is a terminal that wants one. */
export function paint(text: string, colour: keyof typeof colours): string {
  if (Deno.noColor || !Deno.stdout.isTerminal()) return text;
  return `\x1b[${colours[colour]}m${text}\x1b[0m`;
}

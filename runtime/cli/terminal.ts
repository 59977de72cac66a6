/**
 * What commands write: answers to stdout, everything else to stderr. Whatever others have named or given as a reason is
 * escaped on the way, so that it neither moves the cursor nor looks like a line of ours; colours are put on after that.
 */
import { printable, printableLines } from "../bytes/printable.ts";

const encoder = new TextEncoder();

/** Prints lines. A sentence that is part of one must be `printable` for itself. */
export function print(text: string): void {
  show(printableLines(text));
}

export function printError(text: string): void {
  write(Deno.stderr, printableLines(text) + "\n");
}

/** Prints what is made of tables and `inked` texts, colours and all. */
export function show(inked: string): void {
  write(Deno.stdout, inked + "\n");
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

/** A last column narrower than this is no place for a sentence. */
const NARROW = 24;
/** How far in sentences stand that have lines of their own. */
const INDENT = 4;

/** Columns of the terminal that stdout is; Infinity where it is none, and whoever reads wants a line a row. */
export function terminalWidth(): number {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : Infinity;
}

/** Rows as columns of equal width. Where a row is wider than `most`, the sentence at its end goes on below. */
export function table(cells: readonly (readonly Cell[])[], most = Infinity): string {
  const rows = cells.map((row) => row.map(inked));
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, width(cell)));
  return rows.map((row) => tableRow(row, widths, most)).join("\n");
}

function tableRow(row: readonly string[], widths: readonly number[], most: number): string {
  const cells = row.map((cell, column) => cell + " ".repeat(widths[column] - width(cell)));
  const whole = cells.join("  ").trimEnd();
  if (width(whole) <= most || row.length < widths.length) return whole;
  const before = cells.slice(0, -1).join("  ");
  const sentence = row[row.length - 1];
  const room = most - width(before) - 2;
  if (room >= NARROW) return `${before}  ${wrapped(sentence, room).join("\n".padEnd(width(before) + 3))}`;
  const below = wrapped(sentence, Math.max(NARROW, most - INDENT)).map((line) => " ".repeat(INDENT) + line);
  return [before.trimEnd(), ...below].filter((line) => line !== "").join("\n");
}

/** Lines of at most `most` columns, unless a word is longer. */
function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || width(longer) <= most) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Columns that a cell takes: colours take none. */
function width(cell: string): number {
  // deno-lint-ignore no-control-regex
  return cell.replace(/\x1b\[\d+m/g, "").length;
}

const colours = { good: 32, bad: 31, dim: 90 } as const;

/** Text in a colour. */
export interface Painted {
  readonly text: string;
  readonly colour: keyof typeof colours;
}

export type Cell = string | Painted;

export function paint(text: string, colour: Painted["colour"]): Painted {
  return { text, colour };
}

/** A cell as the terminal gets it: escaped, and in its colour where stdout is a terminal that wants one. */
export function inked(cell: Cell): string {
  if (typeof cell === "string") return printable(cell);
  const text = printable(cell.text);
  if (Deno.noColor || !Deno.stdout.isTerminal()) return text;
  return `\x1b[${colours[cell.colour]}m${text}\x1b[0m`;
}

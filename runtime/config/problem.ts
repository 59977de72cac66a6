/** What is wrong with a configuration, and where. */
import { printable } from "../bytes/printable.ts";

/** Lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Position {
  readonly file: string;
  /** Where in the tree, as written: "backends.web.servers.node01"; empty where YAML itself is wrong. */
  readonly path: string;
  /** "must be 1–65535, got 70000". Never holds a secret. */
  readonly message: string;
}

/** `FILE:LINE:COL: PATH: message`. */
export function formatProblem({ file, line, column, path, message }: Problem): string {
  // Keys and names are the file's: one with a line break in it would look like two problems.
  return printable(`${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`);
}

/** In the order of the file, each once: two nodes, or two users of one anchor, meet the same mistake at the same place. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const order = (a: Problem, b: Problem) =>
    a.line - b.line || a.column - b.column || compare(a.path, b.path) || compare(a.message, b.message);
  const seen = new Set<string>();
  return [...problems].sort(order).filter((problem) => {
    const text = formatProblem(problem);
    return seen.has(text) ? false : seen.add(text);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Words of a plugin as one line that steers no terminal. Pure. */

/** Characters. */
export const LINE_LIMIT = 8 * 1024;

/** `text` without escape sequences and control characters; longer lines are cut. */
export function plainLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const sequences = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
  // C0, DEL, C1, line and paragraph separators, and the marks that reorder what follows them.
  // deno-lint-ignore no-control-regex
  const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
  const plain = text.slice(0, LINE_LIMIT).replace(sequences, "").replace(controls, " ").trim();
  return text.length > LINE_LIMIT ? `${plain} … (${text.length - LINE_LIMIT} more characters)` : plain;
}

/** What is wrong with a text as YAML, in words that help and that quote nothing which may be a password. */
import type { YAMLError } from "yaml";

/** Mistakes in one scalar: the rest of the file still means what it says. */
export const localMistakes: Readonly<Record<string, string>> = {
  BAD_SCALAR_START: "begins with a character that YAML reserves: quote it",
  BAD_DQ_ESCAPE: 'has an escape after "\\" that YAML does not know: put it in single quotes',
};

/** A key such as `*.example:`, which the parser is confused by rather than precise about. */
export const aliasKey = /^(\s*(?:- )?)\*\S*:(?:\s|$)/;

/** Errors whose text is the parser's own; the others quote the file, where a password may be. */
const unquoting: ReadonlySet<string> = new Set([
  "ALIAS_PROPS",
  "BAD_INDENT",
  "BAD_PROP_ORDER",
  "BLOCK_IN_FLOW",
  "KEY_OVER_1024_CHARS",
  "MISSING_CHAR",
  "MULTILINE_IMPLICIT_KEY",
  "MULTIPLE_ANCHORS",
]);

export function explain({ code, message }: YAMLError): string {
  if (code === "BAD_ALIAS") return 'a leading "*" is a YAML alias: quote it';
  if (code === "BLOCK_AS_IMPLICIT_KEY") return 'has a second ": " in one line: quote the value, or indent a map';
  if (code === "TAB_AS_INDENT") return "is indented with a tab: YAML wants spaces";
  if (code === "MULTIPLE_DOCS") return "begins a second document: one file is one configuration";
  if (unquoting.has(code)) return `is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  return "is not YAML: what stands here does not belong here; is a quote, bracket or indent missing?";
}

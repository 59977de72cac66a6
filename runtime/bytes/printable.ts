/**
 * Text of others as a terminal may have it: what moves the cursor, changes colours or turns the direction of writing becomes
 * its escape, which JSON reads as the same character.
 */

/** C0, DEL, C1; marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs. */
// deno-lint-ignore no-control-regex
const unprintable = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** For a word or a sentence, which has one line: a line break in it would forge another. */
export function printable(text: string): string {
  return text.replace(unprintable, escaped);
}

/** For text whose line breaks and tabs are meant. */
export function printableLines(text: string): string {
  return text.replace(
    unprintable,
    (character) => character === "\n" || character === "\t" ? character : escaped(character),
  );
}

function escaped(character: string): string {
  if (character === "\n") return "\\n";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

import assert from "node:assert/strict";
import { printable, printableLines } from "../../../runtime/bytes/printable.ts";

const rows: readonly (readonly [text: string, word: string, lines: string])[] = [
  ["disk, ask Ann: 50 % – “größer” 𝄞 \\", "disk, ask Ann: 50 % – “größer” 𝄞 \\", "disk, ask Ann: 50 % – “größer” 𝄞 \\"],
  ["\x1b[31mEVIL\x07", "\\u001b[31mEVIL\\u0007", "\\u001b[31mEVIL\\u0007"],
  ["a\nb", "a\\nb", "a\nb"],
  ["a\tb", "a\\u0009b", "a\tb"],
  ["a\r\0b", "a\\u000d\\u0000b", "a\\u000d\\u0000b"],
  ["\x7f\x80\x9b31m\x9f", "\\u007f\\u0080\\u009b31m\\u009f", "\\u007f\\u0080\\u009b31m\\u009f"],
  ["\u202egpj.exe\u202c", "\\u202egpj.exe\\u202c", "\\u202egpj.exe\\u202c"],
  [
    "\u200e\u200f\u061c\u2066\u2069\u2028",
    "\\u200e\\u200f\\u061c\\u2066\\u2069\\u2028",
    "\\u200e\\u200f\\u061c\\u2066\\u2069\\u2028",
  ],
];

Deno.test("printable() and printableLines() escape what a terminal would obey", () => {
  for (const [text, word, lines] of rows) {
    assert.equal(printable(text), word);
    assert.equal(printableLines(text), lines);
    const json = JSON.stringify({ text });
    assert.deepEqual(JSON.parse(printableLines(json)), { text }, "JSON stays what it is");
  }
});

import assert from "node:assert/strict";
import { inked, paint, table } from "../../../runtime/cli/terminal.ts";

const rows = [
  ["NAME", "STATE", "WHY"],
  ["web/a", "up", "not checked"],
  ["web/b", "drain", "replacing the disk, ask Ann"],
];

const tables: readonly (readonly [columns: number, text: string])[] = [
  [Infinity, "NAME   STATE  WHY\nweb/a  up     not checked\nweb/b  drain  replacing the disk, ask Ann"],
  [41, "NAME   STATE  WHY\nweb/a  up     not checked\nweb/b  drain  replacing the disk, ask Ann"],
  [40, "NAME   STATE  WHY\nweb/a  up     not checked\nweb/b  drain  replacing the disk, ask\n              Ann"],
  [30, "NAME   STATE  WHY\nweb/a  up     not checked\nweb/b  drain\n    replacing the disk, ask\n    Ann"],
  [20, "NAME   STATE  WHY\nweb/a  up\n    not checked\nweb/b  drain\n    replacing the disk, ask\n    Ann"],
];

Deno.test("table() keeps to the terminal's width: sentences go on below", () => {
  for (const [columns, text] of tables) assert.equal(table(rows, columns), text, `${columns} columns`);
});

Deno.test("table() and inked() escape what is not theirs before they paint", () => {
  const evil = "\x1b[31mEVIL\x07\n2026-01-01T00:00:00.000Z  error    vrrp.transition  forged";
  const text = table([["a", evil], [evil, paint(evil, "dim")]]);
  assert.equal(text.split("\n").length, 2);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  assert.equal(inked("\u202eab"), "\\u202eab");
});

import assert from "node:assert/strict";
import { table } from "../../../runtime/cli/terminal.ts";

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

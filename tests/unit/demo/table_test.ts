import assert from "node:assert/strict";
import type { Row } from "../../../runtime/demo/steps.ts";
import { formatRow, formatTable } from "../../../runtime/demo/table.ts";

const held: Row = {
  step: "crash of dlp1",
  holder: "dlp2",
  neighbour: "dlp2",
  gap: 3612.4,
  failed: 4,
  wanted: "gap at most 3.75 s",
  fault: null,
  note: "",
};

Deno.test("formatTable() shows every step, and why one did not hold", () => {
  const start: Row = {
    ...held,
    step: "start",
    gap: null,
    failed: null,
    wanted: "VIP on dlp1",
    fault: "nobody answers",
  };
  assert.equal(
    formatTable([start, held]),
    `step           VIP on  client's ARP  longest gap  failed  wanted
-------------  ------  ------------  -----------  ------  ------------------  ------
start          dlp2    dlp2                    -       -  VIP on dlp1         FAILED
crash of dlp1  dlp2    dlp2               3.61 s       4  gap at most 3.75 s  held
start: nobody answers
`,
  );
});

Deno.test("formatRow() says a step in one line", () => {
  assert.equal(
    formatRow({ ...held, gap: 14.2, note: "both ways" }),
    "crash of dlp1: VIP on dlp2, client's ARP: dlp2, longest gap 14 ms, 4 failed, both ways: held",
  );
});

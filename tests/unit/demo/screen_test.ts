import assert from "node:assert/strict";
import { draw, type Scene } from "../../../runtime/demo/screen.ts";

const scene: Scene = {
  view: {
    holders: ["dlp1"],
    nodes: [
      {
        name: "dlp1",
        running: true,
        status: {
          vrrp: [{ state: "active", reason: "no advert for 3.61 s", priority: { configured: 101, effective: 101 } }],
          backends: [],
        },
      },
      { name: "dlp2", running: false, status: null },
    ],
    servers: [{ name: "node01", running: true }, { name: "node02", running: false }],
    neighbour: { mac: "02:00:00:00:00:01", owner: "dlp1" },
  },
  traffic: { rate: 300, total: 900, failedLately: 0, lastServer: "node01", shares: new Map([["node01", 100]]) },
  rows: [],
  busy: "",
  note: "",
};

/** The lines as a reader sees them. */
function text(rows: number, columns = 120, shown = scene): string[] {
  // deno-lint-ignore no-control-regex
  return draw(shown, { rows, columns }).map((line) => line.replace(/\x1b\[\d*m/g, ""));
}

Deno.test("draw() shows who owns the address, who answers and the client's ARP entry", () => {
  const screen = text(24).join("\n");
  for (
    const wanted of [
      "its ARP entry: 02:00:00:00:00:01 = dlp1",
      "active VIP 192.168.219.100",
      "no power",
      "up, answers 100 %",
      "stopped, answers 0 %",
      "no advert for 3.61 s",
      "http://127.0.0.1:9700",
    ]
  ) assert.ok(screen.includes(wanted), `${wanted} in:\n${screen}`);
});

Deno.test("draw() makes no more and no longer lines than the terminal has", () => {
  for (const rows of [5, 18, 24, 60]) assert.ok(text(rows).length <= rows, `${rows} lines`);
  for (const columns of [20, 40, 80]) {
    for (const line of text(24, columns)) assert.ok(line.length <= columns, `${columns} columns: ${line}`);
  }
});

Deno.test("draw() puts both nodes in columns, whatever their colours", () => {
  const line = text(24).find((line) => line.includes("no power"))!;
  assert.equal(line.indexOf("no power"), text(24).find((line) => line.includes("dlp2"))!.indexOf("dlp2"));
});

Deno.test("draw() shows every key, both nodes and how a step ended on sixty columns too", () => {
  const row = {
    step: "crash of dlp1",
    holder: "dlp2",
    neighbour: "dlp2",
    gap: 3000,
    failed: 3,
    wanted: "gap at most 3.75 s",
    fault: null,
    note: "",
  };
  const lines = text(30, 60, { ...scene, rows: [row] });
  const screen = lines.join("\n");
  for (const wanted of ["q quit", "127.0.0.1:9701", "stopped, answers 0 %", "dlp2 192.168.219.135", "3 failed: held"]) {
    assert.ok(screen.includes(wanted), `${wanted} in:\n${screen}`);
  }
  assert.ok(!lines.some((line) => /192\.168\.219\.135.*…/.test(line)), screen);
});

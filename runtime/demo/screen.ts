/** The demo's picture as lines of text: what is so now, and what was measured. Pure. */
import { nodes, servers, virtualAddress } from "./picture.ts";
import type { Row } from "./steps.ts";
import { formatRow } from "./table.ts";
import type { View } from "./stage.ts";

/** Everything that one screen shows. */
export interface Scene {
  readonly view: View;
  readonly traffic: {
    /** Requests in the last second. */
    readonly rate: number;
    readonly total: number;
    readonly failedLately: number;
    readonly lastServer: string;
    /** Share of each web server in the last seconds, percent. */
    readonly shares: ReadonlyMap<string, number>;
  };
  readonly rows: readonly Row[];
  /** What is happening: "crash of dlp1 …", or "". */
  readonly busy: string;
  /** Why the last key did nothing. */
  readonly note: string;
}

const bold = (text: string) => `\x1b[1m${text}\x1b[0m`;
const dim = (text: string) => `\x1b[2m${text}\x1b[0m`;
const green = (text: string) => `\x1b[32m${text}\x1b[0m`;
const red = (text: string) => `\x1b[31m${text}\x1b[0m`;

/** Keys of the interactive demo, for its last line. */
export const keys = "c crash   f failover   b failback   s stop or start node01   q quit";

/** Width of what is shown of one machine, where there is room. */
const widest = 36;

/** The size of a terminal, in characters. */
export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** The lines of the screen: as many and as wide as fit. */
export function draw(scene: Scene, size: Size): string[] {
  const { view, traffic, rows, busy, note } = scene;
  const { mac, owner } = view.neighbour;
  const half = Math.min(widest, Math.max(1, (size.columns - 2) >> 1));
  const left = (text: string) => text + " ".repeat(Math.max(0, half - visible(text)));
  const failed = traffic.failedLately === 0 ? green("none failed") : red(`${traffic.failedLately} failed`);
  const admin = nodes.map(({ name, hostPort }) => `${name} http://127.0.0.1:${hostPort}`);
  const help = [
    ...wrap(keys.split("   "), "   ", size.columns - 2).map((line) => `  ${line}`),
    ...wrap(["admin API:", ...admin], "  ", size.columns - 2).map((line) => dim(`  ${line}`)),
  ];
  // A measurement that does not fit goes on in the next line: its end says whether the step held.
  const measured = rows.flatMap((row) =>
    wrap(formatRow(row).split(" "), " ", size.columns - 4).map((line, index) =>
      index > 0 ? `    ${line}` : `  ${row.fault === null ? green("✓") : red("✗")} ${line}`
    )
  );
  const lines = [
    bold("Tandem: two balancers, one address, on this machine in private namespaces"),
    "",
    `  client  asks http://${virtualAddress}/   ${traffic.rate} requests a second, ${failed} in the last 10 s`,
    `    │     its ARP entry: ${mac ?? "none"}${owner === null ? "" : ` = ${bold(owner)}`}   last answer by ${
      traffic.lastServer || "nobody"
    }`,
    "    │",
    "  ──┴──────────────────────┬─────── one switched network ──────┬──────────",
    "",
    `  ${nodes.map(({ name, address }) => left(`${bold(name)} ${address}`)).join("")}`,
    `  ${view.nodes.map((node) => left(nodeLine(node, view.holders))).join("")}`,
    `  ${view.nodes.map((node) => left(dim(reasonLine(node, half)))).join("")}`,
    "",
    `  ${servers.map(({ name, address }) => left(`${bold(name)} ${address}`)).join("")}`,
    `  ${
      view.servers.map(({ name, running }) =>
        left(`${running ? green("up") : red("stopped")}, answers ${traffic.shares.get(name) ?? 0} %`)
      ).join("")
    }`,
    "",
    ...measured.slice(-Math.max(1, size.rows - 16 - help.length)),
    busy !== "" ? `  … ${busy}` : note !== "" ? `  ${note}` : "",
    "",
    ...help,
  ];
  return lines.slice(0, size.rows).map((line) => clip(line.trimEnd(), size.columns));
}

function nodeLine(node: View["nodes"][number], holders: readonly string[]): string {
  if (!node.running) return red("no power");
  const state = node.status?.vrrp[0]?.state ?? "starting";
  const holds = holders.includes(node.name) ? bold(green(` VIP ${virtualAddress}`)) : "";
  return `${state === "active" ? green(state) : state}${holds}`;
}

function reasonLine(node: View["nodes"][number], half: number): string {
  const reason = node.status?.vrrp[0]?.reason ?? "";
  return reason.length > half - 2 ? reason.slice(0, half - 3) + "…" : reason;
}

/** `parts` in lines of at most `width` characters, as far as parts are not longer themselves. */
function wrap(parts: readonly string[], between: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = lines.length === 0 ? part : `${lines[lines.length - 1]}${between}${part}`;
    if (lines.length === 0 || longer.length > width) lines.push(part);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** `text` as far as it fits into `width` characters; colours take no room, and end with it. */
function clip(text: string, width: number): string {
  if (visible(text) <= width) return text;
  let shown = 0;
  let clipped = "";
  // deno-lint-ignore no-control-regex
  for (const [part] of text.matchAll(/\x1b\[\d*m|[^\x1b]/gu)) {
    if (!part.startsWith("\x1b") && ++shown >= width) break;
    clipped += part;
  }
  return `${clipped}…\x1b[0m`;
}

/** Characters that a terminal shows of `text`. */
function visible(text: string): number {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[\d*m/g, "").length;
}

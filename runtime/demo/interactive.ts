/** `demo`: a live picture of the pair, and keys to hurt it. Without a terminal the same as plain lines. */
import { failures, shares } from "./measure.ts";
import { nodes } from "./picture.ts";
import { draw, keys, type Scene, type Size } from "./screen.ts";
import { comeBack, crash, move, type Row, start } from "./steps.ts";
import type { Stage } from "./stage.ts";
import { formatRow, formatTable } from "./table.ts";

const interval = 200;

/** Runs until `q`, the end of the signal, or Ctrl-C. */
export async function playInteractively(stage: Stage, say: (text: string) => void, signal: AbortSignal): Promise<void> {
  const live = Deno.stdout.isTerminal() && Deno.stdin.isTerminal();
  const rows: Row[] = [];
  const quit = new AbortController();
  const ended = AbortSignal.any([signal, quit.signal]);
  let busy = "";
  let note = "";

  /** One thing at a time: what is measured must not be disturbed by the next. */
  const perform = async (title: string, act: () => Promise<Row | Refusal | null>) => {
    if (busy !== "") return;
    [busy, note] = [title, ""];
    if (!live) say(`${title} …\n`);
    try {
      const outcome = await act();
      if (outcome === null) return;
      if ("refusal" in outcome) note = outcome.refusal;
      else rows.push(outcome);
      if (!live) say(`    ${"refusal" in outcome ? outcome.refusal : formatRow(outcome)}\n`);
    } finally {
      busy = "";
    }
  };
  const press = (key: string) => {
    if (key === "q" || key === "\x03") return quit.abort();
    const action = actions[key];
    if (action === undefined || busy !== "") return;
    perform(action.title, () => action.run(stage, ended)).catch((error) => {
      if (!ended.aborted) quit.abort(error);
    });
  };

  using _screen = live ? new Screen() : null;
  if (!live) say(`Keys, each on a line: ${keys}\n`);
  perform("start", () => start(stage, ended)).catch((error) => quit.abort(error));
  void readKeys(press);
  while (!ended.aborted) {
    if (live) say(frame(draw(await sceneOf(stage, rows, busy, note), terminalSize())));
    await Promise.race([sleep(interval), aborted(ended)]);
  }
  _screen?.[Symbol.dispose]();
  say(rows.length === 0 ? "" : `\n${formatTable(rows)}`);
  if (quit.signal.aborted && !(quit.signal.reason instanceof DOMException)) throw quit.signal.reason;
}

/** Why nothing was done, and the key that helps. */
interface Refusal {
  readonly refusal: string;
}

interface Action {
  readonly title: string;
  run(stage: Stage, signal: AbortSignal): Promise<Row | Refusal | null>;
}

const actions: Readonly<Record<string, Action>> = {
  c: { title: "crash of the active node", run: crashActive },
  f: { title: "planned handover", run: failover },
  b: { title: "failback", run: failback },
  s: { title: "node01", run: toggleServer },
};

const nobodyHolds: Refusal = { refusal: "no node holds the address yet" };

function nobodyLeft(node: string): Refusal {
  return { refusal: `${node} has no power, so nobody could take over: press b to bring it back` };
}

async function crashActive(stage: Stage, signal: AbortSignal): Promise<Row | Refusal | null> {
  const [victim, heir] = activeAndOther(stage);
  // With the other node dead already there is nobody to take over; that is not what the demo is about.
  if (victim === null) return nobodyHolds;
  if (!stage.running(heir)) return nobodyLeft(heir);
  return await crash(stage, victim, heir, signal);
}

async function failover(stage: Stage, signal: AbortSignal): Promise<Row | Refusal | null> {
  const [from, to] = activeAndOther(stage);
  if (from === null) return nobodyHolds;
  if (!stage.running(to)) return nobodyLeft(to);
  return await move(stage, "failover", from, to, signal);
}

/** Whatever brings the address back to where it belongs: a dead node gets its power back, a held one its release. */
async function failback(stage: Stage, signal: AbortSignal): Promise<Row | Refusal | null> {
  const [home, other] = nodes.map(({ name }) => name);
  if (!stage.running(home)) return await comeBack(stage, home, signal);
  if (!stage.running(other)) {
    stage.startNode(other);
    return null;
  }
  if (stage.holders()[0] === home) return { refusal: `${home} has the address already` };
  return await move(stage, "failback", home, home, signal);
}

async function toggleServer(stage: Stage): Promise<null> {
  if (stage.running("node01")) await stage.stopServer("node01");
  else stage.startServer("node01");
  return null;
}

function activeAndOther(stage: Stage): [active: string | null, other: string] {
  const active = stage.holders()[0] ?? null;
  return [active, nodes.find(({ name }) => name !== active)?.name ?? nodes[0].name];
}

async function sceneOf(stage: Stage, rows: readonly Row[], busy: string, note: string): Promise<Scene> {
  const to = performance.timeOrigin + performance.now();
  const samples = stage.feedOrNull?.samples ?? [];
  const counts = shares(samples, { from: to - 2_000, to });
  const total = Math.max(1, [...counts.values()].reduce((sum, count) => sum + count, 0));
  return {
    view: await stage.view(),
    rows,
    busy,
    note,
    traffic: {
      rate: samples.filter(({ ended }) => ended > to - 1_000).length,
      total: stage.feedOrNull?.total ?? 0,
      failedLately: failures(samples, { from: to - 10_000, to }).length,
      lastServer: stage.feedOrNull?.lastServer ?? "",
      shares: new Map([...counts].map(([name, count]) => [name, Math.round(100 * count / total)])),
    },
  };
}

/** A terminal that does not know its size is an old one. */
function terminalSize(): Size {
  const { rows, columns } = Deno.consoleSize();
  return { rows: rows || 24, columns: columns || 80 };
}

/** Keys as they are pressed; lines where stdin is not a terminal. Ends with stdin. */
async function readKeys(press: (key: string) => void): Promise<void> {
  const buffer = new Uint8Array(64);
  const decoder = new TextDecoder();
  for (let count = 0; (count = await Deno.stdin.read(buffer) ?? -1) >= 0;) {
    for (const key of decoder.decode(buffer.subarray(0, count))) press(key);
  }
}

/** The terminal while the picture is on it: its other screen, no cursor, keys unbuffered. */
class Screen implements Disposable {
  #restored = false;
  constructor() {
    Deno.stdin.setRaw(true);
    write("\x1b[?1049h\x1b[?25l");
  }
  [Symbol.dispose](): void {
    if (this.#restored) return;
    this.#restored = true;
    write("\x1b[?25h\x1b[?1049l");
    Deno.stdin.setRaw(false);
  }
}

/** One frame: from the top left, each line cleared to its end, the rest of the screen too. */
function frame(lines: readonly string[]): string {
  return "\x1b[H" + lines.map((line) => `${line}\x1b[K`).join("\r\n") + "\x1b[J";
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

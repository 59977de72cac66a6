/** What happens to the pair in the demo, step by step: each is done, awaited, measured and judged. */
import { explain, failures, longestGap, seconds, shares, type Window } from "./measure.ts";
import type { Stage, View } from "./stage.ts";
import { now, pause, waitFor } from "./waiting.ts";

/** A step's outcome: a row of the table. */
export interface Row {
  readonly step: string;
  /** Who holds the virtual IP afterwards, by the kernel. */
  readonly holder: string;
  /** Who the client's ARP entry points to afterwards. */
  readonly neighbour: string;
  /** Longest time without a successful request, ms; null where none is asked for. */
  readonly gap: number | null;
  readonly failed: number | null;
  /** What the step was to reach, in words. */
  readonly wanted: string;
  /** Why it was not reached; null when it was. */
  readonly fault: string | null;
  readonly note: string;
}

export interface Step {
  readonly title: string;
  run(stage: Stage, signal: AbortSignal): Promise<Row>;
}

const instance = "VI_1";
/** Gaps as the issue asks for them, ms: adverts are 1 s apart. */
const crashGap = 3_750;
const plannedGap = 50;
/** How long before a planned move the machine's own noise is looked for, ms, and how much of it is none. */
const quietTime = 3_000;
const noNoise = 25;
/** A planned move waits this long at most for a time without noise, ms. */
const quietPatience = 12_000;

/** `--once` plays these in order. */
export const steps: readonly Step[] = [
  { title: "start", run: start },
  { title: "balance", run: balance },
  { title: "crash of dlp1", run: (stage, signal) => crash(stage, "dlp1", "dlp2", signal) },
  { title: "failback: dlp1 returns", run: (stage, signal) => comeBack(stage, "dlp1", signal) },
  { title: "planned handover to dlp2", run: (stage, signal) => move(stage, "failover", "dlp1", "dlp2", signal) },
  { title: "planned failback to dlp1", run: (stage, signal) => move(stage, "failback", "dlp1", "dlp1", signal) },
  { title: "node01 stopped", run: stopServer },
];

/** Starts everything; done when dlp1 holds the virtual IP, dlp2 does not, and the client is served. */
export async function start(stage: Stage, signal: AbortSignal): Promise<Row> {
  const from = now();
  stage.startServer("node01");
  stage.startServer("node02");
  stage.startNode("dlp1");
  stage.startNode("dlp2");
  // Asking an address that nobody has yet would only fill the picture with failures.
  const owned = await waitFor(() => stage.holders().length > 0 || !stage.running("dlp1"), signal, 15_000);
  if (!stage.running("dlp1")) throw new Error(`Node dlp1 ended by itself:\n${stage.log("dlp1")}`);
  if (!owned) throw new Error(`Nobody took the virtual IP within 15 s; dlp1 said:\n${stage.log("dlp1")}`);
  stage.startClient();
  const settled = await settle(stage, "dlp1", signal, 15_000);
  const served = await waitFor(() => stage.feed.lastServer !== "", signal, 5_000);
  const took = now() - from;
  // Both nodes must stay what they are: an address that both take once and one gives up is no good start.
  const backup = await waitFor(
    async () => (await stage.api("dlp2").status())?.vrrp[0]?.state === "backup",
    signal,
    3_000,
  );
  return row(stage, "start", null, "VIP on dlp1 alone, dlp2 backup", {
    fault: settled ?? (served ? null : "no request was answered") ?? (backup ? null : "dlp2 is not backup"),
    note: `serving after ${seconds(took)}`,
  });
}

/** 200 requests: each server answers half. */
export async function balance(stage: Stage, signal: AbortSignal): Promise<Row> {
  const from = now();
  const before = stage.feed.total;
  await waitFor(() => stage.feed.total - before >= 200, signal, 10_000);
  const window = { from, to: now() };
  const counts = shares(stage.feed.samples, window);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const percent = (name: string) => Math.round(100 * (counts.get(name) ?? 0) / Math.max(1, total));
  const even = ["node01", "node02"].every((name) => percent(name) >= 45 && percent(name) <= 55);
  return row(stage, "balance", window, "half each, none failed", {
    fault: even ? null : `node01 answered ${percent("node01")} %, node02 ${percent("node02")} %`,
    note: `node01 ${percent("node01")} %, node02 ${percent("node02")} %`,
    mayFail: false,
  });
}

/** Power loss of the active node: the other one takes over. */
export async function crash(stage: Stage, victim: string, heir: string, signal: AbortSignal): Promise<Row> {
  const from = now();
  await stage.crash(victim);
  const settled = await settle(stage, heir, signal, 8_000);
  return row(stage, `crash of ${victim}`, await windowSince(from, signal), `gap at most ${seconds(crashGap)}`, {
    fault: settled,
    gap: crashGap,
  });
}

/** A crashed node returns and takes the virtual IP back, because its priority is higher. */
export async function comeBack(stage: Stage, name: string, signal: AbortSignal): Promise<Row> {
  stage.startNode(name);
  const from = now();
  const taken = await waitFor(() => stage.holders().includes(name), signal, 20_000);
  // Starting three processes takes processor time from the client; the gap asked for is that of the move, which comes
  // a master-down interval later.
  const moved = now();
  const settled = taken ? await settle(stage, name, signal, 5_000) : `${name} does not take the VIP`;
  const { to } = await windowSince(from, signal);
  return row(stage, `failback: ${name} returns`, { from, to }, "gap below 50 ms, none failed", {
    fault: settled,
    gap: plannedGap,
    gapFrom: moved - 1_000,
    mayFail: false,
  });
}

/** An operator moves the virtual IP. */
export async function move(
  stage: Stage,
  verb: "failover" | "failback",
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<Row> {
  // What the machine does without a move must be known, and is nothing if it can be had.
  await pause(quietTime, signal);
  await waitFor(() => noiseBefore(stage, now()) <= noNoise, signal, quietPatience);
  const began = now();
  const refused = await stage.api(from).move(verb, instance).then(() => null, (error: Error) => error.message);
  const settled = refused ?? await settle(stage, to, signal, 10_000);
  const title = verb === "failover" ? `planned handover to ${to}` : `planned failback to ${to}`;
  return row(stage, title, await windowSince(began, signal), "gap below 50 ms, none failed", {
    fault: settled,
    gap: plannedGap,
    mayFail: false,
  });
}

async function stopServer(stage: Stage, signal: AbortSignal): Promise<Row> {
  const from = now();
  await stage.stopServer("node01");
  const out = await waitFor(async () => await serverState(stage, "dlp1", "node01") === "down", signal, 6_000);
  const quiet = await windowSince(now(), signal);
  const stray = shares(stage.feed.samples, { from: quiet.from, to: quiet.to }).get("node01") ?? 0;
  stage.startServer("node01");
  const back = await waitFor(async () => await serverState(stage, "dlp1", "node01") === "up", signal, 8_000);
  return row(stage, "node01 stopped", await windowSince(from, signal), "none failed, node01 out, then back", {
    fault: (out ? null : "node01 is not seen as down") ?? (stray === 0 ? null : "node01 still answers") ??
      (back ? null : "node01 does not come back"),
    mayFail: false,
  });
}

/** State of a web server as `node` sees it. */
export async function serverState(stage: Stage, node: string, server: string): Promise<string | null> {
  const status = await stage.api(node).status();
  return status?.backends[0]?.servers.find(({ name }) => name === server)?.state ?? null;
}

interface Judgement {
  readonly fault: string | null;
  /** Longest gap allowed, ms. */
  readonly gap?: number;
  /** Where the gap is looked for begins here. @default the window's beginning */
  readonly gapFrom?: number;
  /** @default true */
  readonly mayFail?: boolean;
  readonly note?: string;
}

function row(stage: Stage, step: string, window: Window | null, wanted: string, judgement: Judgement): Row {
  const gap = window === null || judgement.gap === undefined
    ? null
    : longestGap(stage.feed.samples, { from: judgement.gapFrom ?? window.from, to: window.to }, stage.feed.stalls);
  const failed = window === null ? null : failures(stage.feed.samples, window);
  const noise = window === null || judgement.mayFail !== false
    ? 0
    : noiseBefore(stage, judgement.gapFrom ?? window.from);
  // A machine that is busy with something else delays answers without any move: that much is not the move's.
  const allowed = (judgement.gap ?? Infinity) + (noise > noNoise ? noise : 0);
  const tooLong = gap !== null && gap > allowed ? `nobody was served for ${seconds(gap)}` : null;
  const noisy = gap !== null && gap > plannedGap && noise > noNoise
    ? `${seconds(noise)} without a move on this busy machine`
    : "";
  const lost = judgement.mayFail === false && failed !== null && failed.length > 0
    ? `${failed.length} failed, the first: ${explain(failed[0])}`
    : null;
  return {
    step,
    wanted,
    gap,
    failed: failed?.length ?? null,
    holder: stage.holders().join("+") || "nobody",
    neighbour: stage.neighbour().owner ?? "nobody",
    fault: judgement.fault ?? tooLong ?? lost,
    note: [judgement.note ?? "", noisy].filter((text) => text !== "").join(", "),
  };
}

/** The longest gap of the quiet time before `time`. */
function noiseBefore(stage: Stage, time: number): number {
  return longestGap(stage.feed.samples, { from: time - quietTime, to: time }, stage.feed.stalls);
}

/** Waits until `owner` alone holds the virtual IP, is served from, and is whom the client's ARP entry names; else why not. */
async function settle(stage: Stage, owner: string, signal: AbortSignal, timeout: number): Promise<string | null> {
  let last: Pick<View, "holders" | "neighbour"> = { holders: [], neighbour: { mac: null, owner: null } };
  const settled = await waitFor(
    () => {
      last = { holders: stage.holders(), neighbour: stage.neighbour() };
      return last.holders.length === 1 && last.holders[0] === owner && last.neighbour.owner === owner;
    },
    signal,
    timeout,
  );
  if (settled) return null;
  return `after ${seconds(timeout)} the VIP is on ${last.holders.join(" and ") || "nobody"}, ` +
    `the client's ARP entry says ${last.neighbour.owner ?? last.neighbour.mac ?? "nothing"}`;
}

/** The window from `from` until half a second after now: late samples arrive, and trouble after a move shows. */
async function windowSince(from: number, signal: AbortSignal): Promise<Window> {
  await pause(500, signal);
  const to = now();
  await pause(120, signal);
  return { from, to };
}

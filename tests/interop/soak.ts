/**
 * `deno task soak [MINUTES]`: the pair idles at 100 ms adverts while both cores are saturated by other processes; not one
 * transition may happen. Ten minutes unless told otherwise.
 */
import { command, Running } from "../support/command.ts";
import { interopNeeds, missing } from "../support/requirements.ts";
import { Pair } from "../support/pair.ts";
import { pairAddress, type Status } from "../support/tandem.ts";

const minutes = Number(Deno.args[0] ?? 10);
if (!(minutes > 0 && minutes <= 600)) fail(`Minutes must be above 0 and at most 600, got "${Deno.args[0]}"`, 2);
const lacking = missing(interopNeeds);
if (lacking !== null) fail(`Cannot soak: ${lacking}`, 2);

Deno.exit(await soak());

async function soak(): Promise<number> {
  await using pair = await Pair.start({ version: 3, advertInterval: "100ms", priority: { dlp1: 200, dlp2: 100 } });
  const names = ["dlp1", "dlp2"] as const;
  const before = await Promise.all(names.map((name) => pair.node(name).status()));
  using _load = saturate(navigator.hardwareConcurrency);
  const end = performance.now() + minutes * 60_000;
  let strayed = 0;
  for (let next = performance.now(); performance.now() < end;) {
    const holders = await pair.lan.holders(pairAddress);
    if (holders.join() !== "dlp1") {
      say(`${++strayed}. stray: ${pairAddress} is on ${holders.join(" and ") || "nobody"}`);
    }
    if (performance.now() > next) {
      say(`${Math.ceil((end - performance.now()) / 1_000)} s to go, load ${(await loadAverage()).trim()}`);
      next += 30_000;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const after = await Promise.all(names.map((name) => pair.node(name).status()));
  let changed = 0;
  for (const [index, name] of names.entries()) {
    const [was, is] = [before[index].vrrp[0], after[index].vrrp[0]];
    changed += transitions(after[index]) - transitions(before[index]);
    say(
      `${name}: ${was.state} → ${is.state}, ${transitions(after[index]) - transitions(before[index])} transitions, ` +
        `${is.counters.adverts_sent - was.counters.adverts_sent} adverts sent, ` +
        `${is.counters.adverts_received - was.counters.adverts_received} received`,
    );
  }
  const held = strayed === 0 && changed === 0;
  say(`${minutes} minutes at 100 ms adverts under load: ${held ? "no false transition" : "FALSE TRANSITIONS"}`);
  if (!held) say(await pair.explain());
  return held ? 0 : 1;
}

function transitions(status: Status): number {
  return status.vrrp[0].counters.transitions;
}

/** Busy loops of ordinary priority, one more than there are cores, so that no core is ever idle. */
function saturate(cores: number): Disposable {
  const loops = Array.from(
    { length: cores + 1 },
    (_, index) => new Running(`busy loop ${index}`, ["sh", "-c", "while :; do :; done"]),
  );
  return { [Symbol.dispose]: () => loops.forEach((loop) => loop.signal("SIGKILL")) };
}

async function loadAverage(): Promise<string> {
  return (await command(["cut", "-d", " ", "-f", "1", "/proc/loadavg"])).stdout;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function fail(line: string, code: number): never {
  say(line);
  Deno.exit(code);
}

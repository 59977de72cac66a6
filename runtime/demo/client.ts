/**
 * The demo's client: a process in the client's namespace that keeps requesting through the virtual IP and reports on
 * stdout, one JSON value a line. It stops when its stdin closes.
 */
import { aheadOfOthers } from "./ahead.ts";
import type { Sample, Window } from "./measure.ts";
import { generate, type TrafficOptions } from "./traffic.ts";

/**
 * What the client says: its requests and the times in which it got no processor, in small batches, and its ARP entry for
 * the virtual IP whenever that changes.
 */
export type ClientReport =
  | { readonly type: "samples"; readonly samples: readonly Sample[]; readonly stalls: readonly Window[] }
  | { readonly type: "neighbour"; readonly at: number; readonly mac: string | null };

/** Milliseconds between two reports. */
const reportInterval = 50;

/** A look at the clock every so many ms; one that comes later by more than as much again shows a stall. */
const watchInterval = 5;

/** Runs until stdin closes. */
export async function runClient(options: TrafficOptions): Promise<void> {
  aheadOfOthers();
  const stopped = new AbortController();
  const batch: Sample[] = [];
  const stalls: Window[] = [];
  let looked = now();
  let mac: string | null | undefined;
  const flush = () => {
    if (batch.length > 0) write({ type: "samples", samples: batch.splice(0), stalls: stalls.splice(0) });
    const seen = neighbour(Deno.readTextFileSync("/proc/self/net/arp"), options.address);
    if (seen !== mac) write({ type: "neighbour", at: now(), mac: mac = seen });
  };
  const timer = setInterval(flush, reportInterval);
  const watch = setInterval(() => {
    const at = now();
    if (at - looked > 2 * watchInterval) stalls.push({ from: looked + watchInterval, to: at });
    looked = at;
  }, watchInterval);
  const traffic = generate(options, (sample) => batch.push(sample), stopped.signal);
  await endOfInput();
  clearInterval(timer);
  clearInterval(watch);
  stopped.abort();
  flush();
  // Requests under way are of no interest any more; they need not be waited for.
  await Promise.race([traffic, new Promise((resolve) => Deno.unrefTimer(Number(setTimeout(resolve, 200))))]);
}

/** The MAC that the kernel's ARP table (`/proc/net/arp`) has for `address`; null when there is none or it is unresolved. */
export function neighbour(table: string, address: string): string | null {
  for (const row of table.split("\n").slice(1)) {
    const [ip, , flags, mac] = row.split(/\s+/);
    // 0x2 = ATF_COM, a completed entry.
    if (ip === address && (Number(flags) & 0x2) !== 0) return mac;
  }
  return null;
}

/** Milliseconds since the epoch, the clock of the samples. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function endOfInput(): Promise<void> {
  const buffer = new Uint8Array(256);
  while (await Deno.stdin.read(buffer) !== null);
}

const encoder = new TextEncoder();

function write(report: ClientReport): void {
  const bytes = encoder.encode(JSON.stringify(report) + "\n");
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

/**
 * Addresses of servers that are configured by name: asked for again when the answer's time is over, kept on disk, and kept
 * when nobody answers any more. Nothing waits for a name: until there is an address the server is unresolved.
 */
import { isIP } from "node:net";
import type { Clock } from "../os/clock.ts";
import { within } from "../os/clock.ts";
import type { Resolution } from "./resolve_name.ts";
import type { Logger } from "../telemetry/log.ts";

export interface Names extends AsyncDisposable {
  /** The address of a host, which may be one itself; null = it is not known. */
  addressOf(host: string): string | null;
  /** Why the address of a name is not known. */
  problemOf(name: string): string;
  /** The whole wanted set of hosts; addresses among them are left alone. */
  watch(hosts: readonly string[]): void;
  /** Whether every name has an address or was asked for in vain. */
  settled(): boolean;
}

export interface NamesOptions {
  /** null = nothing is kept. */
  readonly directory: string | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolve: (name: string) => Promise<Resolution>;
  /** Some name has another address. */
  readonly changed: () => void;
}

interface Entry {
  /** The address in use. */
  address: string | null;
  problem: string;
  /** Failures since the last answer. */
  failures: number;
  asked: boolean;
  timer: Disposable | null;
}

/** A time to live that is shorter, or longer, is taken for this, ms. */
const shortest = 1000;
const longest = 3_600_000;
/** How long an answer may take, ms. */
const patience = 5000;
const fileName = "names.json";

/** Between a failure and the next question, ms. */
export function retryAfter(failures: number): number {
  return Math.min(30_000, 1000 * 2 ** (failures - 1));
}

/** The one in use as long as it is among the answers: those come in another order each time. */
export function choose(addresses: readonly string[], inUse: string | null): string | null {
  if (inUse !== null && addresses.includes(inUse)) return inUse;
  // Both nodes should come to the same.
  return [...addresses].sort()[0] ?? null;
}

export async function openNames(options: NamesOptions): Promise<Names> {
  const { directory, clock, log } = options;
  const kept = directory === null ? {} : await readKept(directory);
  const entries = new Map<string, Entry>();
  let saving: Promise<void> = Promise.resolve();
  let closed = false;

  async function ask(name: string, entry: Entry): Promise<void> {
    let wait: number;
    try {
      const answer = await within(clock, patience, options.resolve(name), null);
      if (answer === null) throw new Error(`no answer within ${patience / 1000} s`);
      wait = Math.min(longest, Math.max(shortest, answer.ttl));
      learn(name, entry, answer);
    } catch (error) {
      entry.failures++;
      entry.problem = `cannot resolve "${name}": ${error instanceof Error ? error.message : error}`;
      wait = retryAfter(entry.failures);
      const rest = entry.address === null ? "its servers get no requests" : `${entry.address} stays in use`;
      if (entry.failures === 1) log.warning(`Cannot resolve "${name}", ${rest}: ${entry.problem.split(": ").at(-1)}`);
    }
    const first = !entry.asked;
    entry.asked = true;
    if (closed || entries.get(name) !== entry) return;
    if (first && entry.address === null) options.changed();
    entry.timer = clock.after(wait, () => void ask(name, entry));
  }

  function learn(name: string, entry: Entry, { addresses }: Resolution): void {
    const address = choose(addresses, entry.address);
    entry.failures = 0;
    if (address === null || address === entry.address) return;
    const before = entry.address;
    entry.address = address;
    log.notice(`"${name}" is ${address}${before === null ? "" : `, was ${before}`}`);
    if (closed || entries.get(name) !== entry) return;
    save();
    options.changed();
  }

  function save(): void {
    if (directory === null) return;
    for (const [name, { address }] of entries) if (address !== null) kept[name] = address;
    const text = JSON.stringify(kept, null, 2) + "\n";
    saving = saving.then(() => write(directory, text)).catch((error) => {
      log.error(`Cannot keep addresses of names in "${directory}": ${error.message}`);
    });
  }

  return {
    addressOf: (host) => isIP(host) !== 0 ? host : entries.get(host)?.address ?? null,
    problemOf: (name) => entries.get(name)?.problem ?? `"${name}" is not resolved yet`,
    watch(hosts) {
      const wanted = new Set(hosts.filter((host) => isIP(host) === 0));
      for (const [name, { timer }] of entries) {
        if (wanted.has(name)) continue;
        timer?.[Symbol.dispose]();
        entries.delete(name);
      }
      for (const name of wanted) {
        if (entries.has(name)) continue;
        const problem = `"${name}" is not resolved yet`;
        const entry: Entry = { address: kept[name] ?? null, problem, failures: 0, asked: false, timer: null };
        entries.set(name, entry);
        void ask(name, entry);
      }
    },
    settled: () => [...entries.values()].every(({ address, asked }) => address !== null || asked),
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { timer } of entries.values()) timer?.[Symbol.dispose]();
      await saving;
    },
  };
}

/** What an earlier run learnt; nothing where it cannot be read, for it is only the second best. */
async function readKept(directory: string): Promise<Record<string, string>> {
  try {
    const kept: unknown = JSON.parse(await Deno.readTextFile(`${directory}/${fileName}`));
    const entries = Object.entries(kept ?? {}).filter(([, address]) => isIP(String(address)) !== 0);
    return Object.fromEntries(entries) as Record<string, string>;
  } catch {
    return {};
  }
}

/** A crash leaves the old or the new file, never half of one. */
async function write(directory: string, text: string): Promise<void> {
  const path = `${directory}/${fileName}`;
  await Deno.writeTextFile(`${path}.new`, text, { mode: 0o640 });
  await Deno.rename(`${path}.new`, path);
}

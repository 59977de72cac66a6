/** Kernel settings under /proc/sys: read, changed for a time, and put back, also after a crash. */
import { identityOf, isAlive, type ProcessIdentity } from "./process_identity.ts";

/** The value of a setting, by its path below /proc/sys: "net/ipv4/conf/eth0/arp_ignore". @throws {Error} */
export function readSysctl(path: string): string {
  return Deno.readTextFileSync(`/proc/sys/${path}`).trimEnd();
}

/** @throws {Error} when the setting does not exist or this process may not write it. */
export function writeSysctl(path: string, value: string): void {
  try {
    Deno.writeTextFileSync(`/proc/sys/${path}`, value);
  } catch (cause) {
    throw new Error(`Cannot set ${path} to ${value}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/**
 * Settings that are changed for a time. What they were is remembered before the first change: in memory, and in a
 * file where one is named, so that the next run can restore what a killed one left.
 *
 * The file names its process: a successor that is started while it still drains must not pull the settings from under it.
 */
export class SysctlLedger {
  readonly #originals = new Map<string, string>();
  readonly #file: string | null;
  #claimed = false;

  /** `file: null` = restored by this process or not at all. */
  constructor(file: string | null) {
    this.#file = file;
  }

  /** Sets the value; the first call for a path remembers what it was. @throws {Error} */
  set(path: string, value: string): void {
    const now = readSysctl(path);
    if (!this.#originals.has(path)) {
      if (now === value) return;
      this.#originals.set(path, now);
      this.#save();
    }
    if (now !== value) writeSysctl(path, value);
  }

  /** Sets a number where it is smaller now. @throws {Error} */
  raise(path: string, value: number): void {
    if (Number(readSysctl(path)) < value) this.set(path, String(value));
  }

  /** Puts the paths that begin with `prefix` back. A setting that is gone (its interface is) is forgotten. */
  restore(prefix = ""): void {
    for (const [path, value] of this.#originals) {
      if (!path.startsWith(prefix)) continue;
      restoreOne(path, value);
      this.#originals.delete(path);
    }
    this.#save();
  }

  /** From here to `release` the file says that this process is at work, whether or not there is something to put back. */
  claim(): void {
    this.#claimed = true;
    this.#save();
  }

  /** Puts everything back. */
  release(): void {
    this.#claimed = false;
    this.restore();
  }

  /** The process id of another run that is alive and whose file it is; null = nobody's. */
  heldBy(): number | null {
    const { process } = readLedger(this.#file);
    return process !== null && process.pid !== Deno.pid && isAlive(process) ? process.pid : null;
  }

  /** When nobody holds it: puts back what a run that died had changed; the paths. */
  recover(): readonly string[] {
    if (this.#file === null) return [];
    const { process, settings } = readLedger(this.#file);
    // A pid of ours from before a reboot says nothing; what we wrote ourselves does.
    if (this.#claimed && process?.pid === Deno.pid) return [];
    for (const [path, value] of settings) restoreOne(path, value);
    removeFile(this.#file);
    return settings.map(([path]) => path);
  }

  #save(): void {
    // The other one needs its file as long as it lives; what we change meanwhile is restored by us or by nobody.
    if (this.#file === null || this.heldBy() !== null) return;
    if (this.#originals.size === 0 && !this.#claimed) return removeFile(this.#file);
    // Without the file a crash leaves the settings changed; that is no reason to refuse the move.
    try {
      const ledger: Ledger = { process: identityOf(Deno.pid), settings: [...this.#originals] };
      Deno.writeTextFileSync(this.#file, JSON.stringify(ledger));
    } catch {
      return;
    }
  }
}

function restoreOne(path: string, value: string): void {
  try {
    writeSysctl(path, value);
  } catch {
    // The interface is gone, and its settings with it.
  }
}

type Setting = readonly [path: string, value: string];

interface Ledger {
  readonly process: ProcessIdentity | null;
  readonly settings: readonly Setting[];
}

function readLedger(file: string | null): Ledger {
  let value: Partial<Record<keyof Ledger, unknown>> | null = null;
  try {
    if (file !== null) value = JSON.parse(Deno.readTextFileSync(file));
  } catch {
    // There is none, or a crash left half of one.
  }
  const { process, settings } = value ?? {};
  return {
    process: isIdentity(process) ? process : null,
    settings: Array.isArray(settings) ? settings.filter(isEntry) : [],
  };
}

function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== "object" || value === null) return false;
  const { pid, started } = value as Partial<ProcessIdentity>;
  return Number.isInteger(pid) && Number.isInteger(started);
}

/** Only ARP settings: a file that someone else wrote must not reach the rest of /proc/sys. */
function isEntry(value: unknown): value is Setting {
  return Array.isArray(value) && value.length === 2 && typeof value[1] === "string" &&
    typeof value[0] === "string" && /^net\/ipv4\/conf\/[^/]+\/arp_(ignore|announce)$/.test(value[0]);
}

function removeFile(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // It is not there: nothing was changed.
  }
}

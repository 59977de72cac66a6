/** Kernel settings under /proc/sys: read, changed for a time, and put back, also after a crash. */

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
 */
export class SysctlLedger {
  readonly #originals = new Map<string, string>();
  readonly #file: string | null;

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

  /** At start: puts back what a run that died had changed; the paths. */
  recover(): readonly string[] {
    if (this.#file === null) return [];
    const left = readLedger(this.#file);
    for (const [path, value] of left) restoreOne(path, value);
    removeFile(this.#file);
    return left.map(([path]) => path);
  }

  #save(): void {
    if (this.#file === null) return;
    if (this.#originals.size === 0) return removeFile(this.#file);
    // Without the file a crash leaves the settings changed; that is no reason to refuse the move.
    try {
      Deno.writeTextFileSync(this.#file, JSON.stringify([...this.#originals]));
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

function readLedger(file: string): readonly (readonly [string, string])[] {
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(file));
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch {
    return [];
  }
}

/** Only ARP settings: a file that someone else wrote must not reach the rest of /proc/sys. */
function isEntry(value: unknown): value is readonly [string, string] {
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

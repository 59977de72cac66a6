/** `tandem.lock`: which content of each plugin this cluster runs. The same file on both nodes, beside `tandem.yaml`. */

export interface LockedPlugin {
  /** As given to `plugin add`. */
  readonly source: string;
  /** "acme/pg-role". */
  readonly plugin: string;
  readonly version: string;
  readonly sha256: string;
  /** What it asked for, as `plugin add` showed it, so that an upgrade can show what changed. Absent in older files. */
  readonly asks?: readonly string[];
}

/** By the key that `plugins:` uses. */
export type Lock = Readonly<Record<string, LockedPlugin>>;

export const LOCK_FILE = "tandem.lock";

/** @throws {SyntaxError} when the file holds something else. */
export function parseLock(text: string): Lock {
  const value: unknown = JSON.parse(text);
  const plugins = typeof value === "object" && value !== null && "plugins" in value ? value.plugins : undefined;
  if (typeof plugins !== "object" || plugins === null) {
    throw new SyntaxError(`${LOCK_FILE} must hold { "plugins": { … } }`);
  }
  for (const [name, entry] of Object.entries(plugins)) {
    const wanted = ["source", "plugin", "version", "sha256"].every((key) => typeof entry?.[key] === "string");
    if (!wanted) throw new SyntaxError(`${LOCK_FILE}: "${name}" must hold source, plugin, version and sha256`);
    const { asks = [] } = entry as { asks?: unknown };
    if (!Array.isArray(asks) || asks.some((ask) => typeof ask !== "string")) {
      throw new SyntaxError(`${LOCK_FILE}: "asks" of "${name}" must be a list of sentences`);
    }
  }
  return plugins as Lock;
}

/** Sorted, so that two nodes that lock the same have the same file. */
export function formatLock(lock: Lock): string {
  const plugins = Object.fromEntries(Object.entries(lock).sort(([a], [b]) => a < b ? -1 : 1));
  return JSON.stringify({ version: 1, plugins }, null, 2) + "\n";
}

/** Nothing where there is no file. */
export async function readLock(path: string): Promise<Lock> {
  try {
    return parseLock(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

export async function writeLock(path: string, lock: Lock): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, formatLock(lock));
  await Deno.rename(`${path}.new`, path);
}

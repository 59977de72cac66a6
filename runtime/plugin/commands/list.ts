/** What is locked, and whether the files still are that. */
import { LOCK_FILE, type LockedPlugin, readLock } from "../lock.ts";
import { readSource, SourceError } from "../source.ts";

export interface Listed extends LockedPlugin {
  readonly name: string;
  /** How it differs from what was locked; null = it does not. */
  readonly drift: string | null;
}

/** Every entry of `tandem.lock` in the working directory. */
export async function lockedPlugins(): Promise<readonly Listed[]> {
  const lock = await readLock(LOCK_FILE);
  return await Promise.all(
    Object.entries(lock).map(async ([name, plugin]) => ({ name, ...plugin, drift: await driftOf(plugin) })),
  );
}

async function driftOf({ source, sha256 }: LockedPlugin): Promise<string | null> {
  try {
    const now = await readSource(source);
    return now.sha256 === sha256 ? null : `CHANGED: ${now.manifest.version}, sha256 ${now.sha256}`;
  } catch (error) {
    // Whatever is wrong with one of them, the others are still what the operator asked for.
    const why = error instanceof Error ? error.message : String(error);
    return `CANNOT BE READ: ${error instanceof SourceError ? error.problems.join("; ") : why}`;
  }
}

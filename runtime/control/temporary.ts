/**
 * Directories under the system's temporary one that live as long as this process. What a node left that was killed is removed
 * by the next that needs one.
 */

/** Held by whoever uses the directory: a crash gives it back. */
const LOCK = "lock";

export interface Temporary extends Disposable {
  readonly path: string;
}

/** Makes one whose name begins with `prefix`, and removes those of that name that nobody uses. */
export function openTemporary(prefix: string): Temporary {
  sweep(Deno.env.get("TMPDIR") || "/tmp", prefix);
  const path = Deno.makeTempDirSync({ prefix });
  const lock = Deno.openSync(`${path}/${LOCK}`, { createNew: true, write: true, mode: 0o600 });
  lock.lockSync(true);
  return {
    path,
    [Symbol.dispose]() {
      try {
        Deno.removeSync(path, { recursive: true });
      } catch {
        // Another process removes what it made there.
      }
      lock.close();
    },
  };
}

/**
 * Removes what nodes left that were killed: directories that are ours by name and owner, and whose lock nobody holds. One
 * without a lock is being made, or is none of ours; where anybody may write, a name alone proves nothing.
 */
function sweep(directory: string, prefix: string): void {
  for (const name of namesIn(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = `${directory}/${name}`;
    try {
      const { isDirectory, uid } = Deno.lstatSync(path);
      if (!isDirectory || uid !== Deno.uid() || !Deno.lstatSync(`${path}/${LOCK}`).isFile) continue;
      using lock = Deno.openSync(`${path}/${LOCK}`, { write: true });
      if (lock.tryLockSync(true)) Deno.removeSync(path, { recursive: true });
    } catch {
      // It is not ours to open, or somebody else removes it now.
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Where plugins are on this machine: their code where every uid can read it, and their memory where only we can. */

const PREFIX = "tandem-plugins-";
/** Held by whoever uses the directory: a crash gives it back. */
const LOCK = "lock";

export class PluginPlace implements AsyncDisposable {
  private constructor(
    /** Holds what plugins run from. */
    readonly code: string,
    /** Holds a file for each plugin that has a store. */
    readonly stores: string,
    private readonly temporary: Temporary | null,
  ) {}

  /** @param stateDirectory null = nothing is kept */
  static async open(stateDirectory: string | null): Promise<PluginPlace> {
    await sweep(Deno.env.get("TMPDIR") || "/tmp");
    const reachable = stateDirectory !== null && await isOpenToAll(stateDirectory);
    const temporary = reachable ? null : await makeTemporary();
    const code = temporary?.path ?? `${stateDirectory}/plugins`;
    await Deno.mkdir(code, { recursive: true, mode: 0o755 });
    await Deno.chmod(code, 0o755);
    const stores = `${stateDirectory ?? temporary?.path}/plugin-stores`;
    await Deno.mkdir(stores, { recursive: true, mode: 0o700 });
    return new PluginPlace(code, stores, temporary);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.temporary === null) return;
    await Deno.remove(this.temporary.path, { recursive: true }).catch(() => {});
    this.temporary.lock.close();
  }
}

interface Temporary {
  readonly path: string;
  readonly lock: Deno.FsFile;
}

async function makeTemporary(): Promise<Temporary> {
  const path = await Deno.makeTempDir({ prefix: PREFIX });
  const lock = await Deno.open(`${path}/${LOCK}`, { createNew: true, write: true, mode: 0o600 });
  await lock.lock(true);
  return { path, lock };
}

/**
 * Removes what nodes left that were killed: directories that are ours by name and owner, and whose lock nobody holds. One
 * without a lock is being made, or is none of ours; where anybody may write, a name alone proves nothing.
 */
async function sweep(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = `${directory}/${name}`;
    try {
      const { isDirectory, uid } = await Deno.lstat(path);
      if (!isDirectory || uid !== Deno.uid() || !(await Deno.lstat(`${path}/${LOCK}`)).isFile) continue;
      using lock = await Deno.open(`${path}/${LOCK}`, { write: true });
      if (await lock.tryLock(true)) await Deno.remove(path, { recursive: true });
    } catch {
      // It is not ours to open, or somebody else removes it now.
    }
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Whether a process of another uid can come to what is in `path`. Without root there is no other uid. */
async function isOpenToAll(path: string): Promise<boolean> {
  if (Deno.uid() !== 0) return true;
  const steps = (await Deno.realPath(path)).split("/");
  for (let depth = steps.length; depth > 1; depth--) {
    const { mode } = await Deno.stat(steps.slice(0, depth).join("/"));
    if (mode !== null && (mode & 0o001) === 0) return false;
  }
  return true;
}

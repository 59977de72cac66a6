/**
 * Deno's cache for another uid: the one we run from cannot be written by it, often not even be read. Its packages are
 * given to it as links to the same files, so that nothing is fetched and nothing is stored twice.
 */

/** Where the Deno that runs us keeps its cache. */
function ownCache(): string {
  const { DENO_DIR, XDG_CACHE_HOME, HOME = "/root" } = Deno.env.toObject();
  return DENO_DIR || `${XDG_CACHE_HOME || `${HOME}/.cache`}/deno`;
}

/** "hono@4.13.19" and "@a/b@1.0.0_c@2.0.0" to name and version; the text of deno.lock to all of its npm packages. */
export function lockedPackages(lock: string): { readonly name: string; readonly version: string }[] {
  const { npm = {} } = JSON.parse(lock) as { npm?: Record<string, unknown> };
  return Object.keys(npm).map((key) => {
    const at = key.indexOf("@", 1);
    return { name: key.slice(0, at), version: key.slice(at + 1).split("_")[0] };
  });
}

/**
 * Makes `path` a cache for `uid` that holds the packages in the deno.lock beside `main`. What is there already stays.
 *
 * @throws {Error} when a package cannot be given to it.
 */
export function prepareCache(path: string, ids: { readonly uid: number; readonly gid: number }, main: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  Deno.chownSync(path, ids.uid, ids.gid);
  const lock = readLock(main);
  // A bundle has its packages in itself.
  if (lock === null) return;
  const from = `${ownCache()}/npm`;
  const registries = [...Deno.readDirSync(from)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  for (const { name, version } of lockedPackages(lock)) {
    const registry = registries.find((one) => exists(`${from}/${one}/${name}/${version}`));
    if (registry === undefined) throw new Error(`Deno's cache "${from}" has no package ${name}@${version}`);
    const folder = `npm/${registry}/${name}`;
    if (exists(`${path}/${folder}/${version}`)) continue;
    Deno.mkdirSync(`${path}/${folder}`, { recursive: true, mode: 0o755 });
    if (exists(`${from}/${registry}/${name}/registry.json`)) {
      give(`${from}/${registry}/${name}/registry.json`, `${path}/${folder}/registry.json`);
    }
    // Complete under its name or not at all: a crash half-way is made good at the next start.
    const unfinished = `${path}/${folder}/${version}.new`;
    if (exists(unfinished)) Deno.removeSync(unfinished, { recursive: true });
    giveTree(`${from}/${registry}/${name}/${version}`, unfinished);
    Deno.renameSync(unfinished, `${path}/${folder}/${version}`);
  }
}

function readLock(main: string): string | null {
  try {
    return Deno.readTextFileSync(new URL("./deno.lock", main));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function giveTree(from: string, to: string): void {
  Deno.mkdirSync(to, { mode: 0o755 });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) giveTree(`${from}/${name}`, `${to}/${name}`);
    else give(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A second name for a file that everybody may read, else a copy. */
function give(from: string, to: string): void {
  if (exists(to)) return;
  if (((Deno.statSync(from).mode ?? 0) & 0o4) !== 0) {
    try {
      return Deno.linkSync(from, to);
    } catch {
      // Another file system.
    }
  }
  Deno.copyFileSync(from, to);
  Deno.chmodSync(to, 0o644);
}

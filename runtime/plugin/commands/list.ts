/** `plugin list`: what is locked, and whether the files still are that. */
import { LOCK_FILE, readLock } from "../lock.ts";
import { readSource, SourceError } from "../source.ts";
import { say, words } from "./terminal.ts";

/** Exit code 1 where something is not what was locked. */
export async function run(args: readonly string[]): Promise<number> {
  words(args, {}, [0, 0]);
  const lock = await readLock(LOCK_FILE);
  if (Object.keys(lock).length === 0) say(`${LOCK_FILE} holds no plugins`);
  let drifted = 0;
  for (const [name, { source, plugin, version, sha256 }] of Object.entries(lock)) {
    let state = "as locked";
    try {
      const now = await readSource(source);
      if (now.sha256 !== sha256) state = `CHANGED: ${now.manifest.version}, sha256 ${now.sha256}`;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      state = `CANNOT BE READ: ${error.problems.join("; ")}`;
    }
    if (state !== "as locked") drifted++;
    say(`${name}  ${plugin} ${version}  ${source}  ${state}`);
  }
  return drifted === 0 ? 0 : 1;
}

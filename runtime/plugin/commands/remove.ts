/** `plugin remove`: out of tandem.lock. The files are the operator's and stay. */
import { LOCK_FILE, readLock, writeLock } from "../lock.ts";
import { CommandFailed, say, words } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { positionals: [name] } = words(args, {}, [1, 1]);
  const lock = { ...await readLock(LOCK_FILE) };
  if (!Object.hasOwn(lock, name)) throw new CommandFailed(`${LOCK_FILE} holds no plugin "${name}"`);
  delete lock[name];
  await writeLock(LOCK_FILE, lock);
  say(`"${name}" is out of ${LOCK_FILE}; take it out of plugins: too`);
  return 0;
}

/** `plugin add`: shows what a plugin asks for, and locks its content. Nothing is fetched at any other time. */
import { LOCK_FILE, type LockedPlugin, readLock, writeLock } from "../lock.ts";
import { type PluginSource, readSource } from "../source.ts";
import { fetched } from "./archive.ts";
import { asksOf, changedAsks, grantLines } from "./asks.ts";
import { say, UsageError, words } from "./terminal.ts";

/** What `plugins:` takes for a key. */
const NAME = /^(?!\d+(\.\d+)*$)(?!__proto__$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals: [given] } = words(args, { name: { type: "string" } }, [1, 1]);
  if (values.name !== undefined) assertName(values.name);
  const lock = await readLock(LOCK_FILE);
  const path = await fetched(given, lock);
  const source = await readSource(path);
  const { manifest, sha256 } = source;
  const name = values.name ?? manifest.name.split("/")[1];
  assertName(name);
  const asks = asksOf(manifest);
  say(describe(source, asks));
  if (Object.hasOwn(lock, name)) say(describeChange(lock[name], source, asks));
  const entry = { source: path, plugin: manifest.name, version: manifest.version, sha256, asks };
  await writeLock(LOCK_FILE, { ...lock, [name]: entry });
  say(`\nLocked in ${LOCK_FILE}. Grant what you agree to, in tandem.yaml:\n\n${grantLines(name, path, manifest)}`);
  if (!await Deno.stat("tandem.yaml").then(() => true, () => false)) {
    say(`\nThere is no tandem.yaml here: ${LOCK_FILE} belongs beside it, and sources are relative to it.`);
  }
  return 0;
}

/** @throws {UsageError} when `plugins:` could not hold it */
function assertName(name: string): void {
  if (NAME.test(name)) return;
  throw new UsageError(
    `${JSON.stringify(name)} must be a name of letters, digits, "_", "." and "-", and no number: give one with --name`,
  );
}

function describe({ manifest, sha256, files }: PluginSource, asks: readonly string[]): string {
  const { name, version, kind, publisher } = manifest;
  return [
    `${name} ${version}: ${kind} by ${publisher.name}, ${publisher.license ?? "no license named"}`,
    `${files.size} files, sha256 ${sha256}`,
    "It asks for:",
    ...asks.map((ask) => `  ${ask}`),
  ].join("\n");
}

/** What an operator who agreed to the one before has to look at. */
function describeChange(before: LockedPlugin, { manifest, sha256 }: PluginSource, asks: readonly string[]): string {
  if (before.sha256 === sha256) return "It is locked already, with the same content.";
  const title = `Before: ${before.plugin} ${before.version}, sha256 ${before.sha256}`;
  const another = before.plugin === manifest.name ? [] : [`  IT IS ANOTHER PLUGIN: ${manifest.name}`];
  if (before.asks === undefined) return [title, ...another, "  what that asked for is not recorded"].join("\n");
  const changes = changedAsks(before.asks, asks);
  return [title, ...another, ...(changes.length > 0 ? changes : ["  it asks for the same"])].join("\n");
}

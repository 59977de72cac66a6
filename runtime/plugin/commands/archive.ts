/** Plugins that come as archives: packages are fetched with the operator's own npm settings, and unpacked beside the lock. */
import type { Lock } from "../lock.ts";
import { readSource } from "../source.ts";
import { readTar } from "../tar.ts";
import { CommandFailed } from "./terminal.ts";

const ARCHIVE = /\.(tgz|tar\.gz)$/;

/**
 * A path that can be read: an archive's is the directory that was made of it, any other is `given` itself.
 *
 * @throws {CommandFailed} when it cannot be fetched or unpacked, or its directory is somebody else's
 * @throws {SourceError} when it holds no plugin
 */
export async function fetched(given: string, lock: Lock): Promise<string> {
  if (given.startsWith("npm:")) {
    const archive = await npmPack(given.slice("npm:".length));
    try {
      return await unpacked(archive, lock);
    } finally {
      await Deno.remove(archive);
    }
  }
  return ARCHIVE.test(given) ? await unpacked(given, lock) : given;
}

async function npmPack(specifier: string): Promise<string> {
  if (!/^(@[\w.-]+\/)?[\w.-]+(@[\w.^~<>=*+-]+)?$/.test(specifier) || specifier.startsWith("-")) {
    throw new CommandFailed(`"npm:${specifier}" must be npm:NAME or npm:NAME@VERSION`);
  }
  const output = await command(["npm", "pack", "--json", "--ignore-scripts", specifier]);
  const [{ filename }] = JSON.parse(output) as { filename: string }[];
  return filename;
}

/** Unpacks beside its place first: what was there before goes only when all of the new is there. */
async function unpacked(archive: string, lock: Lock): Promise<string> {
  const directory = archive.split("/").at(-1)!.replace(ARCHIVE, "");
  const place = `./${directory}`;
  const ours = Object.values(lock).some(({ source }) => source === place);
  if (!ours && await exists(place)) {
    throw new CommandFailed(
      `Cannot unpack "${archive}": "${place}" exists, and is of no plugin in the lock; move it away`,
    );
  }
  const fresh = `${place}.new`;
  await Deno.remove(fresh, { recursive: true }).catch(() => {});
  await Deno.mkdir(fresh);
  try {
    await unpackInto(archive, fresh);
    await readSource(fresh);
    await Deno.remove(place, { recursive: true }).catch(() => {});
    await Deno.rename(fresh, place);
  } catch (error) {
    await Deno.remove(fresh, { recursive: true }).catch(() => {});
    throw error;
  }
  return place;
}

/** What the archive says about owners and modes is of no interest. */
async function unpackInto(archive: string, directory: string): Promise<void> {
  let files: ReadonlyMap<string, Uint8Array>;
  try {
    const { readable } = await Deno.open(archive);
    files = await readTar(readable.pipeThrough(new DecompressionStream("gzip")));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandFailed(`Cannot unpack "${archive}": it ${reason}`, { cause });
  }
  for (const [path, bytes] of files) {
    await Deno.mkdir(`${directory}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(`${directory}/${path}`, bytes, { createNew: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

async function command([path, ...args]: readonly string[]): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(path, { args: [...args], stdin: "null" }).output();
  } catch (cause) {
    throw new CommandFailed(`Cannot run "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const decoder = new TextDecoder();
  if (!output.success) throw new CommandFailed(`"${path}" failed: ${decoder.decode(output.stderr).trim()}`);
  return decoder.decode(output.stdout);
}

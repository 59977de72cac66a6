/**
 * The files of a plugin: read from its directory or its packed file, named by their content, and put where only they can be
 * read. What runs is what was read: a file that changes later changes nothing until the next reload.
 */
import { contentHash, placeFiles } from "./kit.ts";
import { decodeManifest, formatManifestProblem, type Manifest } from "./manifest.ts";
import { plainLine } from "./output.ts";
import { isInside, isPacked, MOST_BYTES, MOST_FILES, unpack } from "./pack.ts";

/** A plugin as read, before anything of it has run. */
export interface PluginSource {
  readonly manifest: Manifest;
  /** SHA-256 over its files, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Why a source cannot be used: every problem, each with its file and line. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  constructor(readonly source: string, readonly problems: readonly string[]) {
    super(`Cannot use the plugin in "${source}": ${problems.join("; ")}`);
  }
}

const MANIFEST = "plugin.yaml";
/** Left out: what belongs to the author's work and not to the plugin. */
const LEFT_OUT = new Set(["node_modules", "deno.lock", "dist"]);

/**
 * Reads the plugin at `path`, a directory or what `plugin pack` made of one.
 *
 * @throws {SourceError} when it is none, is too large, or its manifest is wrong.
 */
export async function readSource(path: string): Promise<PluginSource> {
  return sourceOf(path, await readFiles(path));
}

/**
 * The plugin that `files` are.
 *
 * @param path what its problems name
 * @throws {SourceError} when they are none
 */
export function sourceOf(path: string, files: ReadonlyMap<string, Uint8Array>): PluginSource {
  const manifestText = files.get(MANIFEST);
  if (!manifestText) throw new SourceError(path, [`${path}: has no ${MANIFEST}`]);
  const { manifest, problems } = decodeManifest(new TextDecoder().decode(manifestText));
  if (!manifest) {
    throw new SourceError(path, problems.map((problem) => formatManifestProblem(`${path}/${MANIFEST}`, problem)));
  }
  if (!files.has(manifest.entry)) {
    throw new SourceError(path, [`${path}/${MANIFEST}: entry: there is no "${manifest.entry}"`]);
  }
  return { manifest, sha256: contentHash(files), files };
}

/** Puts the files under `directory`, by their hash, and tells where. */
export function placeSource(source: PluginSource, directory: string): string {
  const place = `${directory}/${source.sha256}`;
  try {
    Deno.statSync(place);
  } catch {
    placeFiles(place, source.files);
  }
  return place;
}

async function readFiles(path: string): Promise<Map<string, Uint8Array>> {
  let stat: Deno.FileInfo;
  try {
    stat = await Deno.stat(path);
  } catch (cause) {
    throw new SourceError(path, [`${path}: cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
  if (stat.isDirectory) {
    const files = new Map<string, Uint8Array>();
    await walk(path, "", files, { bytes: 0 });
    return files;
  }
  // A device or a FIFO would be read for ever.
  if (!stat.isFile) throw new SourceError(path, [`${path}: is neither a directory nor a file`]);
  if (stat.size > MOST_BYTES) throw new SourceError(path, [`${path}: is larger than ${MOST_BYTES / 2 ** 20} MiB`]);
  try {
    return unpack(await Deno.readFile(path));
  } catch (cause) {
    throw new SourceError(path, [`${path}: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
}

/** Such a file could neither be packed nor, as a module, be loaded. */
function misnamed(path: string): string {
  return `${plainLine(path)}: must be named with A-Z, a-z, 0-9, "_", "-", "+", "@" and "." to be a file of a plugin`;
}

async function walk(
  top: string,
  below: string,
  files: Map<string, Uint8Array>,
  total: { bytes: number },
): Promise<void> {
  for await (const entry of Deno.readDir(`${top}/${below}`)) {
    if (entry.name.startsWith(".") || LEFT_OUT.has(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory) {
      if (!isInside(entry.name)) throw new SourceError(top, [misnamed(`${top}/${path}`)]);
      await walk(top, path, files, total);
      continue;
    }
    // A link could lead out of the plugin, to what only we may read.
    if (entry.isSymlink) throw new SourceError(top, [`${top}/${path}: is a link, and a plugin may hold none`]);
    if (!entry.isFile) {
      throw new SourceError(top, [`${top}/${path}: is a FIFO, a socket or a device, and a plugin may hold none`]);
    }
    if (!isInside(entry.name)) throw new SourceError(top, [misnamed(`${top}/${path}`)]);
    const large = (bytes: number) => files.size >= MOST_FILES || total.bytes + bytes > MOST_BYTES;
    const excess = `${top}: has more than ${MOST_FILES} files or ${MOST_BYTES / 2 ** 20} MiB`;
    if (large((await Deno.lstat(`${top}/${path}`)).size)) throw new SourceError(top, [excess]);
    const bytes = await Deno.readFile(`${top}/${path}`);
    // What plugin pack made here before is no part of what it makes now.
    if (isPacked(bytes)) continue;
    total.bytes += bytes.length;
    files.set(path, bytes);
  }
}

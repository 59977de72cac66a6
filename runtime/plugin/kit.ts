/**
 * What the process of a plugin runs before plugin code, as files that a uid without any rights can read: the confinement,
 * the host, and the SDK, which `tandem/plugin` resolves to. A compiled binary carries them itself.
 */
import { createHash } from "node:crypto";
import { scriptOf, scriptsOf } from "./kit_scripts.ts";
import { HOST_ENTRY, KIT_FILES, SDK_ENTRY, STAGE_ENTRY, TEST_ENTRY } from "./kit_files.ts";

export interface Kit {
  /** Readable to everyone; null when the program is a compiled binary. */
  readonly directory: string | null;
  /** Stage 1, to which the stage as JSON is to be added. */
  readonly command: { readonly path: string; readonly args: readonly string[] };
  /** Stage 2: its module, from `directory`; only arguments where the program is a binary. */
  readonly entry: readonly string[];
}

/** What a kind of plugin needs beside the kit of all: its own host, and packages that plugin code may import. */
export interface KitAddition {
  /** By path from the top of the kit. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths from the top of the kit by what is written in an import: "./hono/index.js" by "hono". */
  readonly imports: Readonly<Record<string, string>>;
  /** What an author's types are checked with in their place. */
  readonly types: Readonly<Record<string, string>>;
  /** Where stage 2 begins. */
  readonly entry: string;
}

/** Where it is written how `tandem/plugin` is resolved, from the kit's directory: for those who want types, and for stage 2. */
export const IMPORTS = "imports.json", RUN_IMPORTS = "run.json";

/**
 * Puts the kit under `directory`, once for each content.
 *
 * @throws {Deno.errors.PermissionDenied} when `directory` cannot be written.
 */
export function installKit(
  directory: string,
  addition: KitAddition | null = null,
  standalone = Deno.build.standalone,
): Kit {
  const path = Deno.execPath();
  if (standalone) {
    return { directory: null, command: { path, args: ["role", "plugin"] }, entry: ["role", "plugin-host"] };
  }
  const sources = { ...KIT_FILES, ...addition?.files };
  const own = { "tandem/plugin": `./${SDK_ENTRY}`, "tandem/plugin/test": `./${TEST_ENTRY}` };
  const imports = { ...addition?.imports, ...own };
  const texts = { ...sources, [IMPORTS]: JSON.stringify({ imports }) };
  const kit = `${directory}/${contentHash(encoded({ ...texts, "deno.txt": Deno.version.deno })).slice(0, 32)}`;
  if (!exists(kit)) placeFiles(kit, encoded({ ...texts, ...runFiles(sources, imports) }));
  const run = exists(`${kit}/${scriptOf(STAGE_ENTRY)}`) ? scriptOf : (file: string) => file;
  const flags = ["run", "-A", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--quiet"];
  return {
    directory: kit,
    command: { path, args: [...flags, `${kit}/${run(STAGE_ENTRY)}`] },
    entry: [run(addition?.entry ?? HOST_ENTRY)],
  };
}

/** The same as JavaScript where that can be had, and where it is. */
function runFiles(sources: Readonly<Record<string, string>>, imports: Readonly<Record<string, string>>) {
  const scripts = scriptsOf(sources);
  const run = scripts === null ? (file: string) => file : scriptOf;
  const resolved = Object.fromEntries(Object.entries(imports).map(([name, file]) => [name, run(file)]));
  return { ...scripts, [RUN_IMPORTS]: JSON.stringify({ imports: resolved }) };
}

function encoded(texts: Readonly<Record<string, string>>): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  return new Map(Object.entries(texts).map(([file, text]) => [file, encoder.encode(text)]));
}

/** SHA-256 over paths and contents, in the order of the paths, each with its length so that nothing can be moved. */
export function contentHash(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const path of [...files.keys()].sort()) {
    const bytes = files.get(path)!;
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Writes the files beside their place and renames them into it, so that nobody ever meets half of them. */
export function placeFiles(directory: string, files: ReadonlyMap<string, Uint8Array>): void {
  const draft = `${directory}.${crypto.randomUUID()}`;
  for (const [path, bytes] of files) {
    const target = `${draft}/${path}`;
    const parent = target.slice(0, target.lastIndexOf("/"));
    Deno.mkdirSync(parent, { recursive: true });
    Deno.writeFileSync(target, bytes);
    // The mode given at creation is cut by the umask; the plugin's uid must be able to read and search.
    Deno.chmodSync(target, 0o444);
  }
  makeSearchable(draft);
  try {
    Deno.renameSync(draft, directory);
  } catch (error) {
    Deno.removeSync(draft, { recursive: true });
    if (!exists(directory)) throw error; // otherwise another process was faster, with the same content
  }
}

function makeSearchable(directory: string): void {
  Deno.chmodSync(directory, 0o755);
  for (const entry of Deno.readDirSync(directory)) if (entry.isDirectory) makeSearchable(`${directory}/${entry.name}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

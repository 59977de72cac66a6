/**
 * What stage 2 runs: the host of plugins, as files that a uid without any rights can read.
 *
 * From source these are copies of the host's own modules; from a bundle, of the bundle; a compiled binary carries them
 * itself. `tandem/plugin` resolves to the SDK in the same place, so a plugin needs no packages of its own to be found.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

export interface Kit {
  /** Readable to everyone; null when the program is a compiled binary. */
  readonly directory: string | null;
  /** The module, from `directory`, and its arguments; only arguments where the program is a binary. */
  readonly entry: readonly string[];
}

/** Where `kit.ts` is from the top of the sources. */
const OWN_PATH = "runtime/plugin/kit.ts";

/** The host and the SDK, from the top of the sources: everything `host/main.ts` imports. */
export const KIT_FILES = [
  "plugins/contract.ts",
  "plugins/declaration.ts",
  "runtime/plugin/frame.ts",
  "runtime/plugin/protocol.ts",
  "runtime/plugin/host/asking.ts",
  "runtime/plugin/host/authored.ts",
  "runtime/plugin/host/capabilities.ts",
  "runtime/plugin/host/context.ts",
  "runtime/plugin/host/host.ts",
  "runtime/plugin/host/main.ts",
  "runtime/plugin/host/pipe.ts",
] as const;

/** The hidden sub-commands that are stage 1 and stage 2, where one program holds all. */
const STAGE_ROLE = ["role", "plugin"] as const, HOST_ROLE = ["role", "plugin-host"] as const;

export interface Form {
  readonly standalone: boolean;
  /** URL of the module that runs. */
  readonly main: string;
  /** URL of this module. */
  readonly here: string;
}

/** Source files, one bundle, or a compiled binary. */
export function formOf({ standalone, main, here }: Form): { kind: "binary" } | { kind: "bundle"; file: string } | {
  kind: "source";
  top: string;
} {
  if (standalone) return { kind: "binary" };
  const path = fileURLToPath(here);
  if (path.endsWith(`/${OWN_PATH}`)) return { kind: "source", top: path.slice(0, -OWN_PATH.length) };
  return { kind: "bundle", file: fileURLToPath(main) };
}

/** The command that is stage 1; its last argument, the stage as JSON, is to be added. */
export function stageCommand(form: Form = thisProgram()): { readonly path: string; readonly args: readonly string[] } {
  const found = formOf(form);
  const path = Deno.execPath();
  if (found.kind === "binary") return { path, args: [...STAGE_ROLE] };
  const flags = ["run", "-A", "--no-config", "--no-lock", "--no-npm", "--quiet"];
  // From source the role's own module starts sooner than all of the command line.
  if (found.kind === "source") return { path, args: [...flags, `${found.top}runtime/roles/plugin.ts`] };
  return { path, args: [...flags, found.file, ...STAGE_ROLE] };
}

function thisProgram(): Form {
  return { standalone: Deno.build.standalone, main: Deno.mainModule, here: import.meta.url };
}

/**
 * Puts the kit under `directory`, once for each content.
 *
 * @throws {Deno.errors.PermissionDenied} when `directory` cannot be written.
 */
export function installKit(directory: string, form: Form = thisProgram()): Kit {
  const found = formOf(form);
  if (found.kind === "binary") return { directory: null, entry: [...HOST_ROLE] };
  const files = new Map<string, Uint8Array>();
  if (found.kind === "bundle") files.set("mod.js", Deno.readFileSync(found.file));
  else for (const file of KIT_FILES) files.set(file, Deno.readFileSync(found.top + file));
  const sdk = found.kind === "bundle" ? "./mod.js" : "./plugins/contract.ts";
  const map = JSON.stringify({ imports: { "tandem/plugin": sdk } });
  files.set("imports.json", new TextEncoder().encode(map));
  const kit = `${directory}/${contentName(files)}`;
  if (!exists(kit)) placeFiles(kit, files);
  const entry = found.kind === "bundle" ? ["mod.js", ...HOST_ROLE] : ["runtime/plugin/host/main.ts"];
  return { directory: kit, entry };
}

/** A name that says what is in the files: 32 hexadecimal digits of a SHA-256 over paths and contents. */
export function contentName(files: ReadonlyMap<string, Uint8Array>): string {
  return contentHash(files).slice(0, 32);
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

/**
 * Whether the modules that routes name as applications can be loaded, found out without running any of them: they are there,
 * and they and what they import parse.
 */
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";

/** One entry of `deno info --json`. */
interface Module {
  readonly specifier: string;
  readonly error?: string;
}

/** Why the module at `path` cannot be loaded; null where nothing is known against it. */
export async function appFileProblem(path: string): Promise<string | null> {
  try {
    const { isFile } = await Deno.stat(path);
    if (!isFile) return `"${path}" is no file`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `"${path}" does not exist`;
    return `"${path}" cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  const broken = (await modulesOf(path)).find(({ specifier, error }) => error && specifier.startsWith("file:"));
  return broken === undefined ? null : `"${path}" does not load: ${sentence(broken)}`;
}

/** The module and what it imports of files; nothing where this program is a binary without Deno. */
async function modulesOf(path: string): Promise<readonly Module[]> {
  if (Deno.build.standalone) return [];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config", "--no-lock", "--no-npm", "--no-remote", path],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  if (!success) return [];
  return (JSON.parse(new TextDecoder().decode(stdout)) as { readonly modules: readonly Module[] }).modules;
}

/** "SyntaxError: Expression expected (/etc/tandem/door.ts:3:9)": what, and where, without the source between them. */
function sentence({ error = "" }: Module): string {
  const lines = error.split("\n").map((line) => line.trim());
  const place = lines.find((line) => line.startsWith("at file://"))?.slice("at file://".length);
  return `${lines[0].replaceAll("file://", "").replace(/\.$/, "")}${place === undefined ? "" : ` (${place})`}`;
}

/** A relative import, static or not. */
const RELATIVE = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])(\.{1,2}\/[^"'\n]+)\1/g;
const MOST_FILES = 1000;

/** SHA-256 over the module at `path` and the files that it imports; what cannot be read counts as nothing. */
export async function contentOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const found = new Set([path]);
  for (const file of found) {
    const text = await Deno.readTextFile(file).catch(() => "");
    hash.update(`${file}\0${text}\0`);
    if (found.size > MOST_FILES || !/\.[mc]?[jt]sx?$/.test(file)) continue;
    for (const [, , specifier] of text.matchAll(RELATIVE)) found.add(resolve(dirname(file), specifier));
  }
  return hash.digest("hex");
}

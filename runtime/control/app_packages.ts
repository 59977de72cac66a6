/**
 * The packages that applications may import without having them: `hono` and what is under it. They come from inside the
 * program: run from source, it has the package's files; as a bundle, it is the package, and modules that only name what it
 * exports stand for it.
 */
import { CARRIED, carried, carriedNames } from "../app/carried.ts";
import { KIT_FILES, SDK_ENTRY, SDK_FILES } from "../plugin/kit_files.ts";

export interface Packages {
  /** Modules by path from the top of wherever they are put. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths by specifier: "./packages/hono/dist/index.js" by "hono". */
  readonly imports: Readonly<Record<string, string>>;
  /** What stands for them where types are checked; empty where nobody knows their types. */
  readonly types: Readonly<Record<string, string>>;
}

const TOP = "packages";
const PROGRAM = `${TOP}/program.js`;

/** For processes that this program does not run in. */
export async function packages(): Promise<Packages> {
  const source = sourceOfHono();
  if (source !== null) return await copied(source);
  const { files, imports } = await named(`import { carried } from "./program.js";`);
  return { files: { ...files, [PROGRAM]: await Deno.readTextFile(new URL(Deno.mainModule)) }, imports, types: {} };
}

/**
 * Options of Deno by which a process of this program finds what its application imports; none where it finds them anyway.
 *
 * @param directory where modules are put that only name what the program exports
 */
export async function importFlags(directory: string): Promise<readonly string[]> {
  if (Deno.build.standalone || sourceOfHono() !== null) return [];
  const { files, imports } = await named(`const carried = globalThis[Symbol.for("${CARRIED.description}")];`);
  const sdk = Object.fromEntries(SDK_FILES.map((path) => [path, KIT_FILES[path]]));
  const map = `${directory}/imports.json`;
  for (const [path, text] of Object.entries({ ...files, ...sdk })) {
    await Deno.mkdir(`${directory}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${directory}/${path}`, text);
  }
  await Deno.writeTextFile(map, JSON.stringify({ imports: { ...imports, "tandem/plugin": `./${SDK_ENTRY}` } }));
  return [`--import-map=${map}`];
}

interface Source {
  readonly directory: string;
  readonly version: string;
}

/** Where Deno keeps the package; null in a bundle, which has no import map. */
function sourceOfHono(): Source | null {
  let entry: string;
  try {
    entry = import.meta.resolve("hono");
  } catch {
    return null;
  }
  const [, directory, version] = /^file:\/\/(.*\/(\d+\.\d+\.\d+[^/]*))\/dist\/index\.js$/.exec(entry) ?? [];
  return directory === undefined ? null : { directory: decodeURIComponent(directory), version };
}

async function copied({ directory, version }: Source): Promise<Packages> {
  const files: Record<string, string> = {};
  await readModules(directory, "dist", files);
  const { exports } = JSON.parse(await Deno.readTextFile(`${directory}/package.json`)) as {
    readonly exports: Readonly<Record<string, { readonly import?: string }>>;
  };
  const found = Object.entries(exports).flatMap(([name, { import: path }]) =>
    path === undefined || name.includes("*") ? [] : [[name.slice(1), path.slice(1)] as const]
  );
  return {
    files,
    imports: Object.fromEntries(found.map(([name, path]) => [`hono${name}`, `./${TOP}/hono${path}`])),
    types: Object.fromEntries(found.map(([name]) => [`hono${name}`, `npm:hono@${version}${name}`])),
  };
}

/** Modules only: neither their CommonJS copies nor their types are run. */
async function readModules(top: string, below: string, files: Record<string, string>): Promise<void> {
  const reading: Promise<void>[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${top}/${below}`)) {
    const path = `${below}/${name}`;
    if (isDirectory && name !== "cjs" && name !== "types") reading.push(readModules(top, path, files));
    else if (name.endsWith(".js")) {
      reading.push(Deno.readTextFile(`${top}/${path}`).then((text) => void (files[`${TOP}/hono/${path}`] = text)));
    }
  }
  await Promise.all(reading);
}

/** A module for each package, with the names that it exports. @param first says where `carried` comes from */
async function named(first: string): Promise<Omit<Packages, "types">> {
  const made = await Promise.all(carriedNames.map(async (name) => {
    const lines = Object.keys(await carried(name)).map((one) =>
      one === "default" ? "export default it.default;" : `export const ${one} = it.${one};`
    );
    const text = [first, `const it = await carried("${name}");`, ...lines].join("\n");
    return { name, path: `${TOP}/${name.replace("/", "_")}.js`, text };
  }));
  return {
    files: Object.fromEntries(made.map(({ path, text }) => [path, text])),
    imports: Object.fromEntries(made.map(({ name, path }) => [name, `./${path}`])),
  };
}

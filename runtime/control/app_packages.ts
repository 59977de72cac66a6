/**
 * The packages that applications may import without having them: `hono` and what is under it. They come from inside the
 * program: run from source, it has the package's files; as a bundle, it is the package.
 */

export interface Packages {
  /** Modules by path from the top of wherever they are put. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths by specifier: "./hono/dist/index.js" by "hono". */
  readonly imports: Readonly<Record<string, string>>;
  /** What stands for them where types are checked; empty where nobody knows their types. */
  readonly types: Readonly<Record<string, string>>;
}

const TOP = "packages/hono";

export async function packages(): Promise<Packages> {
  const entry = import.meta.resolve("hono");
  const [, directory, version] = /^file:\/\/(.*\/(\d+\.\d+\.\d+[^/]*))\/dist\/index\.js$/.exec(entry) ?? [];
  if (directory === undefined) throw new Error(`Cannot find the files of hono, got "${entry}"`);
  const files: Record<string, string> = {};
  await readModules(decodeURIComponent(directory), "dist", files);
  const { exports } = JSON.parse(await Deno.readTextFile(`${decodeURIComponent(directory)}/package.json`)) as {
    readonly exports: Readonly<Record<string, { readonly import?: string }>>;
  };
  const named = Object.entries(exports).flatMap(([name, { import: path }]) =>
    path === undefined || name.includes("*") ? [] : [[name.slice(1), path.slice(1)] as const]
  );
  return {
    files,
    imports: Object.fromEntries(named.map(([name, path]) => [`hono${name}`, `./${TOP}${path}`])),
    types: Object.fromEntries(named.map(([name]) => [`hono${name}`, `npm:hono@${version}${name}`])),
  };
}

/** Modules only: neither their CommonJS copies nor their types are run. */
async function readModules(top: string, below: string, files: Record<string, string>): Promise<void> {
  const reading: Promise<void>[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${top}/${below}`)) {
    const path = `${below}/${name}`;
    if (isDirectory && name !== "cjs" && name !== "types") reading.push(readModules(top, path, files));
    else if (name.endsWith(".js")) {
      reading.push(Deno.readTextFile(`${top}/${path}`).then((text) => void (files[`${TOP}/${path}`] = text)));
    }
  }
  await Promise.all(reading);
}

/** The program as a user without rights sees it: Deno and the sources where anybody may read them. */
import { fileURLToPath } from "node:url";
import { command } from "./command.ts";

/** Debian's "nobody". */
const nobody = 65534;

/** `argv` as a user without rights and without root's groups. */
export function unprivileged(argv: readonly string[]): string[] {
  return ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--inh-caps=-all", "--", ...argv];
}

export interface PublicCopy extends Disposable {
  /** Readable by all; empty but for what is named here. */
  readonly directory: string;
  readonly deno: string;
  /** A copy of the program's sources. */
  readonly source: string;
  /** Environment of a fresh user: a home, a cache of packages, a plain PATH. */
  readonly env: Record<string, string>;
}

/** Copies Deno, its cache of packages and the program's sources; disposing of it removes them. */
export async function publicCopy(): Promise<PublicCopy> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const directory = await Deno.makeTempDir({ prefix: "tandem-public-" });
  await Deno.chmod(directory, 0o755);
  const [deno, source, home] = [`${directory}/bin/deno`, `${directory}/source`, `${directory}/home`];
  for (const path of [`${directory}/bin`, source, home]) await Deno.mkdir(path);
  await Deno.copyFile(Deno.execPath(), deno);
  await Deno.chmod(deno, 0o755);
  const parts = ["mod.ts", "deno.json", "deno.lock", "runtime", "plugins"].filter((part) => exists(`${root}/${part}`));
  await command(["cp", "-r", ...parts.map((part) => `${root}/${part}`), source]);
  // Packages that this user has already: the copy needs no network.
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  await Deno.mkdir(`${home}/deno`);
  if (exists(`${cache}/npm`)) await command(["cp", "-r", `${cache}/npm`, `${home}/deno/npm`]);
  await command(["chmod", "-R", "a+rX", directory]);
  await command(["chown", "-R", `${nobody}:${nobody}`, home]);
  return {
    directory,
    deno,
    source,
    env: { HOME: home, DENO_DIR: `${home}/deno`, PATH: "/usr/sbin:/usr/bin:/sbin:/bin", NO_COLOR: "1" },
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The second half of a confinement: this process becomes another program. What it may read of that program's own files is
 * learnt from the program that runs now, because it is the same one.
 */
import { check } from "./errno.ts";
import { cString, libc } from "./libc.ts";
import type { PathRule } from "./landlock.ts";

/**
 * The files this executable needs to run again: itself, its interpreter and its libraries, exactly those mapped now.
 *
 * @param maps the text of /proc/self/maps
 */
export function runtimePaths(maps: string, executable: string): PathRule[] {
  const mapped = new Set<string>();
  for (const line of maps.split("\n")) {
    const path = /^\S+ \S+ \S+ \S+ \S+\s+(\/\S.*)$/.exec(line)?.[1];
    if (path && !path.endsWith(" (deleted)") && !path.startsWith("/dev/")) mapped.add(path);
  }
  mapped.add(executable);
  return [
    // The interpreter is executed by the kernel as the program is; libraries are mapped, for which reading is enough.
    ...[...mapped].map((path): PathRule => ({
      path,
      rights: path === executable || /\/ld[-.][^/]*$|\/ld-musl/.test(path) ? ["read", "execute"] : ["read"],
      optional: true,
    })),
    { path: "/etc/ld.so.cache", rights: ["read"], optional: true },
    // glibc reads the bounds of the main thread's stack there; Deno panics without them.
    { path: "/proc/self/maps", rights: ["read"], optional: true },
    { path: "/dev/urandom", rights: ["read"], optional: true },
    { path: "/dev/null", rights: ["read", "write"], optional: true },
  ];
}

/**
 * Becomes the program at `path`. Returns only by throwing.
 *
 * @throws {OsError} when the kernel refuses.
 */
export function execute(path: string, args: readonly string[], env: Readonly<Record<string, string>>): never {
  const argv = stringArray([path, ...args]);
  const envp = stringArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  check(libc().execve(cString(path), argv, envp), "execve", `Cannot execute "${path}"`);
  throw new Error(`Cannot execute "${path}": execve came back`);
}

/** Strings whose addresses were given to the kernel. They live as long as this program, which is not long any more. */
const held: Uint8Array[] = [];

/** A `char *const []`. */
function stringArray(values: readonly string[]): Uint8Array<ArrayBuffer> {
  const addresses = values.map((value) => {
    const text = cString(value);
    held.push(text);
    return Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
  });
  return new Uint8Array(new BigUint64Array([...addresses, 0n]).buffer);
}

/**
 * The second half of a confinement: this process becomes another program. What it may read of that program's own files is
 * learnt from the program that runs now, because it is the same one.
 */
import { check, errno, OsError } from "./errno.ts";
import { CALL_NUMBERS } from "./confine_calls.ts";
import { cString, libc } from "./libc.ts";
import type { PathRule } from "./landlock.ts";

const O_PATH = 0o10000000, O_CLOEXEC = 0o2000000, AT_EMPTY_PATH = 0x1000n;

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

/** An open executable, found before the process lost its way to it: a uid of its own may not search /root. */
export interface Executable extends Disposable {
  readonly path: string;
  /** Becomes this program. Returns only by throwing. @throws {OsError} when the kernel refuses */
  execute(args: readonly string[], env: Readonly<Record<string, string>>): never;
}

/** @throws {OsError} when `path` cannot be opened. */
export function openExecutable(path: string): Executable {
  const fd = libc().open(cString(path), O_PATH | O_CLOEXEC, 0);
  if (fd < 0) throw new OsError("open", errno(), `Cannot open the executable "${path}"`);
  return {
    path,
    [Symbol.dispose]: () => void libc().close(fd),
    execute(args, env) {
      const call = CALL_NUMBERS.execveat[Deno.build.arch];
      const argv = stringArray([path, ...args]);
      const envp = stringArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
      const empty = cString("");
      const result = libc().syscall6(
        BigInt(call),
        BigInt(fd),
        addressOf(empty),
        argv.address,
        envp.address,
        AT_EMPTY_PATH,
        0n,
      );
      check(Number(result), "execveat", `Cannot execute "${path}"`);
      throw new Error(`Cannot execute "${path}": execveat came back`);
    },
  };
}

/** A `char *const []`: the object holds the strings as long as it lives. */
function stringArray(values: readonly string[]): { readonly address: bigint; readonly held: readonly unknown[] } {
  const strings = values.map(cString);
  const array = new BigUint64Array([...strings.map(addressOf), 0n]);
  return { address: addressOf(array), held: [strings, array] };
}

function addressOf(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

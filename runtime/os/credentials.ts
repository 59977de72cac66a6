/**
 * A uid of its own for a child process. libc's set*id reaches every thread, but capabilities are a thread's own and do not
 * survive `execve` unless they are ambient; so a first stage (`role launch`) changes the uid, keeps only
 * CAP_NET_BIND_SERVICE, and executes the real role in its place, on the same pid and pipes.
 */
import { check } from "./errno.ts";
import { cString, libc } from "./libc.ts";
import type { Command } from "./process.ts";

/** A line of /etc/passwd, as far as it matters. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Finds `name` in the text of /etc/passwd. */
export function findUser(passwd: string, name: string): User | null {
  for (const line of passwd.split("\n")) {
    const [found, , uid, gid] = line.split(":");
    if (found === name && /^\d+$/.test(uid) && /^\d+$/.test(gid)) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

/** Whether `id` exists in this user namespace, by the text of /proc/self/uid_map or gid_map. */
export function isMapped(map: string, id: number): boolean {
  return map.trim().split("\n").some((line) => {
    const [first, , count] = line.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
}

/** Capabilities by bit (linux/capability.h). */
export const Capability = { NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13, SYS_NICE: 23 } as const;

/** Names of the capabilities among `wanted` that the effective set of this process lacks. */
export function missingCapabilities(wanted: readonly (keyof typeof Capability)[]): string[] {
  const effective = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0"}`,
  );
  return wanted.filter((name) => (effective >> BigInt(Capability[name]) & 1n) === 0n).map((name) => `CAP_${name}`);
}

/** The first of `paths`, or of the directories above them, that `user` may not read; null when all can be read. */
export function firstUnreadable(paths: readonly string[], user: User): string | null {
  for (const path of paths) {
    const parts = path.split("/").filter((part) => part !== "");
    for (let depth = 0; depth <= parts.length; depth++) {
      const at = "/" + parts.slice(0, depth).join("/");
      const needed = depth === parts.length ? 4 : 1; // read the last, search those above
      if (!permits(at, user, needed)) return at;
    }
  }
  return null;
}

function permits(path: string, user: User, needed: number): boolean {
  let stat: Deno.FileInfo;
  try {
    stat = Deno.statSync(path);
  } catch {
    return false;
  }
  const shift = stat.uid === user.uid ? 6 : stat.gid === user.gid ? 3 : 0;
  return (((stat.mode ?? 0) >> shift) & needed) === needed;
}

const PR_SET_KEEPCAPS = 8;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const SYS_CAPSET = Deno.build.arch === "aarch64" ? 91 : 126;

/**
 * Becomes `command` under another uid, with CAP_NET_BIND_SERVICE as its only capability. Returns only by throwing.
 *
 * @throws {OsError} when a step is refused; nothing may run on after that.
 */
export function becomeUser(
  ids: { readonly uid: number; readonly gid: number },
  command: Command,
  env: Record<string, string>,
): never {
  const c = libc();
  const subject = `Cannot run as uid ${ids.uid}`;
  check(c.prctl(PR_SET_KEEPCAPS, 1n, 0n, 0n, 0n), "prctl", subject);
  check(c.setgroups(0n, null), "setgroups", subject);
  check(c.setresgid(ids.gid, ids.gid, ids.gid), "setresgid", subject);
  check(c.setresuid(ids.uid, ids.uid, ids.uid), "setresuid", subject);
  const bit = 1 << Capability.NET_BIND_SERVICE;
  const header = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  // effective, permitted, inheritable; then the upper 32 bits of each. Ambient needs permitted and inheritable.
  const sets = new Uint32Array([bit, bit, bit, 0, 0, 0]);
  check(c.capset(SYS_CAPSET, header, sets), "capset", subject);
  check(
    c.prctl(PR_CAP_AMBIENT, BigInt(PR_CAP_AMBIENT_RAISE), BigInt(Capability.NET_BIND_SERVICE), 0n, 0n),
    "prctl",
    subject,
  );
  const argv = new StringArray([command.path, ...command.args]);
  const envp = new StringArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  check(c.execve(cString(command.path), argv.pointers, envp.pointers), "execve", `Cannot execute "${command.path}"`);
  throw new Error(`Cannot execute "${command.path}": execve came back`);
}

/** A `char *const []`: NUL-terminated strings and the array of their addresses, alive as long as this object. */
class StringArray {
  readonly pointers: Uint8Array<ArrayBuffer>;
  private readonly strings: readonly Uint8Array<ArrayBuffer>[];
  constructor(values: readonly string[]) {
    this.strings = values.map(cString);
    const addresses = this.strings.map((bytes) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))));
    this.pointers = new Uint8Array(new BigUint64Array([...addresses, 0n]).buffer);
  }
}

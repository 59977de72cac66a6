/**
 * Memory limits by the kernel: children of our own cgroup (v2), one for each process that is not trusted.
 *
 *     our cgroup ──┬── tandem-node          us and our own processes: beside children with limits none may be in the parent
 *                  └── tandem-plugin-NAME-PID-N   memory.max, memory.swap.max, pids.max
 *
 * It is ours to divide when it was delegated to us (systemd's `Delegate=`, cgroups(7)), or when nobody else divides it.
 */
import { cString, libc } from "./libc.ts";

export interface CgroupLimits {
  /** Bytes of any kind: heap, stacks, shared, files in memory. Nothing of it is swapped. */
  readonly memory: number;
  /** Threads and processes. */
  readonly tasks: number;
}

/** One cgroup with limits; empty until a process writes itself into `PATH/cgroup.procs`. */
export interface Cgroup {
  readonly path: string;
  /** How many processes the kernel killed in it because it was full. */
  oomKills(): number;
  /** Removes it; true when it is gone. A cgroup that still holds a process stays. */
  remove(): boolean;
}

export interface Cgroups {
  /** @throws {Error} with the reason when this machine, or our place in it, offers none. */
  create(name: string, limits: CgroupLimits): Cgroup;
}

const LEAF = "tandem-node", PREFIX = "tandem-plugin-";
const GETXATTR = { x86_64: 191n, aarch64: 8n };

/**
 * The directory of a process's cgroup. Pure.
 *
 * @param mountinfo text of /proc/self/mountinfo
 * @param cgroup text of /proc/self/cgroup
 * @returns the path, or why there is none
 */
export function cgroupDirectory(
  mountinfo: string,
  cgroup: string,
): { readonly path: string; readonly mount: string } | { readonly missing: string } {
  const mounts = mountinfo.trim().split("\n").map((line) => {
    const [before, after] = line.split(" - ");
    const [, , , root, at] = before.split(" ");
    const [type, , options] = (after ?? "").split(" ");
    return { root, at, type, options: options ?? "" };
  });
  const first = mounts.find(({ type, options }) => type === "cgroup" && options.split(",").includes("memory"));
  if (first) {
    return {
      missing: `The memory controller belongs to cgroup v1 ("${first.at}"); v2 has it on a machine of cgroup v2 alone`,
    };
  }
  const own = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  const mount = mounts.find(({ type }) => type === "cgroup2");
  if (own === undefined || mount === undefined) return { missing: "No cgroup v2 is mounted here" };
  // A container sees a part of the tree: what is above its root is not there.
  const inside = mount.root === "/"
    ? own
    : own === mount.root
    ? "/"
    : own.startsWith(`${mount.root}/`)
    ? own.slice(mount.root.length)
    : null;
  if (inside === null || inside.startsWith("/..")) {
    return { missing: `Our cgroup "${own}" is outside of "${mount.at}"` };
  }
  return { path: inside === "/" ? mount.at : `${mount.at}${inside}`, mount: mount.at };
}

/** The cgroups of this process's own children. What is needed for them is done when the first is made. */
export function openCgroups(): Cgroups {
  let home: string | Error | null = null;
  let made = 0;
  return {
    create(name, { memory, tasks }) {
      home ??= prepared();
      if (home instanceof Error) throw home;
      const path = `${home}/${PREFIX}${name.replaceAll(/[^\w-]/g, "-").slice(0, 64)}-${Deno.pid}-${++made}`;
      try {
        Deno.mkdirSync(path);
      } catch (error) {
        throw explained(error);
      }
      const cgroup: Cgroup = { path, oomKills: () => oomKills(path), remove: () => remove(path) };
      try {
        Deno.writeTextFileSync(`${path}/memory.max`, String(memory));
        // Absent where the kernel cannot swap at all.
        if (exists(`${path}/memory.swap.max`)) Deno.writeTextFileSync(`${path}/memory.swap.max`, "0");
        Deno.writeTextFileSync(`${path}/memory.oom.group`, "1");
        if (exists(`${path}/pids.max`)) Deno.writeTextFileSync(`${path}/pids.max`, String(tasks));
      } catch (error) {
        cgroup.remove();
        throw error;
      }
      return cgroup;
    },
  };
}

/** Makes our cgroup one whose children can have limits. */
function prepared(): string | Error {
  try {
    const found = cgroupDirectory(
      Deno.readTextFileSync("/proc/self/mountinfo"),
      Deno.readTextFileSync("/proc/self/cgroup"),
    );
    if ("missing" in found) return new Error(found.missing);
    // Control that was started again by somebody who was in the leaf of the last one.
    const own = found.path.endsWith(`/${LEAF}`) ? found.path.slice(0, -LEAF.length - 1) : found.path;
    const offered = words(`${own}/cgroup.controllers`);
    if (!offered.includes("memory")) {
      return new Error(`No memory controller in "${own}": add Delegate=memory pids to the unit that starts Tandem`);
    }
    if (!isOurs(own, found.mount)) {
      return new Error(`"${own}" is systemd's to divide: add Delegate=memory pids to the unit that starts Tandem`);
    }
    enable(own, ["memory", "pids"].filter((controller) => offered.includes(controller)));
    sweep(own);
    return own;
  } catch (error) {
    return explained(error);
  }
}

/** systemd marks what it delegated, for root (trusted) and for users, on the top of the part that is given away. */
function isOurs(own: string, mount: string): boolean {
  if (Deno.uid() !== 0 || !exists("/run/systemd/system")) return true; // else the file system's permissions say it
  for (let at = own; at.length > mount.length; at = at.slice(0, at.lastIndexOf("/"))) {
    if (attribute(at, "trusted.delegate") === "1" || attribute(at, "user.delegate") === "1") return true;
  }
  return false;
}

function enable(own: string, controllers: readonly string[]): void {
  const file = `${own}/cgroup.subtree_control`;
  const missing = controllers.filter((controller) => !words(file).includes(controller));
  if (missing.length === 0) return;
  const wanted = missing.map((controller) => `+${controller}`).join(" ");
  // The root of all cgroups may have processes and children with limits, any other must choose.
  if (!exists(`${own}/cgroup.type`)) return Deno.writeTextFileSync(file, wanted);
  const leaf = `${own}/${LEAF}`;
  Deno.mkdirSync(leaf, { recursive: true });
  try {
    moveOurs(own, leaf);
    Deno.writeTextFileSync(file, wanted);
  } catch (error) {
    for (const pid of words(`${leaf}/cgroup.procs`)) Deno.writeTextFileSync(`${own}/cgroup.procs`, pid);
    remove(leaf);
    throw error;
  }
}

/** @throws {Error} when others are there, whom to move is not for us. */
function moveOurs(own: string, leaf: string): void {
  // What is forked while we move the rest comes along with the next round.
  for (let round = 0; round < 5; round++) {
    const pids = words(`${own}/cgroup.procs`).map(Number);
    if (pids.length === 0) return;
    const other = pids.find((pid) => !descends(pid, Deno.pid));
    if (other !== undefined) {
      throw new Error(
        `"${own}" also holds process ${other}, which is not ours: start Tandem in a cgroup of its own, ` +
          "as a unit with Delegate=memory pids does",
      );
    }
    for (const pid of pids) {
      try {
        Deno.writeTextFileSync(`${leaf}/cgroup.procs`, String(pid));
      } catch (error) {
        if (exists(`/proc/${pid}`)) throw error;
      }
    }
  }
}

function descends(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1;) {
    if (at === ancestor) return true;
    try {
      const stat = Deno.readTextFileSync(`/proc/${at}/stat`);
      at = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    } catch {
      return true; // It ended meanwhile, and is no obstacle.
    }
  }
  return false;
}

/** What a node that was killed left behind. One that lives has its own, though they may be empty for a moment. */
function sweep(own: string): void {
  for (const { name } of Deno.readDirSync(own)) {
    const pid = name.startsWith(PREFIX) ? /-(\d+)-\d+$/.exec(name)?.[1] : undefined;
    if (pid !== undefined && !exists(`/proc/${pid}`)) remove(`${own}/${name}`);
  }
}

function oomKills(path: string): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(Deno.readTextFileSync(`${path}/memory.events`))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function remove(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** The value of an extended attribute; null when it is not there or not for us to read. */
function attribute(path: string, name: string): string | null {
  const value = new Uint8Array(16);
  const [at, key] = [cString(path), cString(name)];
  const length = libc().syscall6(GETXATTR[Deno.build.arch], address(at), address(key), address(value), 16n, 0n, 0n);
  return length < 0n ? null : new TextDecoder().decode(value.subarray(0, Number(length))).replace(/\0$/, "");
}

function address(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

function words(file: string): string[] {
  return Deno.readTextFileSync(file).split(/\s+/).filter((word) => word !== "");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function explained(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (/Read-only file system/.test(message)) {
    return new Error("The cgroup file system is mounted read-only", { cause: error });
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Error("Our cgroup belongs to another user: add Delegate=memory pids to the unit that starts Tandem", {
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(message);
}

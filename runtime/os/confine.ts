/**
 * A process gives up, before it executes code that nobody trusts, everything that code does not need: what the kernel
 * took away survives `execve` and can never be had back.
 *
 * Every measure stands on its own. What a kernel or a missing privilege does not allow is reported, with what covers for
 * it; the caller decides whether that is enough.
 */
import { CALL_NUMBERS, confinedCalls } from "./confine_calls.ts";
import { isMapped } from "./credentials.ts";
import { check } from "./errno.ts";
import { type PathRule, prepareLandlock } from "./landlock.ts";
import { cString, libc } from "./libc.ts";
import { installSeccomp, seccompProgram } from "./seccomp.ts";

export interface ConfinementOptions {
  /** Bytes of private memory, V8's reserved code range (512 MiB) included. */
  readonly memory: number;
  readonly openFiles: number;
  /** Threads of the uid; enforced only with an own uid, because the kernel counts them by uid. */
  readonly threads: number;
  /** Own identity; null keeps ours. Needs CAP_SETUID and an id mapped in this user namespace. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** What is left of the file system. */
  readonly paths: readonly PathRule[];
  /** A file system of its own, in memory; null for none. Needs CAP_SYS_ADMIN, and whoever asks must do without. */
  readonly view: View | null;
  /** Address families (AF_*) a socket may have. */
  readonly socketFamilies: readonly number[];
  /**
   * `idle`: runs when nobody else wants to. `low`: gets a tenth of what others do, which is for those whom clients wait for.
   *
   * @default "idle"
   */
  readonly priority?: "idle" | "low";
  /** A cgroup with limits to be in, or why there is none. */
  readonly cgroup: { readonly path: string } | { readonly missing: string };
}

/** A place where the process finds what it needs, whatever the way to it is for others. */
export interface View {
  /** A directory that exists everywhere and that everyone may search. What was in it is not seen any more. */
  readonly at: string;
  /** How much may be written. */
  readonly bytes: number;
  /** Files and directories that appear in it, by name. */
  readonly shows: Readonly<Record<string, string>>;
  /** What is nothing to the process, wherever it exists: landlock does not keep it from connecting to a socket. @default none */
  readonly hides?: readonly string[];
}

export type MeasureName =
  | "memory cgroup"
  | "limits"
  | "own network"
  | "own mounts"
  | "own session"
  | "low priority"
  | "own uid"
  | "no capabilities"
  | "dies with parent"
  | "no new privileges"
  | "landlock"
  | "seccomp"
  | "closed descriptors";

/** One measure: in force, or why not. */
export type Measure =
  | { readonly name: MeasureName; readonly state: "in force"; readonly detail: string }
  | {
    readonly name: MeasureName;
    readonly state: "missing";
    readonly detail: string;
    /** The measure that gives the same protection; null when nothing does. */
    readonly coveredBy: MeasureName | null;
  };

/** Measures that are less than full confinement: what `isolation: strict` refuses. */
export function shortfalls(measures: readonly Measure[]): string[] {
  const inForce = new Set(measures.filter((measure) => measure.state === "in force").map((measure) => measure.name));
  return measures.flatMap((measure) =>
    measure.state === "in force" || (measure.coveredBy !== null && inForce.has(measure.coveredBy))
      ? []
      : [`${measure.name}: ${measure.detail}`]
  );
}

/** What is missing and made up for by something else: nothing to refuse, and still to be said. */
export function substitutes(measures: readonly Measure[]): string[] {
  const inForce = new Set(measures.filter((measure) => measure.state === "in force").map((measure) => measure.name));
  return measures.flatMap((measure) =>
    measure.state === "missing" && measure.coveredBy !== null && inForce.has(measure.coveredBy)
      ? [`${measure.name}: ${measure.detail}; ${measure.coveredBy} instead`]
      : []
  );
}

const CLONE_NEWNS = 0x0002_0000, CLONE_NEWNET = 0x4000_0000, CLONE_NEWIPC = 0x0800_0000, CLONE_NEWUTS = 0x0400_0000;
const MS_NOSUID = 2n, MS_NODEV = 4n, MS_NOEXEC = 8n, MS_BIND = 4096n, MS_REC = 16384n, MS_PRIVATE = 1n << 18n;
const MNT_DETACH = 2n;
const O_PATH = 0o10000000, O_CLOEXEC = 0o2000000;
const SCHED_IDLE = 5, PRIO_PROCESS = 0n, LOW_NICE = 10n, LOWEST_NICE = 19n;
const PR_SET_PDEATHSIG = 1, PR_CAPBSET_DROP = 24, PR_SET_NO_NEW_PRIVS = 38, PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4n;
const SIGHUP = 1, SIGINT = 2, SIGKILL = 9, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15, SIG_BLOCK = 0n;
const LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;
const FIRST_OTHER_DESCRIPTOR = 3n, LAST_DESCRIPTOR = 0xffff_ffffn, CLOSE_RANGE_CLOEXEC = 4n;
/** RLIMIT_*, asm-generic/resource.h; equal on x86-64 and arm64. */
const Limit = {
  FSIZE: 1,
  DATA: 2,
  CORE: 4,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
} as const;

/**
 * Confines this thread, and what it executes next, as far as the kernel and our privileges allow. The order matters:
 * namespaces and the bounding set need capabilities, the uid change drops them, `no_new_privs` is the condition of
 * landlock and seccomp, and seccomp comes last because it refuses much of what the others call.
 *
 * Other threads of the process are not confined until `execve` ends them: execute soon after.
 */
export function confine(options: ConfinementOptions): Measure[] {
  const measures: Measure[] = [];
  const take = (name: MeasureName, coveredBy: MeasureName | null, apply: () => string) => {
    try {
      measures.push({ name, state: "in force", detail: apply() });
    } catch (error) {
      measures.push({
        name,
        state: "missing",
        detail: error instanceof Error ? error.message : String(error),
        coveredBy,
      });
    }
  };
  const ownUid = canChangeUser(options.user);
  // Paths are opened first: later there may be no way to them.
  using ruleset = attempt(() => prepareLandlock({ paths: options.paths }));
  take("memory cgroup", "limits", () => joinCgroup(options.cgroup));
  take("closed descriptors", null, closeOnExecute);
  take("own session", null, ownSession);
  take("own network", options.socketFamilies.length === 0 ? "seccomp" : null, ownNamespaces);
  let view: View | null = null;
  // Landlock keeps files, and not the sockets among them.
  take("own mounts", options.socketFamilies.length === 0 ? "landlock" : null, () => {
    const made = ownMounts(options.view, ownUid === null ? options.user : null);
    view = options.view;
    return made;
  });
  take("low priority", null, () => lowPriority(options.priority ?? "idle"));
  // The bounding set must go while the capability to shrink it is there.
  take("no capabilities", "no new privileges", dropBoundingSet);
  take("own uid", null, () => {
    if (ownUid !== null) throw new Error(ownUid);
    return changeUser(options.user!);
  });
  replace(measures, "no capabilities", () => dropCapabilities());
  take("dies with parent", null, diesWithParent);
  take("no new privileges", null, () => {
    check(libc().prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n), "prctl", "Cannot set no_new_privs");
    return "set";
  });
  take("landlock", null, () => {
    if (ruleset instanceof Error) throw ruleset;
    if (ruleset === null) throw new Error("This kernel has no landlock: files are protected by the uid alone");
    if (view !== null) ruleset.allow({ path: view.at, rights: ["read", "write"] });
    ruleset.enforce();
    // TCP ports, signals and abstract sockets are refused by seccomp in any case.
    const { missing } = ruleset.access;
    return missing.length > 0 ? `files (without ${missing.join(", ")})` : "files, TCP, signals";
  });
  // Late, because this stage's own heap may be larger than what the next one gets.
  take("limits", null, () => {
    return limitResources(options, ownUid === null, view?.bytes ?? 0);
  });
  take("seccomp", null, () => {
    installSeccomp(
      seccompProgram(confinedCalls(libc().getpid(), options.socketFamilies), CALL_NUMBERS, Deno.build.arch),
    );
    return options.socketFamilies.length === 0
      ? "no sockets"
      : `sockets of families ${options.socketFamilies.join(", ")}`;
  });
  return measures;
}

/** A measure of two halves is in force when both are. */
function replace(measures: Measure[], name: MeasureName, second: () => string): void {
  const index = measures.findIndex((measure) => measure.name === name);
  try {
    const detail = second();
    const first = measures[index];
    // Without privileges there is no bounding set to shrink; an empty permitted set and no_new_privs say the same.
    measures[index] = first.state === "in force" ? first : { name, state: "in force", detail };
  } catch (error) {
    measures[index] = { name, state: "missing", detail: String(error), coveredBy: null };
  }
}

function number(call: keyof typeof CALL_NUMBERS): bigint {
  const found = CALL_NUMBERS[call][Deno.build.arch];
  if (found === null) throw new Error(`Cannot call ${call}: ${Deno.build.arch} does not have it`);
  return BigInt(found);
}

/** First of all, while the way there and the right to it are there. RLIMIT_DATA counts less, and nothing that is shared. */
function joinCgroup(cgroup: ConfinementOptions["cgroup"]): string {
  if ("missing" in cgroup) throw new Error(cgroup.missing);
  Deno.writeTextFileSync(`${cgroup.path}/cgroup.procs`, "0");
  return `${Deno.readTextFileSync(`${cgroup.path}/memory.max`).trim()} bytes`;
}

/** Not closed at once: the runtime of this stage still uses them. */
function closeOnExecute(): string {
  const result = libc().syscall6(
    number("close_range"),
    FIRST_OTHER_DESCRIPTOR,
    LAST_DESCRIPTOR,
    CLOSE_RANGE_CLOEXEC,
    0n,
    0n,
    0n,
  );
  check(Number(result), "close_range", "Cannot mark descriptors close-on-exec");
  return "all but 0, 1, 2";
}

/**
 * Ctrl-C and a group's SIGTERM are for the parent: it ends us in order. An ignored signal stays ignored over `execve` only until
 * Deno takes it for itself; a blocked one is blocked for good. SIGUSR1 would open Deno's inspector.
 */
function ownSession(): string {
  const blocked = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2].reduce(
    (set, signal) => set | 1n << BigInt(signal - 1),
    0n,
  );
  const set = new BigUint64Array([blocked]);
  const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(set)));
  const answer = libc().syscall6(number("rt_sigprocmask"), SIG_BLOCK, address, 0n, BigInt(set.byteLength), 0n, 0n);
  check(Number(answer), "rt_sigprocmask", "Cannot block signals");
  check(Number(libc().syscall6(number("setsid"), 0n, 0n, 0n, 0n, 0n, 0n)), "setsid", "Cannot start a session");
  return "no terminal, signals to the group blocked";
}

function ownNamespaces(): string {
  const flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  check(libc().unshare(flags), "unshare", "Cannot make an empty network namespace, which needs CAP_SYS_ADMIN");
  return "empty namespace";
}

/** What we mount is seen by nobody else, and goes with us. */
function ownMounts(view: View | null, user: ConfinementOptions["user"]): string {
  const c = libc();
  check(c.unshare(CLONE_NEWNS), "unshare", "Cannot make a mount namespace, which needs CAP_SYS_ADMIN");
  mount("", "/", "", MS_REC | MS_PRIVATE, "", "Cannot keep mounts to itself");
  if (view === null) return "own namespace";
  // Opened in the new namespace, of which mounts can be made, and before anything covers them.
  const shown = Object.entries(view.shows).map(([name, path]) => ({
    name,
    directory: Deno.statSync(path).isDirectory,
    fd: check(c.open(cString(path), O_PATH | O_CLOEXEC, 0), "open", `Cannot show "${path}"`),
  }));
  const owner = user === null ? "" : `,uid=${user.uid},gid=${user.gid}`;
  const how = `size=${view.bytes},nr_inodes=256,mode=0700${owner}`;
  mount("tmpfs", view.at, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, how, `Cannot mount memory on "${view.at}"`);
  try {
    for (const { name, directory, fd } of shown) {
      const place = `${view.at}/${name}`;
      if (directory) Deno.mkdirSync(place);
      else Deno.writeFileSync(place, new Uint8Array(0));
      mount(`/proc/self/fd/${fd}`, place, "", MS_BIND, "", `Cannot show "${name}"`);
      c.close(fd);
    }
    hide(view);
  } catch (error) {
    // Half a view would hide what the process then looks for in its usual place.
    const at = cString(view.at);
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(at));
    c.syscall6(number("umount2"), address, MNT_DETACH, 0n, 0n, 0n, 0n);
    throw error;
  }
  return `own namespace, ${view.bytes} bytes of memory as its only writable files`;
}

/** Directories become empty ones that nobody may search, all else /dev/null. */
function hide({ at, hides = [] }: View): void {
  if (hides.length === 0) return;
  const nothing = `${at}/nothing`;
  Deno.mkdirSync(nothing, { mode: 0 });
  for (const path of hides) {
    let directory: boolean;
    try {
      directory = Deno.statSync(path).isDirectory;
    } catch {
      continue;
    }
    mount(directory ? nothing : "/dev/null", path, "", MS_BIND, "", `Cannot hide "${path}"`);
  }
}

function mount(source: string, place: string, type: string, flags: bigint, how: string, action: string): void {
  check(libc().mount(cString(source), cString(place), cString(type), flags, cString(how)), "mount", action);
}

function lowPriority(priority: "idle" | "low"): string {
  const value = priority === "idle" ? LOWEST_NICE : LOW_NICE;
  const nice = libc().syscall6(number("setpriority"), PRIO_PROCESS, 0n, value, 0n, 0n, 0n);
  check(Number(nice), "setpriority", "Cannot lower the priority");
  if (priority === "low") return `nice ${LOW_NICE}`;
  check(libc().sched_setscheduler(0, SCHED_IDLE, new Uint8Array(4)), "sched_setscheduler", "Cannot enter SCHED_IDLE");
  return "SCHED_IDLE, nice 19";
}

function limitResources(options: ConfinementOptions, ownUid: boolean, fileSize: number): string {
  const limits: [keyof typeof Limit, number][] = [
    ["DATA", options.memory],
    ["NOFILE", options.openFiles],
    ["FSIZE", fileSize],
    ["CORE", 0],
    ["MEMLOCK", 0],
    ["MSGQUEUE", 0],
    ["NICE", 0],
    ["RTPRIO", 0],
  ];
  // Where the uid is shared, the limit would count every other thread of its owner. Memory bounds threads too.
  if (ownUid) limits.push(["NPROC", options.threads]);
  for (const [name, value] of limits) {
    const both = new Uint8Array(new BigUint64Array([BigInt(value), BigInt(value)]).buffer);
    check(libc().setrlimit(Limit[name], both), "setrlimit", `Cannot limit ${name} to ${value}`);
  }
  return limits.filter(([, value]) => value > 0).map(([name, value]) => `${name} ${value}`).join(", ");
}

/** Why the uid cannot be changed; null when it can. */
function canChangeUser(user: ConfinementOptions["user"]): string | null {
  if (libc().geteuid() !== 0) return "Needs to start as root: without it the plugin shares our uid";
  if (user === null) return "No uid of its own was given";
  for (const [map, id] of [["uid_map", user.uid], ["gid_map", user.gid]] as const) {
    if (!isMapped(Deno.readTextFileSync(`/proc/self/${map}`), id)) {
      return `Id ${id} is not mapped in this user namespace`;
    }
  }
  return null;
}

function changeUser(user: { readonly uid: number; readonly gid: number }): string {
  const subject = `Cannot become uid ${user.uid}`;
  check(libc().setgroups(0n, null), "setgroups", subject);
  check(libc().setresgid(user.gid, user.gid, user.gid), "setresgid", subject);
  check(libc().setresuid(user.uid, user.uid, user.uid), "setresuid", subject);
  return `uid ${user.uid}`;
}

function dropBoundingSet(): string {
  // The highest capability is not known beforehand: the kernel answers EINVAL behind the last one.
  const last = Number(Deno.readTextFileSync("/proc/sys/kernel/cap_last_cap").trim());
  for (let capability = 0; capability <= last; capability++) {
    check(
      libc().prctl(PR_CAPBSET_DROP, BigInt(capability), 0n, 0n, 0n),
      "prctl(PR_CAPBSET_DROP)",
      "Cannot shrink the bounding set",
    );
  }
  return "bounding set empty";
}

/** Also for a control process that was given ambient capabilities by systemd: `execve` would hand them on. */
function dropCapabilities(): string {
  libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0n, 0n, 0n);
  const capset = Deno.build.arch === "aarch64" ? 91 : 126;
  const header = new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]);
  check(libc().capset(capset, header, new Uint32Array(6)), "capset", "Cannot drop capabilities");
  return "none permitted";
}

/** After the uid change, which clears it. A parent that died before this call is seen by its closed pipe. */
function diesWithParent(): string {
  check(libc().prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL), 0n, 0n, 0n), "prctl", "Cannot set the parent death signal");
  return "SIGKILL";
}

/** The value, or the error, for later. */
function attempt<T>(work: () => T): T | (Error & Disposable) {
  try {
    return work();
  } catch (error) {
    return Object.assign(error instanceof Error ? error : new Error(String(error)), { [Symbol.dispose]: () => {} });
  }
}

/** How the process of a plugin is started: its command line, and the limits that go into it. Pure. */
import type { ConfinementOptions, View } from "../os/confine.ts";
import type { Kit } from "./kit.ts";

/** What stage 1 is told, but for what only the process that starts it knows. */
export interface PluginStage extends Omit<ConfinementOptions, "paths" | "view" | "cgroup"> {
  /** Pid of control; a plugin whose control is gone does not start. */
  readonly parent: number;
  /** The plugin's files. */
  readonly directory: string;
  /** The host's files; null in a compiled binary. */
  readonly kit: string | null;
  /** What stage 2 is started with, after its options: see {@linkcode Kit}. */
  readonly entry: readonly string[];
  /** V8's old space, MiB. */
  readonly heap: number;
  /** How an application is reached; null where the plugin is none. */
  readonly serving: Serving | null;
}

/** The two Unix sockets of an application. */
export interface Serving {
  /** Listened on by stage 1: what follows has no right to. */
  readonly socket: string;
  /** Who may connect to it; null = only we. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** Where the balancer takes what it forwards: alone in its directory, which the application can see. */
  readonly balancer: string;
}

/** The one argument of stage 1, as JSON. Visible in `ps`: it holds paths and limits, no secrets. */
export interface StageArgument extends PluginStage, Pick<ConfinementOptions, "cgroup"> {}

export interface StageOptions {
  readonly parent: number;
  readonly directory: string;
  readonly kit: Kit;
  /** Bytes that plugin code may use: its heap, or as much outside of it. */
  readonly memory: number;
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** @default null */
  readonly serving?: Serving | null;
}

const MiB = 2 ** 20;
/** V8 reserves this much for code, writable and private, so RLIMIT_DATA counts it though it is never touched. */
const CODE_RANGE = 512 * MiB;
/** What Deno itself has at rest, with room for its threads. */
const RUNTIME = 64 * MiB;
/** Deno keeps what it made of TypeScript; without a place to write it tries six times, 150 ms in all. */
const WRITABLE = 8 * MiB;
const OPEN_FILES = 64, THREADS = 64;
/** Of an application: two for each request that it forwards, and what they hold that is not its heap. */
const OPEN_CONNECTIONS = 4096, CONNECTIONS = 128 * MiB;
const AF_UNIX = 1;
/**
 * MiB. Below it V8 marks the heap of a busy server in steps without end, though 8 MiB of 64 are used: a hundred requests a
 * second instead of thousands. At once it takes a few milliseconds, now and then.
 */
const LARGE_HEAP = 256;

export function pluginStage(
  { parent, directory, kit, memory, user, serving = null }: StageOptions,
): PluginStage {
  return {
    parent,
    directory,
    kit: kit.directory,
    entry: kit.entry,
    heap: Math.max(16, Math.floor(memory / MiB)),
    memory: CODE_RANGE + residentLimit(memory, serving !== null),
    openFiles: serving === null ? OPEN_FILES : OPEN_CONNECTIONS,
    threads: THREADS,
    user,
    socketFamilies: serving === null ? [] : [AF_UNIX],
    // A client waits for each of its answers, and the engine that waits with it must not starve it.
    priority: serving === null ? "idle" : "low",
    serving,
  };
}

/** Where stage 2 finds what it needs. */
export interface Places {
  readonly executable: string;
  readonly directory: string;
  readonly kit: string | null;
  /** Deno's cache; it need not exist. */
  readonly cache: string;
  /** The balancer's socket; null where the plugin is no application. */
  readonly balancer: string | null;
}

/** There is a /tmp everywhere, and nothing in it that a plugin should see. */
const VIEW = "/tmp";

/** Where sockets of others are, and nothing that a process needs; the rest of the file system holds files, which landlock keeps. */
const OTHERS = ["/run", "/var", "/home", "/root", "/srv", "/opt", "/mnt", "/media", "/dev/shm", "/dev/log"];

/**
 * A file system where a uid without rights finds all, though it may not search /root, where the originals may be.
 *
 * @param needed Files that must stay where they are
 */
export function pluginView(
  stage: PluginStage,
  executable: string,
  needed: readonly string[],
): { readonly view: View; readonly places: Places } {
  const { directory, kit, serving } = stage;
  const [, balancerDirectory, balancerName] = /^(.*)\/([^/]*)$/.exec(serving?.balancer ?? "") ?? [];
  const shows = {
    executable,
    plugin: directory,
    ...(kit === null ? {} : { kit }),
    // The directory: whoever listens there anew makes another file.
    ...(serving === null ? {} : { balancer: balancerDirectory }),
  };
  const hides = OTHERS.filter((hidden) => !needed.some((path) => path.startsWith(`${hidden}/`)));
  return {
    view: { at: VIEW, bytes: WRITABLE, shows, hides: serving === null ? [] : hides },
    places: {
      executable: `${VIEW}/executable`,
      directory: `${VIEW}/plugin`,
      kit: kit === null ? null : `${VIEW}/kit`,
      cache: `${VIEW}/cache`,
      balancer: serving === null ? null : `${VIEW}/balancer/${balancerName}`,
    },
  };
}

/**
 * Arguments of stage 2.
 *
 * @param listening Descriptor of an application's socket
 */
export function hostArguments({ entry, heap }: PluginStage, places: Places, listening: number | null): string[] {
  const { directory, kit, balancer } = places;
  const sockets = listening === null || balancer === null ? [] : [String(listening), balancer];
  if (kit === null) return [...entry, ...sockets];
  const readable = [directory, kit, ...(balancer === null ? [] : [balancer])];
  return [
    "run",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    "--cached-only",
    "--no-code-cache",
    "--quiet",
    `--allow-read=${readable.join(",")}`,
    // All three are what Deno wants for a connection to a Unix socket.
    ...(balancer === null ? [] : [`--allow-write=${balancer}`, `--allow-net=unix:${balancer}`]),
    `--v8-flags=--max-old-space-size=${heap}${
      balancer !== null && heap < LARGE_HEAP ? ",--no-incremental-marking" : ""
    }`,
    `--import-map=${kit}/run.json`,
    `${kit}/${entry[0]}`,
    ...entry.slice(1),
    ...sockets,
  ];
}

/** What its cgroup may hold: that, and the files it makes in memory. */
export function cgroupLimits(
  { threads, serving }: PluginStage,
  memory: number,
): { readonly memory: number; readonly tasks: number } {
  return { memory: residentLimit(memory, serving !== null) + WRITABLE, tasks: threads };
}

/** Above this the process is killed even where RLIMIT_DATA does not see the memory. */
export function residentLimit(memory: number, serves: boolean): number {
  return memory + RUNTIME + (serves ? CONNECTIONS : 0);
}

const FIRST_UID = 61_184, UIDS = 4_336; // systemd's range for dynamic users, which nobody else hands out

/**
 * A uid for the plugin `name` that none of `taken` has: the same name gets the same uid wherever it can. An own uid each,
 * so that one plugin's threads do not count toward another's limit.
 *
 * @throws {RangeError} when all are taken.
 */
export function pluginUid(name: string, taken: ReadonlySet<number>): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  for (let step = 0; step < UIDS; step++) {
    const uid = FIRST_UID + (hash + step) % UIDS;
    if (!taken.has(uid)) return uid;
  }
  throw new RangeError(`Cannot give "${name}" a uid: all ${UIDS} are taken`);
}

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
}

const MiB = 2 ** 20;
/** V8 reserves this much for code, writable and private, so RLIMIT_DATA counts it though it is never touched. */
const CODE_RANGE = 512 * MiB;
/** What Deno itself has at rest, with room for its threads. */
const RUNTIME = 64 * MiB;
/** Deno keeps what it made of TypeScript; without a place to write it tries six times, 150 ms in all. */
const WRITABLE = 8 * MiB;
const OPEN_FILES = 64, THREADS = 64;

export function pluginStage({ parent, directory, kit, memory, user }: StageOptions): PluginStage {
  return {
    parent,
    directory,
    kit: kit.directory,
    entry: kit.entry,
    heap: Math.max(16, Math.floor(memory / MiB)),
    memory: CODE_RANGE + RUNTIME + memory,
    openFiles: OPEN_FILES,
    threads: THREADS,
    user,
    socketFamilies: [],
  };
}

/** Where stage 2 finds what it needs. */
export interface Places {
  readonly executable: string;
  readonly directory: string;
  readonly kit: string | null;
  /** Deno's cache; it need not exist. */
  readonly cache: string;
}

/** There is a /tmp everywhere, and nothing in it that a plugin should see. */
const VIEW = "/tmp";

/** A file system where a uid without rights finds all, though it may not search /root, where the originals may be. */
export function pluginView(stage: PluginStage, executable: string): { readonly view: View; readonly places: Places } {
  const { directory, kit } = stage;
  return {
    view: { at: VIEW, bytes: WRITABLE, shows: { executable, plugin: directory, ...(kit === null ? {} : { kit }) } },
    places: {
      executable: `${VIEW}/executable`,
      directory: `${VIEW}/plugin`,
      kit: kit === null ? null : `${VIEW}/kit`,
      cache: `${VIEW}/cache`,
    },
  };
}

/** Arguments of stage 2. */
export function hostArguments({ entry, heap }: PluginStage, { directory, kit }: Places): string[] {
  if (kit === null) return [...entry];
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
    `--allow-read=${directory},${kit}`,
    `--v8-flags=--max-old-space-size=${heap}`,
    `--import-map=${kit}/imports.json`,
    `${kit}/${entry[0]}`,
    ...entry.slice(1),
  ];
}

/** What its cgroup may hold: that, and the files it makes in memory. */
export function cgroupLimits(
  { threads }: PluginStage,
  memory: number,
): { readonly memory: number; readonly tasks: number } {
  return { memory: residentLimit(memory) + WRITABLE, tasks: threads };
}

/** Above this the process is killed even where RLIMIT_DATA does not see the memory. */
export function residentLimit(memory: number): number {
  return memory + RUNTIME;
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

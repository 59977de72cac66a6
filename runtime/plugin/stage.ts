/** How the process of a plugin is started: its command line, and the limits that go into it. Pure. */
import type { ConfinementOptions } from "../os/confine.ts";
import type { Kit } from "./kit.ts";

/** The one argument of stage 1, as JSON. Visible in `ps`: it holds paths and limits, no secrets. */
export interface PluginStage extends Omit<ConfinementOptions, "paths"> {
  /** Pid of control; a plugin whose control is gone does not start. */
  readonly parent: number;
  /** The plugin's files; also its working directory. */
  readonly directory: string;
  /** The host's files; null in a compiled binary. */
  readonly kit: string | null;
  /** Arguments of stage 2. */
  readonly args: readonly string[];
}

export interface StageOptions {
  readonly parent: number;
  readonly directory: string;
  readonly kit: Kit;
  /** Bytes that plugin code may use: its heap, and as much again outside of it. */
  readonly memory: number;
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** An empty directory that everyone may search: in the process, and only there, memory is mounted on it. */
  readonly scratch: string;
}

const MiB = 2 ** 20;
/** V8 reserves this much for code, writable and private, so RLIMIT_DATA counts it though it is never touched. */
const CODE_RANGE = 512 * MiB;
/** What Deno itself has at rest, with room for its threads. */
const RUNTIME = 64 * MiB;
/** Deno keeps what it made of TypeScript; without a place to write it tries six times, 150 ms in all. */
const SCRATCH = 8 * MiB;
const OPEN_FILES = 64, THREADS = 64;

export function pluginStage({ parent, directory, kit, memory, user, scratch }: StageOptions): PluginStage {
  const heap = Math.max(16, Math.floor(memory / MiB));
  const flags = [
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    "--cached-only",
    "--no-code-cache",
    "--quiet",
    `--allow-read=${[directory, kit.directory].join(",")}`,
    `--v8-flags=--max-old-space-size=${heap}`,
  ];
  return {
    parent,
    directory,
    kit: kit.directory,
    args: kit.directory === null ? kit.args : ["run", ...flags, ...kit.args],
    memory: CODE_RANGE + RUNTIME + memory,
    openFiles: OPEN_FILES,
    threads: THREADS,
    user,
    scratch: { path: scratch, bytes: SCRATCH },
    socketFamilies: [],
  };
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

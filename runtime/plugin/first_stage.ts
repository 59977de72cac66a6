/**
 * Stage 1 of a plugin's process, trusted: confines itself, says what is in force, and becomes stage 2 on the same pid and
 * pipes. Nothing of the plugin has been read yet.
 */
import { confine } from "../os/confine.ts";
import { execute, runtimePaths } from "../os/confine_exec.ts";
import { openPart } from "../os/libc.ts";
import { keepOverExecute, listenOnUnix } from "../os/unix_listener.ts";
import { encodeFrame } from "./frame.ts";
import { hostArguments, pluginView, type Serving, type StageArgument } from "./stage.ts";

/** Everything stage 2 finds in its environment, beside where Deno keeps what it compiled. */
const ENVIRONMENT = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LANG: "C.UTF-8" };

/** All that this stage calls of libc. */
export const FIRST_STAGE_CALLS = [
  ...["__errno_location", "capset", "close", "execve", "geteuid", "getpid", "mount", "open", "prctl"] as const,
  ...[
    "sched_setscheduler",
    "setgroups",
    "setresgid",
    "setresuid",
    "setrlimit",
    "syscall6",
    "unshare",
  ] as const,
];
const LISTENING_CALLS = ["socket", "bind", "listen", "fcntl"] as const;

/** Returns only by throwing. */
export function runPluginStage(argument: string): never {
  const stage: StageArgument = JSON.parse(argument);
  const { directory, kit, serving } = stage;
  openPart(serving === null ? FIRST_STAGE_CALLS : [...FIRST_STAGE_CALLS, ...LISTENING_CALLS]);
  const path = Deno.execPath();
  const own = { executable: path, directory, kit, cache: "/nonexistent", balancer: serving?.balancer ?? null };
  const needed = runtimePaths(Deno.readTextFileSync("/proc/self/maps"), path);
  const elsewhere = needed.map(({ path }) => path).filter((needed) => needed !== path && !needed.startsWith("/dev/"));
  const { view, places: shown } = pluginView(stage, path, elsewhere);
  const directories = [directory, ...(kit === null ? [] : [kit])];
  const paths = [...needed, ...directories.map((path) => ({ path, rights: ["read"] as const }))];
  const listening = serving === null ? null : listenFor(serving);
  Deno.chdir(directory);
  const measures = confine({ ...stage, paths, view });
  if (Deno.ppid !== stage.parent) Deno.exit(0);
  const isShown = measures.some(({ name, state }) => name === "own mounts" && state === "in force");
  const places = isShown ? shown : own;
  writeAll(encodeFrame({ type: "confined", measures, directory: places.directory }));
  if (listening !== null) keepOverExecute(listening);
  const args = hostArguments(stage, places, listening);
  return execute(places.executable, args, { ...ENVIRONMENT, DENO_DIR: places.cache });
}

/** The application's socket, with the rights that it will not have. @throws {Error} when it cannot be had */
function listenFor({ socket, owner }: Serving): number {
  const listener = listenOnUnix(`unix:${socket}`, 0o600);
  if ("error" in listener) throw new Error(listener.error);
  if (owner !== null) Deno.chownSync(socket, owner.uid, owner.gid);
  return listener.fd;
}

function writeAll(bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

/**
 * Stage 1 of a plugin's process, trusted: confines itself, says what is in force, and becomes stage 2 on the same pid and
 * pipes. Nothing of the plugin has been read yet.
 */
import { confine } from "../os/confine.ts";
import { execute, runtimePaths } from "../os/confine_exec.ts";
import { encodeFrame } from "./frame.ts";
import { hostArguments, pluginView, type StageArgument } from "./stage.ts";

/** Everything stage 2 finds in its environment, beside where Deno keeps what it compiled. */
const ENVIRONMENT = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", LANG: "C.UTF-8" };

/** Returns only by throwing. */
export function runPluginStage(argument: string): never {
  const stage: StageArgument = JSON.parse(argument);
  const path = Deno.execPath();
  const own = { executable: path, directory: stage.directory, kit: stage.kit, cache: "/nonexistent" };
  const { view, places: shown } = pluginView(stage, path);
  const directories = [stage.directory, ...(stage.kit === null ? [] : [stage.kit])];
  const paths = [
    ...runtimePaths(Deno.readTextFileSync("/proc/self/maps"), path),
    ...directories.map((path) => ({ path, rights: ["read"] as const })),
  ];
  Deno.chdir(stage.directory);
  const measures = confine({ ...stage, paths, view });
  if (Deno.ppid !== stage.parent) Deno.exit(0);
  const isShown = measures.some(({ name, state }) => name === "own mounts" && state === "in force");
  const places = isShown ? shown : own;
  writeAll(encodeFrame({ type: "confined", measures, directory: places.directory }));
  return execute(places.executable, hostArguments(stage, places), { ...ENVIRONMENT, DENO_DIR: places.cache });
}

function writeAll(bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

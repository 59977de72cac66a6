/** Where commands run a plugin: its real sandbox, in a directory that is gone afterwards. */
import { openCgroups } from "../../os/cgroup.ts";
import { systemClock } from "../../os/clock.ts";
import type { Capabilities } from "../broker.ts";
import { installKit, type Kit } from "../kit.ts";
import type { LogLevel } from "../protocol.ts";
import { type Loaded, PluginProcess } from "../process.ts";
import { placeSource, type PluginSource } from "../source.ts";
import { pluginStage, pluginUid } from "../stage.ts";

export interface Workshop extends AsyncDisposable {
  readonly process: PluginProcess;
  readonly loaded: Loaded;
  readonly log: readonly string[];
  /** One call with a deadline, ms. */
  call(
    method: "init" | "check" | "plan" | "notify",
    argument: unknown,
    deadline: number,
    options?: { readonly capabilities?: Capabilities; readonly config?: unknown },
  ): Promise<unknown>;
}

/** The kit in a directory of its own. */
export interface KitPlace extends Disposable {
  readonly directory: string;
  readonly kit: Kit;
}

export function openKit(): KitPlace {
  const directory = Deno.makeTempDirSync({ prefix: "tandem-plugin-" });
  Deno.chmodSync(directory, 0o755);
  return {
    directory,
    kit: installKit(directory),
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

/** Loads `source` as a node would. @throws {PluginUnavailable} with the reason when it cannot be loaded */
export async function openWorkshop(source: PluginSource, { directory, kit }: KitPlace): Promise<Workshop> {
  const { manifest } = source;
  const uid = pluginUid(manifest.name, new Set());
  const log: string[] = [];
  const process = new PluginProcess({
    name: manifest.name,
    cgroups: openCgroups(),
    command: kit.command,
    stage: pluginStage({
      parent: Deno.pid,
      directory: placeSource(source, directory),
      kit,
      memory: manifest.limits.memory,
      user: Deno.uid() === 0 ? { uid, gid: uid } : null,
    }),
    entry: manifest.entry,
    kind: manifest.kind,
    host: { node: "dlp1", cluster: "edge", labels: {} },
    memory: manifest.limits.memory,
    isolation: "available",
    redact: (text) => text,
    clock: systemClock,
  }, {
    log: (level: LogLevel, text) => void log.push(`${level}: ${text}`),
    metric: () => {},
  });
  const loaded = await process.loaded;
  return {
    process,
    loaded,
    log,
    call: (method, argument, deadline, options = {}) => {
      const signal = AbortSignal.timeout(deadline);
      return process.call(method, "use", argument, { signal, ...options });
    },
    [Symbol.asyncDispose]: () => process.stop(),
  };
}

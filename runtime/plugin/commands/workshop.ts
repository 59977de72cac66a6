/** Where commands run a plugin: its real sandbox, in a directory that is gone afterwards. */
import { openCgroups } from "../../os/cgroup.ts";
import { systemClock } from "../../os/clock.ts";
import type { Capabilities } from "../broker.ts";
import { describeFailure, PluginUnavailable } from "../failure.ts";
import { IMPORTS, installKit, type Kit, type KitAddition } from "../kit.ts";
import { plainLine } from "../output.ts";
import { schemaProblems } from "../schema.ts";
import type { Manifest } from "../manifest.ts";
import type { LogLevel, PluginKind } from "../protocol.ts";
import { type Loaded, PluginProcess } from "../process.ts";
import { placeSource, type PluginSource } from "../source.ts";
import { pluginStage, pluginUid } from "../stage.ts";
import { type AppVisit, openAppVisit } from "./app_visit.ts";

export interface Workshop extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly process: PluginProcess;
  readonly loaded: Loaded;
  readonly log: readonly string[];
  /** To an application's sockets; null for other kinds. */
  readonly visit: AppVisit | null;
  /** An application takes requests from now on. */
  serve(capabilities?: Capabilities): void;
  /** One call with a deadline, ms. */
  call(
    method: "init" | "check" | "plan" | "notify" | "drain",
    argument: unknown,
    deadline: number,
    options?: { readonly capabilities?: Capabilities; readonly config?: unknown },
  ): Promise<unknown>;
}

/** What kinds need beside the kit of all. */
export interface Kits {
  readonly app: () => Promise<KitAddition>;
}

/** Kits in a directory of its own. */
export interface KitPlace extends Disposable {
  readonly directory: string;
  kitOf(kind: PluginKind): Promise<Kit>;
  additionOf(kind: PluginKind): Promise<KitAddition | null>;
  /** The import map by which types are checked; null where there is no Deno to check, or a package has no types here. */
  typesOf(kind: PluginKind): Promise<string | null>;
}

export function openKit(kits: Kits): KitPlace {
  const directory = Deno.makeTempDirSync({ prefix: "tandem-plugin-" });
  Deno.chmodSync(directory, 0o755);
  const place: KitPlace = {
    directory,
    additionOf: async (kind) => kind === "app" ? await kits.app() : null,
    kitOf: async (kind) => installKit(directory, await place.additionOf(kind)),
    async typesOf(kind) {
      const addition = await place.additionOf(kind);
      const { directory: kit } = await place.kitOf(kind);
      if (kit === null) return null;
      if (addition === null) return `${kit}/${IMPORTS}`;
      if (Object.keys(addition.types).length === 0) return null;
      const { imports } = JSON.parse(Deno.readTextFileSync(`${kit}/${IMPORTS}`));
      const absolute = Object.entries<string>(imports).map(([name, path]) => [name, path.replace(/^\./, kit)]);
      const file = `${directory}/${kind}-types.json`;
      Deno.writeTextFileSync(file, JSON.stringify({ imports: { ...Object.fromEntries(absolute), ...addition.types } }));
      return file;
    },
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
  return place;
}

/** @throws {PluginUnavailable} where the code declares what is no configuration: no one may rely on it, or print it */
function wellDeclared(loaded: Loaded): Loaded {
  const problems = schemaProblems(loaded.schema);
  if (problems.length === 0) return loaded;
  const sentences = problems.map(({ path, message }) => `${["config", ...path].map(plainLine).join(".")}: ${message}`);
  throw new PluginUnavailable(sentences.join("; "));
}

/** Fields of a line of the log, as its author gave them. */
function shown(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.keys(fields).length === 0 ? "" : ` ${JSON.stringify(fields)}`;
}

/** Loads `source` as a node would. @throws {PluginUnavailable} with the reason when it cannot be loaded */
export async function openWorkshop(source: PluginSource, place: KitPlace): Promise<Workshop> {
  const { directory } = place;
  const kit = await place.kitOf(source.manifest.kind);
  const visit = source.manifest.kind === "app" ? openAppVisit(directory) : null;
  const { manifest } = source;
  const { requests } = manifest;
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
      serving: visit?.serving,
    }),
    entry: manifest.entry,
    kind: manifest.kind,
    host: { node: "dlp1", cluster: "edge", labels: {} },
    // As if all that it asks for were granted; where an endpoint would be nobody has said yet.
    granted: { fetch: requests.endpoints, send: requests.endpoints, run: requests.commands, store: requests.store > 0 },
    memory: manifest.limits.memory,
    isolation: "available",
    redact: (text) => text,
    clock: systemClock,
  }, {
    log: (level: LogLevel, text, fields) => void log.push(`${level}: ${text}${shown(fields)}`),
    metric: () => {},
  });
  const end = async () => {
    await process.stop();
    await visit?.[Symbol.asyncDispose]();
  };
  const loaded = await process.loaded.then(wellDeclared).catch(async (error) => {
    await end();
    throw error;
  });
  return {
    manifest,
    process,
    loaded,
    log,
    visit,
    serve(capabilities = {}) {
      const { signal } = new AbortController();
      process.call("serve", "use", null, { signal, capabilities }).catch((error) =>
        void log.push(`error: ${describeFailure(error)}`)
      );
    },
    call: (method, argument, deadline, options = {}) => {
      const signal = AbortSignal.timeout(deadline);
      return process.call(method, "use", argument, { signal, ...options });
    },
    [Symbol.asyncDispose]: end,
  };
}

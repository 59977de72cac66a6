/**
 * The plugins of a configuration, and what of them runs. A reload swaps a plugin only when something of it has changed, and
 * only once its new self is initialised: a failure keeps the old one.
 */
import type { Cgroups } from "../os/cgroup.ts";
import type { Clock } from "../os/clock.ts";
import { type Measure, shortfalls, substitutes } from "../os/confine.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Capabilities } from "./broker.ts";
import { PluginError } from "./failure.ts";
import { effectiveGrants, endpointSecrets, type Granted, grantedNames, type Grants } from "./grants.ts";
import { installKit } from "./kit.ts";
import type { Manifest } from "./manifest.ts";
import { checkOptions } from "./options.ts";
import { redactor } from "./output.ts";
import { type Metric, MOST_METRICS, PluginMetrics } from "./plugin_metrics.ts";
import type { GrantedNames, HostInfo, LogLevel, PluginKind } from "./protocol.ts";
import {
  type Granted as RemoteGrants,
  type RemoteChecker,
  remoteChecker,
  type RemoteNotifier,
  remoteNotifier,
  type RemotePolicy,
  remotePolicy,
} from "./remote.ts";
import { type AppPlace, type AppSupport, RemoteApp } from "./remote_app.ts";
import { Sandbox, type SandboxState, type SandboxStatus } from "./sandbox.ts";
import { placeSource, type PluginSource, readSource } from "./source.ts";
import { pluginStage, pluginUid, type Serving } from "./stage.ts";

/** One entry of `plugins:`. */
export interface PluginOptions {
  /** Key in the configuration; what `use:` names. */
  readonly name: string;
  /** Directory or packed file. */
  readonly source: string;
  readonly grants: Granted;
  /** SHA-256 from `tandem.lock`; null where the operator's directory is not locked. */
  readonly sha256: string | null;
  /** Bytes it may use. @default what its manifest says */
  readonly memory?: number;
}

/** One place that names a plugin. */
export interface UseOptions {
  /** Unique: "backends.pg.check". */
  readonly id: string;
  readonly plugin: string;
  /** `with:`, its secrets resolved. */
  readonly with: unknown;
}

export interface RegistryOptions {
  /** Holds what plugins run from; must be reachable by every uid. */
  readonly directory: string;
  /** As the configuration says now: a plugin that was told otherwise is swapped. */
  readonly host: () => HostInfo;
  readonly cgroups: Cgroups;
  readonly isolation: "available" | "strict";
  readonly clock: Clock;
  readonly log: Logger;
  /** Every change of state of any plugin: an event `plugin.state`. */
  readonly changed: (plugin: string, state: SandboxState, reason: string) => void;
  /** What granted endpoints and the store are; absent while nothing offers them. */
  readonly capabilities?: (plugin: string, grants: Grants, granted: Granted) => Omit<Capabilities, "connect">;
  /** What applications need; absent where none is served. */
  readonly apps?: AppSupport;
}

/** For `status` and the API. */
export interface PluginStatus extends SandboxStatus {
  /** Key in the configuration. */
  readonly name: string;
  /** "acme/pg-role 1.2.0". */
  readonly plugin: string;
  readonly kind: PluginKind;
  readonly sha256: string;
  /** What it counts and measures itself. */
  readonly metrics: readonly Metric[];
  readonly isolation: {
    readonly inForce: readonly Measure["name"][];
    readonly missing: readonly string[];
    /** Missing too, and made up for: a sentence each. */
    readonly substituted: readonly string[];
  };
}

interface Running {
  readonly options: PluginOptions;
  readonly source: PluginSource;
  /** What it was told of its node. */
  readonly host: HostInfo;
  readonly sandbox: Sandbox;
  readonly uses: Map<string, UseOptions>;
  readonly granted: RemoteGrants;
  readonly uid: number | null;
  /** Of an application that is used. */
  readonly app: RemoteApp | null;
}

/** What could not be done, plugin by plugin; what could, was. */
export interface ApplyResult {
  readonly problems: readonly string[];
}

export class Registry {
  readonly #running = new Map<string, Running>();
  /** Applications that were replaced, and may still have requests. */
  readonly #retired = new Set<RemoteApp>();
  readonly #metrics = new PluginMetrics((plugin) =>
    this.options.log.warning(`[${plugin}] It has more than ${MOST_METRICS} metrics: the others are not kept`)
  );
  constructor(private readonly options: RegistryOptions) {}

  /**
   * Makes `plugins` and `uses` what runs. Plugins that did not change go on; new ones start when they are first called,
   * changed ones at once, beside the old.
   */
  async apply(plugins: readonly PluginOptions[], uses: readonly UseOptions[]): Promise<ApplyResult> {
    const problems: string[] = [];
    for (const plugin of plugins) {
      try {
        await this.#settle(plugin, uses.filter((use) => use.plugin === plugin.name));
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    const wanted = new Set(plugins.map((plugin) => plugin.name));
    await Promise.all(
      [...this.#running.values()].filter((running) => !wanted.has(running.options.name)).map((gone) => {
        this.#running.delete(gone.options.name);
        this.#metrics.forget(gone.options.name);
        return this.#dismiss(gone);
      }),
    );
    return { problems };
  }

  /** @throws {PluginError} when no plugin is used under `id`, or it is of another kind. */
  checker(id: string): RemoteChecker {
    const { sandbox, granted } = this.#find(id, "checker");
    return remoteChecker(sandbox, id, granted, this.options.clock);
  }

  /** @throws {PluginError} when no plugin is used under `id`, or it is of another kind. */
  policy(id: string): RemotePolicy {
    const { sandbox, granted } = this.#find(id, "policy");
    return remotePolicy(sandbox, id, granted, this.options.clock);
  }

  /** @throws {PluginError} when no plugin is used under `id`, or it is of another kind. */
  notifier(id: string): RemoteNotifier {
    const { sandbox, granted } = this.#find(id, "notifier");
    return remoteNotifier(sandbox, id, granted, this.options.clock);
  }

  /** The applications that are used. */
  apps(): readonly AppPlace[] {
    return [...this.#running.values()].flatMap(({ options: { name }, app, sandbox }) =>
      app === null ? [] : [{ name, socket: app.serving.socket, running: sandbox.status().state === "running" }]
    );
  }

  status(): PluginStatus[] {
    return [...this.#running.values()].map(({ options, source, sandbox }) => {
      const status = sandbox.status();
      const inForce = status.measures.filter(({ state }) => state === "in force").map(({ name }) => name);
      return {
        ...status,
        name: options.name,
        plugin: `${source.manifest.name} ${source.manifest.version}`,
        kind: source.manifest.kind,
        sha256: source.sha256,
        metrics: this.#metrics.of(options.name),
        isolation: { inForce, missing: shortfalls(status.measures), substituted: substitutes(status.measures) },
      };
    });
  }

  /** Ends the quarantine of the plugin `name`; false when there is none. */
  reset(name: string): boolean {
    const running = this.#running.get(name);
    running?.sandbox.reset();
    // Nobody asks it for the first time: its requests go past us.
    if (running?.app) running.sandbox.start().catch(() => {});
    return running !== undefined;
  }

  async stop(): Promise<void> {
    const all = [...this.#running.values()];
    this.#running.clear();
    const retired = [...this.#retired];
    this.#retired.clear();
    await Promise.all([...all.map(({ sandbox }) => sandbox.stop()), ...retired.map((app) => app.stop())]);
  }

  async #settle(options: PluginOptions, uses: readonly UseOptions[]): Promise<void> {
    const source = await readSource(options.source);
    if (options.sha256 !== null && options.sha256 !== source.sha256) {
      throw new PluginError(
        options.name,
        "load",
        `its files are not those of tandem.lock: sha256 ${source.sha256}, wanted ${options.sha256}; run tandem plugin add`,
      );
    }
    const before = this.#running.get(options.name);
    if (before && unchanged(before, { options, source, uses, host: this.options.host() })) return;
    const next = await this.#prepare(options, source, uses);
    // Blue and green: the old one serves until the new one has shown that it can. One that was not needed yet has no old.
    if (before?.sandbox.status().state === "running") {
      try {
        await next.sandbox.start();
      } catch (error) {
        await this.#end(next);
        const reason = error instanceof Error ? error.message : String(error);
        throw new PluginError(options.name, "init", `${reason}; the one that runs goes on`, { cause: error });
      }
    }
    this.#running.set(options.name, next);
    if (before) await this.#dismiss(before);
    // Nobody asks an application for the first time: its requests go past us. Nobody waits for it either.
    if (next.app !== null) next.sandbox.start().catch(() => {});
  }

  /** Nobody is to use it any more; an application may have requests, and be asked by whoever does not know yet. */
  async #dismiss(gone: Running): Promise<void> {
    const { app } = gone;
    if (app === null || gone.sandbox.status().state !== "running") return await this.#end(gone);
    this.#retired.add(app);
    app.retire(() => {
      this.#retired.delete(app);
      this.options.apps?.close(app.serving);
    });
  }

  async #end({ app, sandbox }: Running): Promise<void> {
    await sandbox.stop();
    if (app !== null) this.options.apps?.close(app.serving);
  }

  async #prepare(options: PluginOptions, source: PluginSource, uses: readonly UseOptions[]): Promise<Running> {
    const { manifest } = source;
    const { grants, missing } = effectiveGrants(options.name, manifest.requests, options.grants);
    if (!grants) throw new PluginError(options.name, "start", missing.join("; "));
    const granted = {
      ...this.options.capabilities?.(options.name, grants, options.grants),
      targets: grants.targets,
    };
    const configured = uses.map((use) => ({ use, ...configure(options.name, manifest, use) }));
    const redact = redactor([...configured.flatMap(({ secrets }) => secrets), ...endpointSecrets(options.grants)]);
    const taken = new Set([...this.#running.values()].flatMap(({ uid }) => uid ?? []));
    const uid = Deno.uid() === 0 ? pluginUid(options.name, taken) : null;
    const memory = options.memory ?? manifest.limits.memory;
    const serving = this.#open(options.name, manifest, uses, uid);
    let app: RemoteApp | null = null;
    const heard = (state: SandboxState) => app?.heard(state);
    const host = this.options.host();
    const sandbox = await this.#sandbox(options.name, source, {
      redact,
      uid,
      memory,
      serving,
      host,
      names: grantedNames(grants, options.grants),
      heard,
    });
    const { targets: _, ...capabilities } = granted;
    for (const { use, config } of configured) await sandbox.add({ id: use.id, config, capabilities });
    const { clock, log } = this.options;
    if (serving !== null) app = new RemoteApp(sandbox, { id: uses[0].id, serving, capabilities, clock, log });
    return { options, source, host, sandbox, uses: new Map(uses.map((use) => [use.id, use])), granted, uid, app };
  }

  /** Sockets of an application; null for other kinds, and while no route uses it. */
  #open(name: string, { kind }: Manifest, uses: readonly UseOptions[], uid: number | null): Serving | null {
    if (kind !== "app" || uses.length === 0) return null;
    if (!this.options.apps) throw new PluginError(name, "start", "no application is served here");
    return this.options.apps.open(name, uid);
  }

  async #sandbox(
    name: string,
    source: PluginSource,
    { redact, uid, memory, serving, host, names, heard }: {
      readonly redact: (text: string) => string;
      readonly uid: number | null;
      readonly memory: number;
      readonly serving: Serving | null;
      readonly host: HostInfo;
      readonly names: GrantedNames;
      readonly heard: (state: SandboxState) => void;
    },
  ): Promise<Sandbox> {
    const { directory, cgroups, isolation, clock, log, changed } = this.options;
    const { manifest } = source;
    const place = placeSource(source, directory);
    const kit = installKit(directory, serving === null ? null : await this.options.apps?.kit() ?? null);
    const stage = pluginStage({
      parent: Deno.pid,
      directory: place,
      kit,
      memory,
      user: uid === null ? null : { uid, gid: uid },
      serving,
    });
    const logger = log.with({ plugin: name });
    const say = { debug: logger.debug, info: logger.info, warn: logger.warning, error: logger.error };
    return new Sandbox({
      name,
      clock,
      process: {
        name,
        cgroups,
        command: kit.command,
        stage,
        entry: manifest.entry,
        kind: manifest.kind,
        host,
        granted: names,
        memory,
        isolation,
        redact,
        clock,
      },
    }, {
      log: (level: LogLevel, text, fields) => say[level](`[${name}] ${text}`, fields),
      metric: (metric, kind, value) => this.#metrics.observe(name, metric, kind, value),
      changed(state, reason) {
        heard(state);
        changed(name, state, reason);
      },
    });
  }

  #find(id: string, kind: PluginKind): Running {
    const found = [...this.#running.values()].find(({ uses }) => uses.has(id));
    if (!found) throw new PluginError(id, "start", "no plugin is used there");
    const is = found.source.manifest.kind;
    if (is !== kind) {
      throw new PluginError(found.options.name, "start", `its kind is ${is}, and ${id} wants kind ${kind}`);
    }
    return found;
  }
}

interface Wanted {
  readonly options: PluginOptions;
  readonly source: PluginSource;
  readonly uses: readonly UseOptions[];
  readonly host: HostInfo;
}

function unchanged(before: Running, { options, source, uses, host }: Wanted): boolean {
  return before.source.sha256 === source.sha256 && before.options.memory === options.memory &&
    JSON.stringify(before.options.grants) === JSON.stringify(options.grants) &&
    JSON.stringify(before.host) === JSON.stringify(host) &&
    JSON.stringify([...before.uses.values()]) === JSON.stringify(uses);
}

/** @throws {PluginError} with every problem of `with:`. */
function configure(name: string, manifest: Manifest, use: UseOptions): { config: unknown; secrets: readonly string[] } {
  const { value, problems, secrets } = checkOptions(manifest.config, use.with);
  if (problems.length > 0) {
    const sentences = problems.map(({ path, message }) => `${[use.id, "with", ...path].join(".")}: ${message}`);
    throw new PluginError(name, "start", sentences.join("; "));
  }
  return { config: value, secrets };
}

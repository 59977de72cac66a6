/**
 * The plugins and notifiers of a node. Nothing of them is loaded where the configuration names none; a process starts when it
 * is first asked, and a reload swaps what has changed.
 */
import type { Checker, CheckerContext, Event, Target } from "../../plugins/contract.ts";
import type { Config, NotifyConfig } from "../config/model.ts";
import { openCgroups } from "../os/cgroup.ts";
import type { Clock } from "../os/clock.ts";
import { forbiddenAddresses, isForbidden } from "../plugin/endpoints.ts";
import type { Granting } from "../plugin/granted.ts";
import type { DroppedEvents, Notifications, NotifierStatus, NotifyOptions } from "../plugin/notifications.ts";
import type { PluginStatus, Registry, UseOptions } from "../plugin/registry.ts";
import type { RemotePolicy, Unknown } from "../plugin/remote.ts";
import type { AppPlace } from "../plugin/remote_app.ts";
import type { Happening, JournalEvent } from "../telemetry/events.ts";
import type { Logger } from "../telemetry/log.ts";
import type { AppSockets } from "./app_sockets.ts";
import { PluginPlace } from "./plugin_place.ts";
import { pathOf } from "./plugin_knowledge.ts";

export interface PluginsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stateDirectory: string | null;
  readonly tell: (happening: Happening) => void;
  /** No process of this plugin answers now. */
  readonly lost: (plugin: string) => void;
  /** Whether this node holds an address, or has none to hold: for notifiers `from: active`. */
  readonly active: () => boolean;
  /** Sockets for applications. */
  readonly sockets: AppSockets;
  /** An application began to run, or does not run any more. */
  readonly appChanged: (name: string) => void;
}

export interface Plugins {
  /** Makes the plugins and notifiers of `config` what runs; answers what could not be done, one sentence each. */
  change(config: Config): Promise<readonly string[]>;
  /** The checker of the use `id`: it answers `unknown` while there is none. */
  checker(id: string): Checker<unknown>;
  /** null while there is none. */
  policy(id: string): RemotePolicy | null;
  /** The applications that routes name. */
  apps(): readonly AppPlace[];
  /** Tells the notifiers. Returns at once. */
  notify(event: JournalEvent): void;
  /** Whether an event waits to be told. */
  busy(): boolean;
  status(): { readonly plugins: readonly PluginStatus[]; readonly notifiers: readonly NotifierStatus[] };
  /** Ends the quarantine of a plugin; false when there is none of this name. */
  reset(name: string): boolean;
  stop(): Promise<void>;
}

/** What a change of a plugin's state is to the operator; others are not worth telling. */
const severities = { running: "notice", "backing off": "warning", quarantined: "error" } as const;
/** ms for one try of a notifier that comes with Tandem. */
const deliveryDeadline = 10_000;

interface Loaded {
  readonly registry: Registry;
  readonly notifications: Notifications;
  readonly granting: Granting;
  readonly place: PluginPlace;
}

export function createPlugins(options: PluginsOptions): Plugins {
  const { clock, log } = options;
  let loaded: Loaded | null = null;
  let config: Config | null = null;

  // What they are told of this node, and where none may connect, is what the configuration says now, and not at the start.
  const current = {
    get host() {
      return hostOf(config!);
    },
    get forbidden() {
      return nodeAddresses(config!);
    },
  };

  async function load({ isolation }: Config): Promise<Loaded> {
    const [{ Registry }, { Notifications }, { createGranting }] = await Promise.all([
      import("../plugin/registry.ts"),
      import("../plugin/notifications.ts"),
      import("../plugin/granted.ts"),
    ]);
    const place = await PluginPlace.open(options.stateDirectory);
    const granting = createGranting({ directory: place.stores, outward: current });
    const registry = new Registry({
      directory: place.code,
      host: () => current.host,
      cgroups: openCgroups(),
      isolation,
      clock,
      log,
      capabilities: granting,
      apps: {
        kit: once(() => import("./app_kit.ts").then(({ appKit }) => appKit())),
        open: (_name, uid) => options.sockets.open(uid),
        close: (serving) => options.sockets.close(serving),
      },
      changed(plugin, state, reason) {
        options.appChanged(plugin);
        if (state === "backing off" || state === "quarantined") options.lost(plugin);
        if (!Object.hasOwn(severities, state)) return log.info(`Plugin ${plugin} is ${state}: ${reason}`);
        const severity = severities[state as keyof typeof severities];
        const text = `plugin ${plugin} is ${state}: ${reason}`;
        options.tell({ type: "plugin.state", severity, about: plugin, text, fields: { state, reason } });
      },
    });
    const builtIn = { host: () => current.host, clock, log: log.with({ part: "notify" }), outward: current };
    const notifications = new Notifications({
      registry,
      builtIn,
      clock,
      log,
      dropped: (dropped) => options.tell(dropHappening(dropped)),
    });
    return { registry, place, granting, notifications };
  }

  return {
    async change(wanted) {
      if (loaded === null && wanted.plugins.length === 0 && wanted.notify.length === 0) return [];
      config = wanted;
      loaded ??= await load(wanted);
      const { problems } = await loaded.registry.apply(pluginOptions(wanted), usesOf(wanted));
      return [...problems, ...loaded.notifications.apply(wanted.notify.map((one) => notifyOptions(one, wanted)))];
    },
    checker: (id) => ({
      kind: "checker",
      async check(target: Target, context: CheckerContext<unknown>) {
        const refusal = config === null ? null : refusalOf(id, target, config);
        if (refusal !== null) return unknown(refusal);
        try {
          if (loaded === null) return unknown("no plugin runs");
          return await loaded.registry.checker(id).check(target, context) as Awaited<
            ReturnType<Checker<unknown>["check"]>
          >;
        } catch (error) {
          return unknown(error instanceof Error ? error.message : String(error));
        }
      },
      forget(target: Target) {
        try {
          loaded?.registry.checker(id).forget(target);
        } catch {
          // The use is gone, and with it whoever could forget.
        }
      },
    }),
    policy(id) {
      try {
        return loaded?.registry.policy(id) ?? null;
      } catch {
        return null;
      }
    },
    apps: () => loaded?.registry.apps() ?? [],
    notify(event) {
      if (loaded === null || config === null) return;
      // What a node became is news of its own; the rest both nodes see.
      const all = options.active() || event.type === "vrrp.transition";
      const silent = new Set(config.notify.filter(({ from }) => from === "active" && !all).map(({ id }) => id));
      loaded.notifications.tell({ ...event, attempt: 1 } as Event, ({ id }) => !silent.has(id));
    },
    busy: () => loaded?.notifications.status().some(({ waiting }) => waiting > 0) ?? false,
    status: () => ({
      plugins: loaded?.registry.status() ?? [],
      notifiers: loaded?.notifications.status() ?? [],
    }),
    reset: (name) => loaded?.registry.reset(name) ?? false,
    async stop() {
      loaded?.notifications.stop();
      await loaded?.registry.stop();
      await loaded?.granting.flush();
      await loaded?.place[Symbol.asyncDispose]();
      loaded = null;
    },
  };
}

function dropHappening({ notifier, use, count, last: { event, reason } }: DroppedEvents): Happening {
  const what = count === 1 ? `${event.id}, ${event.type} of ${event.about}` : `${count} events, the last ${event.id}`;
  return {
    type: "dropped",
    severity: "warning",
    about: notifier,
    text: `${use} (${notifier}) was not told of ${what}: ${reason}`,
    fields: { notifier, use, count, event: event.id, reason },
  };
}

/** The contract's checkers know no `unknown`; the prober, which asks, does. */
function unknown(reason: string): Awaited<ReturnType<Checker<unknown>["check"]>> {
  return { state: "unknown", reason } satisfies Unknown as never;
}

function directoryOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash === -1 ? "." : file.slice(0, slash) || "/";
}

function pluginOptions(config: Config) {
  return config.plugins.map(({ name, source, sha256, locked, grants, limits }) => ({
    name,
    source: pathOf(source, directoryOf(config.source.file)),
    grants,
    sha256: locked ? sha256 : null,
    memory: limits.memory,
  }));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => made ??= make();
}

/** Every place that names a plugin. All routes to one application are one use. */
export function usesOf(config: Config): UseOptions[] {
  const checks = config.backends.flatMap((backend) => [
    backend.check,
    ...backend.servers.map(({ check }) => check === "shared" ? null : check),
  ]);
  return [
    ...checks.flatMap((check) => check?.plugin ? [{ id: check.plugin, plugin: check.use, with: check.with }] : []),
    ...config.backends.flatMap(({ name, balance }) =>
      balance.plugin ? [{ id: `backends.${name}.balance`, plugin: balance.use, with: balance.with }] : []
    ),
    ...config.plugins.flatMap(({ name, kind, with: written }) =>
      kind === "app" && isRouted(name, config) ? [{ id: `plugins.${name}`, plugin: name, with: written }] : []
    ),
    ...config.notify.flatMap(({ id, use, with: written }) =>
      config.plugins.some(({ name }) => name === use) ? [{ id, plugin: use, with: written }] : []
    ),
  ];
}

function isRouted(app: string, { frontends }: Config): boolean {
  return frontends.some(({ routes }) => routes.some(({ action }) => action.type === "app" && action.app === app));
}

function notifyOptions(notify: NotifyConfig, config: Config): NotifyOptions {
  const { id, use, with: written, events, minSeverity, flap } = notify;
  const plugin = config.plugins.find(({ name }) => name === use);
  const deadline = plugin?.limits.deadline ?? deliveryDeadline;
  return { id, use, with: written, interest: { events, minSeverity, flap }, deadline };
}

/** What plugins are told of the node they run on. */
export function hostOf({ node, nodes, cluster }: Config) {
  return { node, cluster: cluster.name, labels: nodes[node]?.labels ?? {} };
}

function nodeAddresses({ nodes, vrrp }: Config): string[] {
  const peers = vrrp.flatMap(({ unicast }) => unicast?.peers ?? []);
  return [...new Set([...Object.values(nodes).flatMap(({ address }) => address ?? []), ...peers])];
}

/** A name may come to mean this machine, long after the configuration was checked. */
function refusalOf(id: string, { address }: Target, config: Config): string | null {
  const plugin = config.plugins.find(({ name }) => usesOf(config).some((use) => use.id === id && use.plugin === name));
  if (plugin === undefined || plugin.grants.netUnsafe.includes("targets")) return null;
  const forbidden = forbiddenAddresses({ unsafe: false }, { forbidden: nodeAddresses(config) });
  return isForbidden(forbidden, address) ? `${address} is reached only under net_unsafe: [targets]` : null;
}

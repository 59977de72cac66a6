/**
 * The applications of routes: a process each, kept alive like the other children, in a directory that only they and the
 * proxy can enter. They are the operator's own code, unconfined, and `status` calls them trusted.
 */
import { dirname, resolve } from "node:path";
import type { AppCommand, AppReport } from "../app/protocol.ts";
import type { Config } from "../config/model.ts";
import { isAppFile } from "../config/route_model.ts";
import { type Clock, within } from "../os/clock.ts";
import { describeExit, type Exit, type RoleListener, type RoleProcess } from "../os/process.ts";
import type { AppPlace } from "../plugin/remote_app.ts";
import type { ProxyOptions, ServerVerdict } from "../proxy/protocol.ts";
import type { Logger } from "../telemetry/log.ts";
import { contentOf } from "./app_files.ts";
import { importFlags } from "./app_packages.ts";
import { appBackend, appOf, appVerdict, balancerFrontends, type Forwarding } from "./app_options.ts";
import { type Child, superviseChild } from "./child.ts";

export interface AppsOptions {
  /** null where applications cannot be started. */
  readonly spawn: ((listener: RoleListener, flags: readonly string[]) => RoleProcess) | null;
  /** Where sockets are that only we and the proxy can come to. */
  readonly place: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** An application began to serve, or stopped. */
  readonly changed: (verdicts: readonly ServerVerdict[]) => void;
  /** Applications that are plugins, and where the balancer listens for them. */
  readonly confined: () => { readonly places: readonly AppPlace[]; readonly balancers: readonly Forwarding[] };
  readonly died: (role: string, exit: Exit, wait: number) => void;
}

/** One application for `status`. */
export interface AppView {
  readonly name: string;
  readonly kind: "app";
  readonly isolation: "trusted";
  readonly state: "running" | "down";
  readonly pid: number | null;
  readonly restarts: number;
  /** Why it does not run; null where it does, or has not said. */
  readonly reason: string | null;
}

export interface Apps {
  /**
   * Starts what `config` names, and what of it is changed anew: a successor that serves takes the place of the one that runs.
   * What is not named any more ends a while later, when nobody asks it any more. Answers what could not be done.
   */
  follow(config: Config): Promise<readonly string[]>;
  /** Adds what the proxy must know to reach them. */
  extend(options: ProxyOptions): ProxyOptions;
  /** Whether they are elsewhere than the proxy was told last. */
  moved(): boolean;
  verdicts(): readonly ServerVerdict[];
  views(): readonly AppView[];
  /** Ends them, after the requests they still have. */
  stop(drain: number): Promise<void>;
}

interface App {
  readonly name: string;
  /** What its files are, to know when they are others. */
  readonly content: string;
  readonly socket: string;
  readonly child: Child<AppCommand>;
  /** Resolves when it serves: null, or why it does not. */
  readonly settled: Promise<string | null>;
  running: boolean;
  reason: string | null;
}

/** An application says something every second. */
const silence = 10_000;
/** How long a successor may take to serve, ms. */
const patience = 10_000;
/** How long one that is replaced, or no longer named, may be asked still, ms. */
const farewell = 10_000;
/** How long it may take then to answer, ms. */
const drain = 30_000;

export function createApps(options: AppsOptions): Apps {
  const { clock, log } = options;
  const apps = new Map<string, App>();
  /** Those that nobody names any more: they end when their time is over. */
  const leaving = new Map<App, Disposable>();
  let count = 0;
  /** How applications find what they import; null before the first. */
  let flags: readonly string[] | null = null;
  /** What the proxy was told last. */
  let told = "";

  function launch(name: string, entry: string, content: string, config: Config): App {
    const { spawn } = options;
    if (spawn === null) throw new Error(`Cannot start application "${name}": this node starts no applications`);
    const socket = `${options.place()}/${count++}.sock`;
    const role = `app ${name}`;
    const balancer = `${options.place()}/forward.sock`;
    const { node, cluster: { name: cluster } } = config;
    const start = { entry, socket, balancer, node, cluster, labels: config.nodes[node]?.labels ?? {} };
    const { promise: settled, resolve: settle } = Promise.withResolvers<string | null>();
    const set = (running: boolean, reason: string | null) => {
      app.running = running;
      app.reason = reason;
      // What its successor, or its predecessor, is worth is another thing.
      if (apps.get(name) === app) options.changed([appVerdict(name, running)]);
    };
    const child = superviseChild<AppCommand, AppReport>({
      name: role,
      spawn: (listener) => spawn(listener, flags ?? []),
      clock,
      log,
      silence,
      started: (send) => send({ type: "start", ...start }),
      reported(report) {
        if (report.type === "ready") {
          set(true, null);
          settle(null);
        }
        if (report.type !== "failed") return;
        set(false, report.text);
        settle(report.text);
        log.error(`Application "${name}" does not start: ${report.text}`);
      },
      died(exit, wait) {
        set(false, app.reason);
        settle(describeExit(exit));
        options.died(role, exit, wait);
      },
    });
    const app: App = { name, content, socket, child, settled, running: false, reason: null };
    child.start();
    return app;
  }

  /** Puts a changed one in the place of `known` once it serves. Answers why it does not. */
  async function replace(known: App, entry: string, content: string, config: Config): Promise<string | null> {
    const next = launch(known.name, entry, content, config);
    const late = `it did not serve within ${patience / 1000} s`;
    const problem = await within(clock, patience, next.settled, late);
    if (problem !== null && known.running) {
      await end(next, 0);
      return `Application "${known.name}" is changed and does not start, the one that runs goes on: ${problem}`;
    }
    apps.set(known.name, next);
    dismiss(known);
    return null;
  }

  /** One that was told to leave, and has not yet. */
  function recall(name: string, content: string): App | null {
    for (const [app, time] of leaving) {
      if (app.name !== name || app.content !== content) continue;
      time[Symbol.dispose]();
      leaving.delete(app);
      return app;
    }
    return null;
  }

  function dismiss(app: App): void {
    const time = clock.after(farewell, () => {
      leaving.delete(app);
      void end(app, drain);
    });
    leaving.set(app, time);
  }

  function end({ child }: App, drain: number): Promise<void> {
    return child.stop({ type: "stop", drain }, drain + 1000, { type: "stop", drain: 0 });
  }

  return {
    async follow(config) {
      const wanted = appsOf(config);
      if (wanted.size > 0) flags ??= await importFlags(options.place());
      const problems = await Promise.all([...wanted].map(async (name) => {
        const entry = resolve(dirname(config.source.file), name);
        const content = await contentOf(entry);
        const known = apps.get(name);
        if (known === undefined) apps.set(name, recall(name, content) ?? launch(name, entry, content, config));
        else if (known.content !== content) return await replace(known, entry, content, config);
        return null;
      }));
      for (const app of [...apps.values()]) {
        if (wanted.has(app.name)) continue;
        apps.delete(app.name);
        dismiss(app);
      }
      return problems.filter((problem) => problem !== null);
    },
    extend(proxy) {
      const named = new Set(
        proxy.frontends.flatMap(({ routes = [] }) => routes.flatMap((route) => appOf(route.action) ?? [])),
      );
      const places = placesOf().filter(({ name }) => named.has(name));
      told = JSON.stringify(placesOf().map(({ name, socket }) => [name, socket]));
      if (places.length === 0) return proxy;
      const own = apps.size > 0 ? [{ name: "own", socket: `${options.place()}/forward.sock` }] : [];
      const balancers = balancerFrontends([...own, ...options.confined().balancers], proxy);
      return {
        ...proxy,
        frontends: [...proxy.frontends, ...balancers],
        backends: [...proxy.backends, ...places.map(({ name, socket }) => appBackend(name, socket))],
      };
    },
    moved: () => told !== "" && told !== JSON.stringify(placesOf().map(({ name, socket }) => [name, socket])),
    verdicts: () => placesOf().map(({ name, running }) => appVerdict(name, running)),
    views: () =>
      [...apps.values()].map(({ name, running, reason, child }) => ({
        name,
        kind: "app",
        isolation: "trusted",
        state: running ? "running" : "down",
        pid: child.pid,
        restarts: child.restarts,
        reason,
      })),
    async stop(drain) {
      for (const time of leaving.values()) time[Symbol.dispose]();
      await Promise.all([...apps.values(), ...leaving.keys()].map((app) => end(app, drain)));
      apps.clear();
      leaving.clear();
    },
  };

  function placesOf(): readonly AppPlace[] {
    return [...apps.values(), ...options.confined().places];
  }
}

/** The applications that routes name and that are files. */
function appsOf(config: Config): ReadonlySet<string> {
  return new Set(
    config.frontends.flatMap(({ routes }) =>
      routes.flatMap(({ action }) => action.type === "app" && isAppFile(action.app) ? [action.app] : [])
    ),
  );
}

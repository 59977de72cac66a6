/**
 * The applications of routes: a process each, kept alive like the other children, in a directory that only they and the
 * proxy can enter. They are the operator's own code, unconfined, and `status` calls them trusted.
 */
import { dirname, resolve } from "node:path";
import type { AppCommand, AppReport } from "../app/protocol.ts";
import type { Config } from "../config/model.ts";
import type { Clock } from "../os/clock.ts";
import type { Exit, RoleListener, RoleProcess } from "../os/process.ts";
import type { ProxyOptions, ServerVerdict } from "../proxy/protocol.ts";
import type { Logger } from "../telemetry/log.ts";
import { appBackend, appOf, appVerdict, balancerFrontend } from "./app_options.ts";
import { type Child, superviseChild } from "./child.ts";

export interface AppsOptions {
  /** null where applications cannot be started. */
  readonly spawn: ((listener: RoleListener) => RoleProcess) | null;
  /** Whose the sockets are to be; null = ours. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** An application began to serve, or stopped. */
  readonly changed: (verdicts: readonly ServerVerdict[]) => void;
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
  /** Starts what `config` names; what it does not name any more ends a while later, when nobody asks it any more. */
  follow(config: Config): void;
  /** Adds what the proxy must know to reach them. */
  extend(options: ProxyOptions): ProxyOptions;
  verdicts(): readonly ServerVerdict[];
  views(): readonly AppView[];
  /** Ends them, after the requests they still have. */
  stop(drain: number): Promise<void>;
}

interface App {
  readonly name: string;
  readonly entry: string;
  readonly socket: string;
  readonly child: Child<AppCommand>;
  running: boolean;
  reason: string | null;
  /** No configuration names it: it ends when this is over. */
  leaving: Disposable | null;
}

/** An application says something every second. */
const silence = 10_000;
/** How long one that is no longer named may be asked still, ms. */
const farewell = 10_000;

export function createApps(options: AppsOptions): Apps {
  const { clock, log } = options;
  const apps = new Map<string, App>();
  let directory: string | null = null;
  let count = 0;

  function place(): string {
    if (directory !== null) return directory;
    // A short path: the address of a Unix socket has room for 107 octets.
    directory = Deno.makeTempDirSync({ prefix: "tandem-apps-" });
    if (options.owner !== null) Deno.chownSync(directory, options.owner.uid, options.owner.gid);
    return directory;
  }

  function launch(name: string, config: Config): App {
    const { spawn } = options;
    if (spawn === null) throw new Error(`Cannot start application "${name}": this node starts no applications`);
    const socket = `${place()}/${count++}.sock`;
    const entry = resolve(dirname(config.source.file), name);
    const role = `app ${name}`;
    const balancer = `${place()}/forward.sock`;
    const { node, cluster: { name: cluster } } = config;
    const start = { entry, socket, balancer, node, cluster, labels: config.nodes[node]?.labels ?? {} };
    const set = (running: boolean, reason: string | null) => {
      app.running = running;
      app.reason = reason;
      options.changed([appVerdict(name, running)]);
    };
    const child = superviseChild<AppCommand, AppReport>({
      name: role,
      spawn,
      clock,
      log,
      silence,
      started: (send) => send({ type: "start", ...start }),
      reported(report) {
        if (report.type === "ready") set(true, null);
        if (report.type !== "failed") return;
        set(false, report.text);
        log.error(`Application "${name}" does not start: ${report.text}`);
      },
      died(exit, wait) {
        set(false, app.reason);
        options.died(role, exit, wait);
      },
    });
    const app: App = { name, entry, socket, child, running: false, reason: null, leaving: null };
    return app;
  }

  function dismiss(app: App): void {
    app.leaving = clock.after(farewell, () => {
      apps.delete(app.name);
      void end(app, farewell);
    });
  }

  function end({ child }: App, drain: number): Promise<void> {
    return child.stop({ type: "stop", drain }, drain + 1000, { type: "stop", drain: 0 });
  }

  return {
    follow(config) {
      const wanted = appsOf(config);
      for (const name of wanted) {
        const known = apps.get(name);
        known?.leaving?.[Symbol.dispose]();
        if (known !== undefined) known.leaving = null;
        else {
          const app = launch(name, config);
          apps.set(name, app);
          app.child.start();
        }
      }
      for (const app of apps.values()) if (!wanted.has(app.name) && app.leaving === null) dismiss(app);
    },
    extend(proxy) {
      const named = new Set(
        proxy.frontends.flatMap(({ routes = [] }) => routes.flatMap((route) => appOf(route.action) ?? [])),
      );
      const known = [...named].flatMap((name) => apps.get(name) ?? []);
      if (known.length === 0) return proxy;
      const balancer = balancerFrontend(`${place()}/forward.sock`, proxy.backends.map(({ name }) => name));
      return {
        ...proxy,
        frontends: [...proxy.frontends, balancer],
        backends: [...proxy.backends, ...known.map(({ name, socket }) => appBackend(name, socket))],
      };
    },
    verdicts: () => [...apps.values()].map(({ name, running }) => appVerdict(name, running)),
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
      for (const { leaving } of apps.values()) leaving?.[Symbol.dispose]();
      await Promise.all([...apps.values()].map((app) => end(app, drain)));
      apps.clear();
      if (directory !== null) await Deno.remove(directory, { recursive: true }).catch(() => {});
    },
  };
}

/** The applications that routes name. */
function appsOf(config: Config): ReadonlySet<string> {
  return new Set(
    config.frontends.flatMap(({ routes }) => routes.flatMap(({ action }) => action.type === "app" ? [action.app] : [])),
  );
}

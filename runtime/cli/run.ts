/** `run`: the node in the foreground. */
import type { Config } from "../config/model.ts";
import { version } from "../version.ts";
import { loadConfiguration, requireConfiguration } from "./configuration.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions } from "./options.ts";

/** What children are started with before the configuration has been read, because it is nearly always so. */
const usually = { user: "tandem", logLevel: "info" } as const;

export async function run(args: readonly string[]): Promise<number> {
  const began = performance.timeOrigin;
  const { values } = parseOptions("run", args, { config: { type: "string" }, node: { type: "string" } });
  const file = requireConfiguration(values.config ?? null);
  const node = values.node ?? null;
  // Everything that takes time goes on side by side: what is slow here is time without service.
  const reading = loadConfiguration(file, node);
  reading.catch(() => {});
  const importing = Promise.all([
    import("../control.ts"),
    import("../telemetry/log.ts"),
    import("../admin/app.ts"),
    import("../admin/listen.ts"),
    import("../admin/metrics_listener.ts"),
    import("../telemetry/access_log/relay.ts"),
  ]);
  const [{ prestart }, { chooseSpawners }, state, { missingCapabilities }, { onSignals }, pipes] = await Promise.all([
    import("../control/prestart.ts"),
    import("../control/roles.ts"),
    import("../control/state_directory.ts"),
    import("../os/credentials.ts"),
    import("../os/signals.ts"),
    import("../os/lent_pipe.ts"),
  ]);
  using directory = await state.openStateDirectory(state.stateDirectoryPath());
  const lacking = missingCapabilities(["NET_ADMIN", "NET_RAW"]);
  // Made before anybody knows whether requests are to be logged: a proxy inherits it when it starts, or never.
  const lines = pipes.openLentPipe();
  const { lend } = lines;
  const usual = await chooseSpawners({ ...usually, stateDirectory: directory.path, lend });
  const early = { vrrp: lacking.length === 0 ? prestart(usual.vrrp) : null, proxy: prestart(usual.proxy) };
  using unwanted = new DisposableStack();
  unwanted.defer(() => early.vrrp?.discard());
  unwanted.defer(() => early.proxy.discard());

  const config = await reading;
  requireCapabilities(config, lacking);
  const { proxy: { user }, log: { level: logLevel } } = config;
  const asUsual = user === usually.user && logLevel === usually.logLevel;
  if (!asUsual || config.vrrp.length === 0) early.vrrp?.discard();
  if (!asUsual) early.proxy.discard();
  const own = asUsual
    ? { ...usual, vrrp: early.vrrp?.spawn ?? usual.vrrp, proxy: early.proxy.spawn }
    : await chooseSpawners({ user, logLevel, stateDirectory: directory.path, lend });
  const missing = [...directory.missing, ...own.missing];
  const [
    { createControl },
    { createLogger },
    { createAdmin },
    { listenAdmin },
    { metricsListener },
    { startRelay },
  ] = await importing;
  const log = createLogger({ role: "control", level: config.log.level });
  globalThis.addEventListener("unhandledrejection", (event) => {
    // A fault in one request or notifier must not end a node that serves.
    event.preventDefault();
    log.error(`This is a fault in Tandem: ${event.reason instanceof Error ? event.reason.stack : event.reason}`);
  });

  const relay = startRelay({ source: lines, origin: { hostname: config.node, process: Deno.pid }, log });
  await using metrics = metricsListener(() => control.status(), log);
  const control = await createControl({
    config,
    load: () => loadConfiguration(file, node ?? config.node),
    version,
    log,
    spawn: own,
    stateDirectory: directory.path,
    missing,
    accessLog: { fd: lines.fd, relay },
    follow: (wanted) => metrics.configure(wanted.metrics),
  });
  const stopping = Promise.withResolvers<false>();
  let signals = 0;
  using _stops = onSignals(["SIGTERM", "SIGINT"], (signal) => {
    signals++;
    if (signals > 1) return control.hurry();
    log.notice(`${signal}: handing over and draining; another one hurries`);
    stopping.resolve(false);
  });
  using _reloads = onSignals(["SIGHUP"], () => void control.reload().catch(() => {}));
  // What HAProxy reloads at and keepalived writes its statistics would end a node.
  using _others = onSignals(["SIGUSR2"], () => log.notice("SIGUSR2 does nothing here: SIGHUP reloads, SIGTERM stops"));
  try {
    await using admin = await listenAdmin(config.admin, createAdmin(control, log).fetch, log);
    for (const sentence of [...missing, ...admin.missing]) log.warning(sentence);
    const starting = control.start().then(() => true);
    // A start that a signal overtook fails for nobody.
    starting.catch(() => {});
    if (await Promise.race([starting, stopping.promise])) {
      log.notice(`Node ${config.node} is up`, { ms: Math.round(Date.now() - began), config: file, admin: admin.at });
      await stopping.promise;
    }
    await control.stop();
    log.notice("Stopped");
  } catch (error) {
    // Nothing is served yet, so there is nothing to drain.
    control.hurry();
    await control.stop();
    throw error;
  }
  return Exit.done;
}

function requireCapabilities(config: Config, lacking: readonly string[]): void {
  if (config.vrrp.length === 0 || lacking.length === 0) return;
  throw new CommandError(
    Exit.failed,
    `Virtual routers need ${
      lacking.join(" and ")
    }, which this process lacks: run it as root, or with systemd's AmbientCapabilities=`,
  );
}

/** `run`: the node in the foreground. */
import { loadConfiguration, requireConfiguration } from "./configuration.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions } from "./options.ts";
import { version } from "../version.ts";

export async function run(args: readonly string[]): Promise<number> {
  const began = performance.now() + performance.timeOrigin;
  const { values } = parseOptions("run", args, { config: { type: "string" }, node: { type: "string" } });
  const file = requireConfiguration(values.config ?? null);
  const node = values.node ?? null;
  // Loaded beside each other: whatever is slow here is time without service.
  const [config, { createControl }, { chooseSpawners }, state, { createLogger }, processes, credentials] = await Promise
    .all([
      loadConfiguration(file, node),
      import("../control.ts"),
      import("../control/roles.ts"),
      import("../control/state_directory.ts"),
      import("../telemetry/log.ts"),
      import("../os/process.ts"),
      import("../os/credentials.ts"),
    ]);
  const lacking = config.vrrp.length === 0 ? [] : credentials.missingCapabilities(["NET_ADMIN", "NET_RAW"]);
  if (lacking.length > 0) {
    throw new CommandError(
      Exit.failed,
      `Virtual routers need ${
        lacking.join(" and ")
      }, which this process lacks: run it as root, or with systemd's AmbientCapabilities=`,
    );
  }
  const directory = await state.openStateDirectory(state.stateDirectoryPath());
  const log = createLogger({ role: "control", level: config.log.level });
  const spawners = await chooseSpawners({ user: config.proxy.user, stateDirectory: directory.path });
  const missing = [...directory.missing, ...spawners.missing];
  globalThis.addEventListener("unhandledrejection", (event) => {
    // A fault in one request or notifier must not end a node that serves.
    event.preventDefault();
    log.error(`This is a fault in Tandem: ${event.reason instanceof Error ? event.reason.stack : event.reason}`);
  });

  const control = await createControl({
    config,
    load: () => loadConfiguration(file, node ?? config.node),
    version,
    log,
    spawn: spawners,
    stateDirectory: directory.path,
    missing,
  });
  const stopped = Promise.withResolvers<void>();
  let signals = 0;
  using _stops = processes.onSignals(["SIGTERM", "SIGINT"], (signal) => {
    signals++;
    if (signals === 1) {
      log.notice(`${signal}: handing over and draining; another one hurries`);
      stopped.resolve();
    } else {
      control.hurry();
    }
  });
  using _reloads = processes.onSignals(["SIGHUP"], () => void control.reload().catch(() => {}));
  try {
    const [{ createAdmin }, { listenAdmin }] = await Promise.all([
      import("../admin/app.ts"),
      import("../admin/listen.ts"),
    ]);
    const app = createAdmin(control);
    await using admin = await listenAdmin(config.admin, (request) => app.fetch(request));
    for (const sentence of [...missing, ...admin.missing]) log.warning(sentence);
    const starting = control.start();
    // A start that a signal overtook fails for nobody.
    starting.catch(() => {});
    if (await Promise.race([starting.then(() => true), stopped.promise])) {
      const took = Math.round(Date.now() - began);
      log.notice(`Node ${config.node} is up`, { ms: took, config: file, admin: admin.at });
      await stopped.promise;
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

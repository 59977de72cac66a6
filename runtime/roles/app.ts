/** The process of one application: commands of control on stdin, reports on stdout, what it prints on stderr. */
import { CARRIED, carried } from "../app/carried.ts";
import type { AppCommand, AppReport } from "../app/protocol.ts";
import { type Service, startService } from "../app/service.ts";
import { onSignals, refuseInspector } from "../os/signals.ts";
import { createLogger } from "../telemetry/log.ts";

/** A process whose event loop stands still is told from one that has nothing to do. */
const PULSE = 1000;

/** Serves until told to stop; answers the exit code. */
export async function run(): Promise<number> {
  // Ctrl-C and systemd reach every process: who ends, and when, says control.
  onSignals(["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR2"], () => {});
  refuseInspector();
  const log = createLogger({ role: "app" });
  // stdout is the protocol's.
  const printed = globalThis["console"];
  Object.assign(printed, { log: printed.error, info: printed.error, debug: printed.error, table: printed.error });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    const { reason } = event;
    log.error("The application left an error to nobody", {
      error: reason instanceof Error ? reason.stack : `${reason}`,
    });
  });
  // Where this program is a bundle, modules that stand for its packages look for them here.
  Reflect.set(globalThis, CARRIED, carried);
  let service: Service | null = null;
  const pulse = setInterval(() => report({ type: "alive" }), PULSE);
  try {
    for await (const command of commands()) {
      if (command.type === "start") {
        service = await startService(command, log);
        report({ type: "ready" });
      } else {
        await finish(service, command.drain);
        return 0;
      }
    }
    return 0;
  } catch (error) {
    report({ type: "failed", text: error instanceof Error ? error.message : String(error) });
    return 1;
  } finally {
    clearInterval(pulse);
  }
}

async function finish(service: Service | null, drain: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, drain);
  await Promise.race([service?.stop(), late.promise]);
  clearTimeout(timer);
}

function report(report: AppReport): void {
  const line = new TextEncoder().encode(JSON.stringify(report) + "\n");
  try {
    for (let sent = 0; sent < line.length;) sent += Deno.stdout.writeSync(line.subarray(sent));
  } catch {
    // Control is gone; the end of stdin says so too.
  }
}

async function* commands(): AsyncGenerator<AppCommand> {
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line);
  }
}

/** The proxy process: commands of control on stdin, reports on stdout, logs on stderr; see `proxy/protocol.ts`. */
import { missingCapabilities } from "../os/credentials.ts";
import { libc } from "../os/libc.ts";
import { bestIo } from "../os/open_io.ts";
import { ignoreSignals } from "../os/signals.ts";
import type { ProxyCommand, ProxyReport } from "../proxy/protocol.ts";
import { ProxyMain } from "../proxy/proxy_main.ts";
import { createLogger } from "../telemetry/log.ts";

const RLIMIT_NOFILE = 7;
/** How long connections may go on when control is gone, ms. */
const ORPHAN_DRAIN = 30_000;

/** Serves until told to stop; answers the exit code. */
export async function run(): Promise<number> {
  // Control decides when we end: a Ctrl-C in its terminal reaches us too. Nobody reading a pipe is no reason to die.
  ignoreSignals("SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM", "SIGUSR1", "SIGUSR2");
  raiseDescriptorLimit();
  const log = createLogger({ role: "proxy" });
  const encoder = new TextEncoder();
  const report = (report: ProxyReport) => {
    const line = encoder.encode(JSON.stringify(report) + "\n");
    try {
      for (let sent = 0; sent < line.length;) sent += Deno.stdout.writeSync(line.subarray(sent));
    } catch {
      // Control is gone; the end of stdin says so too.
    }
  };
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const main = new ProxyMain({ report, log, stopped: resolve });
  const { name, reason } = bestIo();
  report({ type: "ready", pid: Deno.pid, io: name, user: userName(), missing: whatIsMissing() });
  // Not before control says something: where it finds its configuration wrong, that is all there is to say.
  listen(main, () => log.info(`I/O by ${name}`, { reason }));
  await stopped;
  return 0;
}

async function listen(main: ProxyMain, begin: () => void): Promise<void> {
  let begun = false;
  for await (const line of lines(Deno.stdin.readable)) {
    if (!begun) begin();
    begun = true;
    main.obey(JSON.parse(line) as ProxyCommand);
  }
  main.stop(ORPHAN_DRAIN);
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part !== "") yield part;
  }
}

function userName(): string {
  const uid = libc().geteuid();
  try {
    const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((each) => each.split(":")[2] === String(uid));
    return line?.split(":")[0] ?? String(uid);
  } catch {
    return String(uid);
  }
}

function whatIsMissing(): string[] {
  const missing = missingCapabilities(["NET_BIND_SERVICE"]);
  return missing.map((name) => `The proxy lacks ${name}: it cannot listen on ports below 1024`);
}

/** Each proxied connection takes two descriptors. */
function raiseDescriptorLimit(): void {
  const limit = new BigUint64Array(2);
  if (libc().getrlimit(RLIMIT_NOFILE, limit) < 0) return;
  limit[0] = limit[1];
  libc().setrlimit(RLIMIT_NOFILE, limit);
}

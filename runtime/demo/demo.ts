/**
 * `demo` and `demo --once`: a whole pair on this machine. Two processes of ours share the work: one stays on the host and
 * offers the nodes' admin APIs there; the other, in namespaces of its own (as root at once, otherwise through util-linux
 * `unshare`), holds the network and plays. Nothing outside the namespaces and one temporary directory is touched.
 */
import { parseArgs } from "node:util";
import { selfCommand } from "../os/process.ts";
import { onSignals } from "../os/signals.ts";
import { playInteractively } from "./interactive.ts";
import { endWithParent, runPart } from "./part.ts";
import { adminSocket, nodes } from "./picture.ts";
import { playOnce } from "./play.ts";
import { relay } from "./relay.ts";
import { Stage } from "./stage.ts";

/** Exit codes of the command line (contract 3). */
const failed = 1;
const interrupted = 130;

export const demoUsage = `demo [--once]   a whole pair on this machine, in private namespaces
  --once        plays start, balance, crash, handover and failback, prints the measured table; exit 0 if every step held`;

export interface DemoPorts {
  /** The program's own command line: runs a node in this process. */
  readonly run: (args: string[]) => Promise<number>;
}

/** Runs the demo; `args` are those after the word "demo". The exit code. */
export async function demo(args: readonly string[], ports: DemoPorts): Promise<number> {
  const [first, ...rest] = args;
  if (first === "part") return await runPart(rest, ports.run);
  if (first === "inside") return await inside(rest);
  let once: boolean;
  try {
    once = parseArgs({ args: [...args], options: { once: { type: "boolean", default: false } } }).values.once;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 2;
  }
  return await outside(once);
}

/** The process on the host. */
async function outside(once: boolean): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "tandem-demo-" });
  using resources = new DisposableStack();
  resources.defer(() => Deno.removeSync(directory, { recursive: true }));
  for (const { name, hostPort } of nodes) {
    try {
      resources.use(relay(hostPort, adminSocket(directory, name)));
    } catch (error) {
      // Worth a word, not worth the demo: everything else works without it.
      complain(`${error instanceof Error ? error.message : error}: the admin API of ${name} is not on the host`);
    }
  }
  const { path, args } = selfCommand(["demo", "inside", directory, once ? "once" : "live"]);
  const unshare = ["--user", "--map-root-user", "--net", "--", path, ...args];
  const privileged = mayMakeNamespaces();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(privileged ? path : "unshare", { args: privileged ? [...args] : unshare }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    complain('Cannot make namespaces: program "unshare" is not there: run the demo as root, or install util-linux');
    return failed;
  }
  // Ctrl-C reaches the whole foreground group: the other process cleans up, this one waits for it.
  using _signals = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], (signal) => {
    if (signal !== "SIGINT" || !Deno.stdin.isTerminal()) pass(child, signal);
  });
  const { code, signal } = await child.status;
  if (signal !== null) complain(`The demo's inner process ended by ${signal}`);
  if (!privileged && !started(directory)) complain(`Cannot make namespaces: ${await whyNot()}`);
  return code;
}

/** The process inside the namespaces. */
async function inside([directory, mode]: readonly string[]): Promise<number> {
  const host = Deno.ppid;
  endWithParent("SIGTERM");
  Deno.writeTextFileSync(startedFile(directory), "");
  const stop = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], () => stop.abort(new Stopped()));
  try {
    await using stage = new Stage(directory);
    if (mode === "once") return await playOnce(stage, say, stop.signal);
    await playInteractively(stage, say, stop.signal);
    return 0;
  } catch (error) {
    if (error instanceof Stopped) return interrupted;
    complain(error instanceof Error ? error.message : String(error));
    return failed;
  } finally {
    // The process on the host removes its directory, unless it was killed.
    if (Deno.ppid !== host) Deno.removeSync(directory, { recursive: true });
  }
}

/** The wish to stop, as the reason of an abort. */
class Stopped extends Error {
  override readonly name = "Stopped";
}

/** Whether this process may make network namespaces itself: CAP_SYS_ADMIN among its effective capabilities. */
function mayMakeNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
  const CAP_SYS_ADMIN = 21n;
  return (BigInt(`0x${effective}`) >> CAP_SYS_ADMIN & 1n) === 1n;
}

function startedFile(directory: string): string {
  return `${directory}/started`;
}

function started(directory: string): boolean {
  try {
    return Deno.statSync(startedFile(directory)).isFile;
  } catch {
    return false;
  }
}

/** Why an unprivileged user may not make namespaces here, and the setting that would allow it. */
async function whyNot(): Promise<string> {
  for (const { file, forbids, setting } of restrictions) {
    const value = await Deno.readTextFile(`/proc/sys/${file}`).catch(() => null);
    if (value !== null && value.trim() === forbids) {
      return `this system forbids user namespaces: run the demo as root, or allow them with "sysctl -w ${setting}"`;
    }
  }
  return "user namespaces are not allowed here (in a container: run it with --privileged, or as root with CAP_SYS_ADMIN)";
}

const restrictions = [
  { file: "user/max_user_namespaces", forbids: "0", setting: "user.max_user_namespaces=10000" },
  { file: "kernel/unprivileged_userns_clone", forbids: "0", setting: "kernel.unprivileged_userns_clone=1" },
  {
    file: "kernel/apparmor_restrict_unprivileged_userns",
    forbids: "1",
    setting: "kernel.apparmor_restrict_unprivileged_userns=0",
  },
] as const;

function pass(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}

function say(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

function complain(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

/**
 * The vrrp process: composes virtual routers, virtual addresses and kept connections in one loop that never leaves FFI.
 *
 * Control speaks on stdin, one JSON value a line, and hears on stdout; closing stdin is the command to stop. Nothing else
 * runs here: a late wake-up is a false failover.
 */
import { contains, equalAddresses, formatAddress, parseAddress } from "../bytes/address.ts";
import { OsError } from "../os/errno.ts";
import { libc } from "../os/libc.ts";
import { openPacketSocket } from "../os/packet_socket.ts";
import { CautiousWriter, LineReader, LineWriter } from "../os/pipe.ts";
import { type InterfaceAddress, isNews } from "../os/rtnetlink.ts";
import { type Network, openNetwork } from "../os/rtnetlink_network.ts";
import { lockProgram, monotonic, Poller, setRealtime } from "../os/scheduling.ts";
import { ignoreSignals } from "../os/signals.ts";
import { createLogger, type Logger } from "../telemetry/log.ts";
import { Holder } from "../vip/holder.ts";
import { Keeper, type KeeperEvent } from "../vip/keeper.ts";
import type { VirtualAddress, VrrpCommand, VrrpReport, VrrpRuntime } from "../vrrp/protocol.ts";
import { type InterfacePort, Router } from "../vrrp/router.ts";
import { Wire } from "../vrrp/wire.ts";

/** Above everything ordinary, below what a kernel runs at the top. */
const realtimePriority = 50;
/** In ms. */
const lastWordsPatience = 500;
/** IFA_F_SECONDARY: never the address that adverts come from while there is another. */
const secondary = 0x01;

/** Runs until stdin is closed or control says stop; answers the exit code. */
export function run(): Promise<number> {
  // Whoever reads our log may stop reading; adverts go on.
  const stderr = new CautiousWriter(2);
  const log = createLogger({ role: "vrrp", write: (line) => stderr.write(line) });
  // A terminal's Ctrl-C reaches the whole group: control decides what it means.
  ignoreSignals("SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2");
  try {
    new VrrpProcess(log).run();
    return Promise.resolve(0);
  } catch (error) {
    if (!(error instanceof OsError)) throw error;
    log.error(error.message);
    return Promise.resolve(1);
  }
}

class VrrpProcess {
  readonly #log: Logger;
  readonly #poller = new Poller();
  readonly #input = new LineReader(0);
  readonly #output = new LineWriter(1);
  readonly #network: Network;
  readonly #holder: Holder;
  readonly #keeper: Keeper;
  readonly #router: Router;
  #networkChanged = false;
  #commanded = false;

  /** @throws {OsError} EPERM without CAP_NET_RAW or CAP_NET_ADMIN. */
  constructor(log: Logger) {
    this.#log = log;
    this.#network = openNetwork();
    this.#holder = new Holder({
      network: this.#network,
      frames: openPacketSocket(),
      report: ({ type, text, instance }) => log[type === "waiting" ? "error" : "info"](text, { instance }),
    });
    this.#keeper = new Keeper({
      network: this.#network,
      ledger: ledgerPath(),
      report: (event) => this.#kept(event),
      said: (text) => log.notice(text),
    });
    this.#router = new Router({
      interfaces: interfacePort(this.#network),
      addresses: this.#holder,
      connections: this.#keeper,
      openWire: (device, listener) => new Wire({ device, poller: this.#poller, ...listener }),
      reconcile: (addresses) => this.#reconcile(addresses),
      log,
      report: (report) => this.#report(report),
      listening: () => this.#output.idle,
      now: monotonic,
      wallClock: Date.now,
      randomId: () => crypto.randomUUID(),
    });
  }

  run(): void {
    this.#poller.add(0, () => this.#commanded = true);
    this.#poller.add(this.#network.fd, () => this.#networkChanged = true);
    if (this.#keeper.fd >= 0) this.#poller.add(this.#keeper.fd, () => this.#keeper.read(monotonic()));
    this.#report({ type: "ready", pid: libc().getpid(), runtime: claimRuntime() });
    while (!this.#router.stopped) this.#turn();
    this.#report({ type: "stopped" });
    this.#lastWords();
    this.#keeper.close();
    this.#network.close();
  }

  /** One wake-up. Adverts come first: after a stall the election decides before anything is put back or commanded. */
  #turn(): void {
    const deadline = Math.min(this.#router.deadline(), this.#holder.deadline(), this.#keeper.deadline());
    this.#poller.wait(deadline - monotonic());
    if (this.#commanded) this.#listen();
    const now = monotonic();
    if (this.#networkChanged) this.#observe(now);
    this.#router.run(now);
    if (now >= this.#holder.deadline()) this.#holder.run(now);
    if (now >= this.#keeper.deadline()) this.#keeper.run(now);
  }

  #observe(now: number): void {
    this.#networkChanged = false;
    const events = this.#network.read();
    for (const event of events) {
      this.#holder.observe(event, now);
      if (event.type === "linkGone") this.#router.linkGone(event.link.index);
      else if (event.type === "lost") this.#router.linkGone(null);
    }
    if (events.some(isNews)) this.#router.look(now);
  }

  #listen(): void {
    this.#commanded = false;
    const now = monotonic();
    const { lines, ended } = this.#input.read();
    for (const line of lines) {
      try {
        this.#router.obey(JSON.parse(line) as VrrpCommand, now);
      } catch (error) {
        // One bad command must not take the addresses down.
        const text = error instanceof Error ? error.message : String(error);
        this.#log.error(`Cannot obey a command of control: ${text}`);
      }
    }
    if (!ended) return;
    this.#poller.remove(0);
    this.#router.stop(now);
  }

  #report(report: VrrpReport): void {
    const idle = this.#output.idle;
    this.#output.write(JSON.stringify(report));
    if (idle && !this.#output.idle) this.#awaitReader();
  }

  #awaitReader(): void {
    this.#poller.once(this.#output.fd, () => {
      this.#output.flush();
      if (!this.#output.idle) this.#awaitReader();
    });
  }

  /** Control may read what is still in the pipe, but nobody waits for it for long. */
  #lastWords(): void {
    // Nobody reads it any more: once it is closed it would be readable for ever.
    this.#poller.remove(0);
    const end = monotonic() + lastWordsPatience;
    while (!this.#output.idle && monotonic() < end) this.#poller.wait(end - monotonic());
  }

  #kept({ type, instance, text }: KeeperEvent): void {
    this.#log.info(`${instance}: ${text}`);
    if (type !== "connections") this.#router.connectionsEnded(instance, type, monotonic());
  }

  #reconcile(addresses: readonly VirtualAddress[]): void {
    for (const text of this.#keeper.clean(addresses.map(({ address }) => address))) this.#log.notice(text);
    this.#holder.reconcile(addresses);
  }
}

function interfacePort(network: Network): InterfacePort {
  const inet = (index: number) => network.addresses(index).filter(({ family }) => family === 4);
  return {
    view(name, ours) {
      const link = network.link(name);
      if (link === undefined) return null;
      const virtual = new Set(ours.map(formatAddress));
      // An address owner has nothing but the virtual address itself: better than none.
      const rank = ({ address, flags }: InterfaceAddress) =>
        (virtual.has(address) ? 2 : 0) + ((flags & secondary) === 0 ? 0 : 1);
      const addresses = inet(link.index).sort((a, b) => rank(a) - rank(b)).map(({ address }) => parseAddress(address));
      const mac = [...link.mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
      return { index: link.index, up: link.up, mac, addresses };
    },
    isLocal(address) {
      for (const { index } of network.links()) {
        if (inet(index).some((one) => equalAddresses(parseAddress(one.address), address))) return true;
      }
      return false;
    },
    isNear(name, address) {
      const link = network.link(name);
      if (link === undefined) return false;
      return inet(link.index).some((one) =>
        contains({ address: parseAddress(one.address), prefix: one.prefix }, address)
      );
    },
  };
}

/** Takes what this machine gives of real-time priority and locked memory, and says what is missing. */
function claimRuntime(): VrrpRuntime {
  const missing: string[] = [];
  const attempt = (what: () => void, needs: string): boolean => {
    try {
      what();
      return true;
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      missing.push(`${error.message}, needs ${needs}`);
      return false;
    }
  };
  const realtime = attempt(() => setRealtime(realtimePriority), "CAP_SYS_NICE");
  const locked = attempt(lockProgram, "CAP_IPC_LOCK");
  return { realtime, locked, missing };
}

/** Where changed ARP settings are remembered over a crash; null where there is no state directory. */
function ledgerPath(): string | null {
  const directory = Deno.env.get("TANDEM_STATE_DIR") ?? "/var/lib/tandem";
  try {
    Deno.mkdirSync(directory, { recursive: true });
    return `${directory}/vrrp-sysctls.json`;
  } catch {
    return null;
  }
}

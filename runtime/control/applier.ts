/**
 * From the configuration that runs to the one that is wanted, in the order that serves before it announces: checks and
 * listeners, then virtual routers. What is the same on both sides is not touched.
 */
import type { Config } from "../config/model.ts";
import type { CheckedServer, Prober } from "../health/prober.ts";
import { type Clock, within } from "../os/clock.ts";
import type { ListenerStatus } from "../proxy/protocol.ts";
import { isEqual } from "./equal.ts";
import type { Names } from "./names.ts";
import { proxyOptions } from "./proxy_options.ts";
import type { ProxyProcess } from "./proxy_process.ts";
import { checkedServers } from "./servers.ts";
import { vrrpOptions } from "./vrrp_options.ts";
import type { VrrpProcess } from "./vrrp_process.ts";

export interface ApplierOptions {
  /** What is wanted first. */
  readonly config: Config;
  /** Processors for `threads: auto`. */
  readonly cores: number;
  readonly clock: Clock;
  /** How long a child may take to answer, ms. */
  readonly patience: number;
  readonly prober: Prober;
  readonly proxy: Pick<ProxyProcess, "apply" | "facts"> & {
    /** Whether it must be told again, though the configuration says the same. */
    readonly stale: () => boolean;
  };
  readonly vrrp: Pick<VrrpProcess, "apply">;
  readonly names: Pick<Names, "addressOf" | "watch">;
  /** Descriptor of the access log's pipe in the proxy; null = there is none. */
  readonly logFd: number | null;
  /** Others follow the configuration too. Rejects what they cannot follow. */
  readonly follow: (config: Config) => Promise<void>;
  /** Servers are others, or weigh otherwise: judge them before the proxy is told of them. */
  readonly judgeServers: () => void;
  /** Listeners are where they should be: judge what is tracked before the virtual routers are told. */
  readonly judgeTrackers: () => void;
}

export class Applier {
  #config: Config;
  #busy = false;
  readonly #options: ApplierOptions;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** What runs, or is being applied. */
  get config(): Config {
    return this.#config;
  }

  /** Listeners are on their way: what is to open is not there yet, what is to close already gone, and neither is a failure. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Listens, with nothing running before. @throws {Error} a sentence for each listener that cannot be had. */
  async listen(): Promise<void> {
    await this.#options.follow(this.#config);
    this.#options.names.watch(hostsOf(this.#config));
    this.#options.prober.watch(this.#checked(this.#config));
    this.#options.judgeServers();
    refuseDeaf(await this.#applyProxy(this.#config), []);
  }

  /** Names of servers have other addresses than they had. */
  async readdress(): Promise<void> {
    this.#options.prober.watch(this.#checked(this.#config));
    this.#options.judgeServers();
    await this.#applyProxy(this.#config);
  }

  /** Starts the virtual routers. Answers the problems met. */
  async announce(): Promise<readonly string[]> {
    this.#options.judgeTrackers();
    const problems = this.#options.vrrp.apply(vrrpOptions(this.#config));
    return await within(this.#options.clock, this.#options.patience, problems, null) ?? this.#neverAnswered("vrrp");
  }

  /**
   * Goes to `wanted`. Answers the problems that its virtual routers met.
   *
   * @throws {Error} when a listener cannot be had; then everything is as it was.
   */
  async change(wanted: Config): Promise<readonly string[]> {
    const running = this.#config;
    this.#busy = true;
    try {
      await this.#options.follow(wanted);
      await this.#changeListeners(running, wanted);
    } catch (cause) {
      await this.#options.follow(running);
      if (this.#options.proxy.stale()) await this.#applyProxy(running);
      throw cause;
    } finally {
      this.#busy = false;
    }
    this.#options.names.watch(hostsOf(wanted));
    this.#options.prober.watch(this.#checked(wanted));
    if (!isEqual(vrrpOptions(running), vrrpOptions(wanted))) return await this.announce();
    this.#options.judgeTrackers();
    return [];
  }

  async #changeListeners(running: Config, wanted: Config): Promise<void> {
    const { cores, logFd, names, prober, proxy } = this.#options;
    const options = (config: Config) => proxyOptions(config, cores, logFd, names.addressOf);
    this.#adopt(wanted, running);
    if (isEqual(options(running), options(wanted)) && !proxy.stale()) return;
    const before = proxy.facts().listeners;
    try {
      refuseDeaf(await this.#applyProxy(wanted), before);
    } catch (cause) {
      this.#adopt(running, wanted);
      await this.#applyProxy(running);
      prober.watch(this.#checked(running));
      throw cause;
    }
  }

  /** Judges by `wanted` from now on. Checks of `other` go on until it is sure that nobody goes back there. */
  #adopt(wanted: Config, other: Config): void {
    this.#config = wanted;
    // Names that are new have no address yet; those of `other` are known still.
    this.#options.names.watch([...hostsOf(wanted), ...hostsOf(other)]);
    const servers = this.#checked(wanted);
    const names = new Set(servers.map(({ target }) => `${target.backend}/${target.server}`));
    const spare = this.#checked(other).filter(({ target }) => !names.has(`${target.backend}/${target.server}`));
    this.#options.prober.watch([...servers, ...spare]);
    this.#options.judgeServers();
  }

  async #applyProxy(config: Config): Promise<readonly ListenerStatus[]> {
    const { clock, cores, logFd, names, patience, proxy } = this.#options;
    const options = proxyOptions(config, cores, logFd, names.addressOf);
    return await within(clock, patience, proxy.apply(options), null) ??
      this.#neverAnswered("proxy");
  }

  #checked(config: Config): CheckedServer[] {
    return checkedServers(config, this.#options.names.addressOf);
  }

  #neverAnswered(role: string): never {
    throw new Error(
      `The ${role} process did not answer within ${this.#options.patience / 1000} s; its log says why`,
    );
  }
}

/** Addresses and names of all servers. */
function hostsOf({ backends }: Config): string[] {
  return backends.flatMap(({ servers }) => servers.map(({ address }) => address));
}

/** @throws {Error} when a listener does not listen that did not fail `before`: a sentence for each. */
function refuseDeaf(listeners: readonly ListenerStatus[], before: readonly ListenerStatus[]): void {
  const known = before.filter(({ listening }) => !listening);
  const deaf = listeners.filter(({ frontend, address, listening }) =>
    !listening && !known.some((one) => one.frontend === frontend && one.address === address)
  );
  if (deaf.length === 0) return;
  const sentences = deaf.map((one) => one.error ?? `Cannot listen on ${one.address} for frontend "${one.frontend}"`);
  throw new Error([...new Set(sentences)].join("\n"));
}

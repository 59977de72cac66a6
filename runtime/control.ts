/**
 * The composition root of a node: configuration in; children, checks, trackers and operator verbs tied together; `status`
 * and events out. Start and reload are one path, from what runs to what is wanted, in the order that serves before it
 * announces; stop goes back in the other order.
 */
import type { Checker } from "../plugins/contract.ts";
import http from "../plugins/health/http.ts";
import tcp from "../plugins/health/tcp.ts";
import { diff, type Plan } from "./config/diff.ts";
import type { Config } from "./config/model.ts";
import { addressChange } from "./control/addresses.ts";
import { isEqual } from "./control/equal.ts";
import { createMoves, type Moves } from "./control/moves.ts";
import { openOperatorState, type OperatorState } from "./control/operator_state.ts";
import { changeServer, type ServerChange, serverOverride } from "./control/overrides.ts";
import { describePlan } from "./control/plan.ts";
import { proxyOptions } from "./control/proxy_options.ts";
import { type ProxyProcess, startProxyProcess } from "./control/proxy_process.ts";
import { RefusedError } from "./control/refused_error.ts";
import { createServerBoard, type ServerBoard } from "./control/server_board.ts";
import { checkedServers, type ServerView } from "./control/servers.ts";
import { buildStatus, type Phase, type Status } from "./control/status.ts";
import { frontendCause, trackInstance } from "./control/tracking.ts";
import { vrrpOptions } from "./control/vrrp_options.ts";
import { startVrrpProcess, type VrrpProcess } from "./control/vrrp_process.ts";
import { createProber, type Prober } from "./health/prober.ts";
import { type Clock, systemClock, within } from "./os/clock.ts";
import { describeExit, type Exit, type RoleListener, type RoleProcess } from "./os/process.ts";
import type { ListenerStatus, ServerVerdict } from "./proxy/protocol.ts";
import { type Happening, type Journal, openJournal } from "./telemetry/events.ts";
import type { Logger } from "./telemetry/log.ts";
import type { InstanceStatus } from "./vrrp/protocol.ts";

export interface ControlOptions {
  readonly config: Config;
  /** Reads the configuration again; throws with what is wrong with it. */
  readonly load: () => Promise<Config>;
  readonly version: string;
  readonly log: Logger;
  readonly spawn: {
    readonly vrrp: (listener: RoleListener) => RoleProcess;
    readonly proxy: (listener: RoleListener) => RoleProcess;
  };
  /** What must outlive this run is kept here; null = nowhere. */
  readonly stateDirectory: string | null;
  /** Sentences about what this machine does not give. */
  readonly missing: readonly string[];
  /** Processors for `threads: auto`. @default navigator.hardwareConcurrency */
  readonly cores?: number;
  /** @default the system's */
  readonly clock?: Clock;
}

export interface Reloaded {
  readonly plan: Plan;
  readonly text: string;
}

export interface Control extends Pick<Moves, "failover" | "failback"> {
  readonly journal: Journal;
  status(): Status;
  /** Why this node could not serve its addresses now; empty when it could. */
  unready(): readonly string[];
  /**
   * Brings the node up: listeners, the first round of checks, then the virtual routers.
   *
   * @throws {Error} when it cannot serve: one sentence for each reason.
   */
  start(): Promise<void>;
  /** What a reload would do now. @throws {RefusedError} when the configuration is wrong. */
  plan(): Promise<Reloaded>;
  /** Reads the configuration again and applies what changed. @throws {RefusedError} when it is wrong: then nothing changed. */
  reload(): Promise<Reloaded>;
  /** @throws {RefusedError} */
  changeServer(backend: string, server: string, change: ServerChange): ServerView;
  /** Hands over, drains, ends the children. Once. */
  stop(): Promise<void>;
  /** Ends the drain of `stop`. */
  hurry(): void;
}

/** At most so long the virtual addresses wait for the first round of checks (contract 2.5), ms. */
const firstRound = 2000;
/** A child that does not answer a command for so long, ms, fails it. */
const patience = 10_000;
/** How often trackers are judged though nothing was reported, ms. */
const tick = 500;

const builtIns: Readonly<Record<string, unknown>> = { tcp, http };

/** Starts the children, and gives them nothing to do yet. */
export async function createControl(options: ControlOptions): Promise<Control> {
  const clock = options.clock ?? systemClock;
  const { config, stateDirectory: directory, log } = options;
  const [journal, operator] = await Promise.all([
    openJournal({ node: config.node, cluster: config.cluster.name, directory, now: clock.now }),
    openOperatorState(directory, clock, log),
  ]);
  return new Node(options, clock, journal, operator);
}

class Node implements Control {
  /** What runs, or what is being applied. */
  private config: Config;
  private phase: Phase = "starting";
  /** Listeners are on their way from one configuration to another. */
  private applying = false;
  private reloading: Promise<unknown> = Promise.resolve();
  private ticking: Disposable | null = null;
  private readonly startedAt: number;
  private readonly cores: number;
  private readonly log: Logger;
  private readonly prober: Prober;
  private readonly board: ServerBoard;
  private readonly vrrp: VrrpProcess;
  private readonly proxy: ProxyProcess;
  private readonly moves: Moves;

  constructor(
    private readonly options: ControlOptions,
    private readonly clock: Clock,
    readonly journal: Journal,
    private readonly operator: OperatorState,
  ) {
    const { config, log } = options;
    this.config = config;
    this.log = log;
    this.startedAt = clock.now();
    this.cores = options.cores ?? navigator.hardwareConcurrency;
    this.vrrp = startVrrpProcess({
      spawn: options.spawn.vrrp,
      clock,
      log,
      holds: () => operator.overrides.holds,
      status: (instance, before) => this.hearInstance(instance, before),
      // The process has logged it itself.
      event: (event) => void journal.add({ ...event, text: `${event.about}: ${event.text}` }),
      died: (exit, wait) => this.tellDeath("vrrp", exit, wait),
    });
    this.proxy = startProxyProcess({
      spawn: options.spawn.proxy,
      clock,
      log,
      verdicts: () => this.board.views().map(toVerdict),
      changed: () => this.judgeTrackers(),
      died: (exit, wait) => this.tellDeath("proxy", exit, wait),
    });
    const labels = config.nodes[config.node]?.labels ?? {};
    this.prober = createProber({
      clock,
      log: log.with({ part: "health" }),
      host: { node: config.node, cluster: config.cluster.name, labels },
      checker: (use) => builtIns[use] as Checker<unknown>,
      observed: ({ target }) => this.judgeServers(target.backend),
    });
    this.board = createServerBoard({
      standing: (backend, server) => this.prober.standing(backend, server),
      override: (backend, server) => serverOverride(operator.overrides, backend, server),
      now: clock.now,
      changed: (views) => {
        this.proxy.send({ type: "verdicts", verdicts: views.map(toVerdict) });
        this.judgeTrackers();
      },
      tell: (happening) => this.tell(happening),
    });
    this.moves = createMoves({ config: () => this.config, vrrp: this.vrrp, state: operator, clock, patience });
    operator.onExpiry = () => this.judgeServers();
    if (config.vrrp.length > 0) this.vrrp.child.start();
    this.proxy.child.start();
  }

  async start(): Promise<void> {
    const deadline = this.clock.monotonic() + firstRound;
    this.prober.watch(checkedServers(this.config));
    this.judgeServers();
    refuseDeaf(await this.applyProxy(this.config));
    // Contract 2.5: who announces an address can serve it.
    while (!this.prober.settled() && this.clock.monotonic() < deadline) {
      await new Promise<void>((resolve) => this.clock.after(5, resolve));
    }
    if (this.phase !== "starting") return;
    this.judgeTrackers();
    await this.applyVrrp(this.config);
    if (this.phase !== "starting") return;
    this.phase = "running";
    this.keepTicking();
  }

  status(): Status {
    const { vrrp, proxy } = this;
    return buildStatus({
      config: this.config,
      version: this.options.version,
      phase: this.phase,
      startedAt: this.startedAt,
      now: this.clock.now(),
      io: proxy.ready?.io ?? null,
      instances: vrrp.instances(),
      waiting: this.phase === "starting" ? "waiting for the first round of checks" : "not started yet",
      proxy: proxy.facts(),
      counters: proxy.counters(),
      servers: this.board.view,
      overrides: this.operator.overrides,
      children: [vrrp.child, proxy.child].filter(({ started }) => started).map(({ name, pid, restarts }) => ({
        role: name,
        pid,
        restarts,
      })),
      isolation: {
        proxy_user: proxy.ready?.user ?? null,
        realtime: vrrp.runtime?.realtime ?? false,
        locked: vrrp.runtime?.locked ?? false,
      },
      missing: [...this.options.missing, ...vrrp.runtime?.missing ?? [], ...proxy.ready?.missing ?? []],
    });
  }

  unready(): readonly string[] {
    if (this.phase !== "running") return [`the node is ${this.phase}`];
    const facts = this.proxy.facts();
    const frontends = this.config.frontends.flatMap(({ name }) => frontendCause(this.config, name, facts) ?? []);
    const instances = this.config.vrrp.flatMap(({ name }) => {
      const status = this.vrrp.instances().find((one) => one.name === name);
      if (status === undefined) return [`${name} has not been started`];
      return status.state === "fault" ? [`${name} is in fault: ${status.reason}`] : status.tracking.causes;
    });
    return [...new Set([...frontends, ...instances])];
  }

  failover: Moves["failover"] = (instance, request) => this.moves.failover(instance, request);

  failback: Moves["failback"] = (instance) => this.moves.failback(instance);

  changeServer(backend: string, server: string, change: ServerChange): ServerView {
    const configured = this.config.backends.find(({ name }) => name === backend)?.servers
      .find(({ name }) => name === server);
    if (configured === undefined) throw new RefusedError("unknown", `There is no server "${backend}/${server}"`);
    this.operator.set(changeServer(this.operator.overrides, backend, server, change, configured.weight));
    this.judgeServers(backend);
    const view = this.board.view(backend, server);
    if (view === null) throw new RefusedError("unknown", `There is no server "${backend}/${server}"`);
    return view;
  }

  async plan(): Promise<Reloaded> {
    try {
      const plan = diff(this.config, await this.options.load());
      return { plan, text: describePlan(plan) };
    } catch (cause) {
      throw new RefusedError("invalid", messageOf(cause));
    }
  }

  reload(): Promise<Reloaded> {
    // One at a time: each compares with what the one before it left.
    const run = this.reloading.then(() => this.reloadNow());
    this.reloading = run.catch(() => {});
    return run;
  }

  private async reloadNow(): Promise<Reloaded> {
    const about = this.config.source.file;
    try {
      if (this.phase !== "running") throw new Error(`The node is ${this.phase}`);
      const wanted = await this.options.load();
      const plan = diff(this.config, wanted);
      await this.apply(wanted);
      const text = describePlan(plan);
      this.tell({ type: "config.reload", severity: "notice", about, text: `Reloaded: ${text}`, fields: { plan } });
      return { plan, text };
    } catch (cause) {
      const text = `Not reloaded, nothing changed: ${messageOf(cause)}`;
      this.tell({ type: "config.reload", severity: "error", about, text });
      throw new RefusedError("invalid", messageOf(cause));
    }
  }

  /** From what runs to `wanted`; back to what runs when a listener cannot be had. */
  private async apply(wanted: Config): Promise<void> {
    const running = this.config;
    this.applying = true;
    try {
      await this.applyListeners(running, wanted);
    } finally {
      this.applying = false;
    }
    this.prober.watch(checkedServers(wanted));
    this.judgeTrackers();
    if (!isEqual(vrrpOptions(running), vrrpOptions(wanted))) await this.applyVrrp(wanted);
  }

  private async applyListeners(running: Config, wanted: Config): Promise<void> {
    this.adopt(wanted, running);
    if (isEqual(proxyOptions(running, this.cores), proxyOptions(wanted, this.cores))) return;
    const before = this.proxy.facts().listeners;
    try {
      refuseDeaf(await this.applyProxy(wanted), before);
    } catch (cause) {
      this.adopt(running, wanted);
      await this.applyProxy(running);
      this.prober.watch(checkedServers(running));
      throw cause;
    }
  }

  /** Judges by `wanted` from now on. Checks of `other` go on until it is sure that nobody goes back there. */
  private adopt(wanted: Config, other: Config): void {
    this.config = wanted;
    const servers = checkedServers(wanted);
    const names = new Set(servers.map(({ target }) => `${target.backend}/${target.server}`));
    const spare = checkedServers(other).filter(({ target }) => !names.has(`${target.backend}/${target.server}`));
    this.prober.watch([...servers, ...spare]);
    this.judgeServers();
  }

  private async applyProxy(config: Config): Promise<readonly ListenerStatus[]> {
    const listeners = await within(this.clock, patience, this.proxy.apply(proxyOptions(config, this.cores)), null);
    return listeners ?? neverAnswered("proxy");
  }

  private async applyVrrp(config: Config): Promise<void> {
    const problems = await within(this.clock, patience, this.vrrp.apply(vrrpOptions(config)), null);
    if ((problems ?? neverAnswered("vrrp")).length === 0) return;
    if (this.phase === "starting") throw new Error(problems?.join("\n"));
    // Nothing to go back to: the instances are in fault and say so, and are tried again.
    for (const problem of problems ?? []) this.log.error(problem);
  }

  async stop(): Promise<void> {
    this.phase = "stopping";
    this.ticking?.[Symbol.dispose]();
    const drain = Math.max(0, ...this.config.vrrp.map(({ handover }) => handover.drain)) || 10_000;
    const move = Math.max(0, ...this.config.vrrp.map(({ advertInterval }) => Math.max(1000, advertInterval) + 250));
    const began = this.clock.monotonic();
    await this.vrrp.child.stop({ type: "stop" }, move + drain + 2000, { type: "stop" });
    // What the hand-over has not moved gets the rest of the time.
    const rest = Math.max(1000, drain - (this.clock.monotonic() - began));
    await this.proxy.child.stop({ type: "stop", drain: rest }, rest + 1000, { type: "stop", drain: 0 });
    this.prober[Symbol.dispose]();
    await this.operator[Symbol.asyncDispose]();
    await this.journal[Symbol.asyncDispose]();
  }

  hurry(): void {
    this.vrrp.child.hurry();
    this.proxy.child.hurry();
  }

  private hearInstance(instance: InstanceStatus, before: InstanceStatus | null): void {
    const change = addressChange(before, instance);
    const addresses = this.config.vrrp.find(({ name }) => name === instance.name)?.addresses ?? [];
    if (change !== null) this.proxy.send({ type: change, addresses: addresses.map(({ address }) => address) });
    this.moves.hear(instance, before);
  }

  private judgeServers(only?: string): void {
    this.board.judge(this.config.backends, only);
  }

  private judgeTrackers(): void {
    const facts = { proxy: this.proxy.facts(), servers: this.board.views() };
    // What a reload opens is not there yet, what it closes already gone: neither is a failure.
    if (this.applying && facts.proxy.running) return;
    for (const instance of this.config.vrrp) {
      this.vrrp.track(instance.name, trackInstance(this.config, instance, facts));
    }
  }

  /** Silence is no report: somebody has to look. */
  private keepTicking(): void {
    this.ticking = this.clock.after(tick, () => {
      this.judgeTrackers();
      this.keepTicking();
    });
  }

  private tell(happening: Happening): void {
    const { severity, text, type, about } = this.journal.add(happening);
    this.log[severity](text, { event: type, about });
  }

  private tellDeath(role: string, exit: Exit, wait: number): void {
    const again = wait === 0 ? "at once" : `in ${wait} ms`;
    const text = `The ${role} process died: ${describeExit(exit)}; it is started again ${again}`;
    this.tell({ type: "process.state", severity: "error", about: role, text, fields: { ...exit, restart_ms: wait } });
  }
}

function toVerdict({ backend, server, state, weight }: ServerView): ServerVerdict {
  return { backend, server, state, weight };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function neverAnswered(role: string): never {
  throw new Error(`The ${role} process did not answer within ${patience / 1000} s; its log says why`);
}

/** @throws {Error} when a listener does not listen that did not fail before: a sentence for each. */
function refuseDeaf(listeners: readonly ListenerStatus[], before: readonly ListenerStatus[] = []): void {
  const known = before.filter(({ listening }) => !listening);
  const deaf = listeners.filter(({ frontend, address, listening }) =>
    !listening && !known.some((one) => one.frontend === frontend && one.address === address)
  );
  if (deaf.length === 0) return;
  const sentences = deaf.map((one) => one.error ?? `Cannot listen on ${one.address} for frontend "${one.frontend}"`);
  throw new Error([...new Set(sentences)].join("\n"));
}

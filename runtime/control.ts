/**
 * The composition root of a node: configuration in; children, checks, trackers and operator verbs tied together; `status`
 * and events out. Start, reload and stop are one path: a plan from what runs to what is wanted, applied in the order that
 * serves before it announces.
 */
import tcp from "../plugins/health/tcp.ts";
import http from "../plugins/health/http.ts";
import type { Checker } from "../plugins/contract.ts";
import type { Config } from "./config/model.ts";
import { addressChange } from "./control/addresses.ts";
import {
  changeServer,
  expire,
  loadOverrides,
  nextExpiry,
  none,
  type Overrides,
  saveOverrides,
  type ServerChange,
  serverOverride,
  setHold,
} from "./control/overrides.ts";
import { describePlan, isEqual, type Plan, planChange } from "./control/plan.ts";
import { proxyOptions } from "./control/proxy_options.ts";
import { type ProxyProcess, startProxyProcess } from "./control/proxy_process.ts";
import { backendHappening, serverHappening } from "./control/server_events.ts";
import { checkedServers, type ServerView, viewServer } from "./control/servers.ts";
import { buildStatus, type Phase, type Status } from "./control/status.ts";
import { frontendCause, trackInstance } from "./control/tracking.ts";
import { vrrpOptions } from "./control/vrrp_options.ts";
import { type Answer, startVrrpProcess, type VrrpProcess } from "./control/vrrp_process.ts";
import { createProber, type Prober } from "./health/prober.ts";
import { type Clock, systemClock, within } from "./os/clock.ts";
import { describeExit, type Exit, type RoleListener, type RoleProcess } from "./os/process.ts";
import type { ListenerStatus, ServerVerdict } from "./proxy/protocol.ts";
import { type Journal, openJournal } from "./telemetry/events.ts";
import type { Logger } from "./telemetry/log.ts";
import type { Hold, InstanceStatus, VrrpEvent } from "./vrrp/protocol.ts";

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

/** Why an operator's wish was not done, by a word that the API turns into a status code. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(readonly why: "unknown" | "conflict" | "invalid" | "unavailable", message: string) {
    super(message);
  }
}

/** Who asks for a planned move, why, and for how long (ms; null = until failback). */
export interface MoveRequest {
  readonly by: string;
  readonly reason: string;
  readonly for: number | null;
}

export interface Control {
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
  /**
   * Reads the configuration again and applies what changed.
   *
   * @throws {RefusedError} when it changes nothing because it is wrong.
   */
  reload(): Promise<{ readonly plan: Plan; readonly text: string }>;
  /**
   * Hands an instance over and holds it there. The answer comes when the move has begun; `moved` when it is over.
   *
   * @throws {RefusedError}
   */
  failover(instance: string, request: MoveRequest): Promise<{ readonly text: string; readonly moved: Promise<Answer> }>;
  /** @throws {RefusedError} */
  failback(instance: string): Promise<{ readonly text: string }>;
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

const builtIns: Readonly<Record<string, Checker<never>>> = { tcp, http };

/** Starts the children and gives them nothing to do yet. */
export async function createControl(options: ControlOptions): Promise<Control> {
  const clock = options.clock ?? systemClock;
  const { log, stateDirectory } = options;
  const journal = await openJournal({
    node: options.config.node,
    cluster: options.config.cluster.name,
    directory: stateDirectory,
    now: clock.now,
  });
  const overrides = stateDirectory === null ? none : await loadOverrides(stateDirectory);
  return new Node(options, clock, journal, expire(overrides, clock.now()), log);
}

class Node implements Control {
  /** What runs: set only when all of it was applied. */
  private config: Config;
  private phase: Phase = "starting";
  private views: ReadonlyMap<string, ServerView> = new Map();
  private reloading: Promise<unknown> = Promise.resolve();
  private saving: Promise<unknown> = Promise.resolve();
  private expiry: Disposable | null = null;
  private ticking: Disposable | null = null;
  private readonly startedAt: number;
  private readonly cores: number;
  private readonly vrrp: VrrpProcess;
  private readonly proxy: ProxyProcess;
  private readonly prober: Prober;

  constructor(
    private readonly options: ControlOptions,
    private readonly clock: Clock,
    readonly journal: Journal,
    private overrides: Overrides,
    private readonly log: Logger,
  ) {
    this.config = options.config;
    this.startedAt = clock.now();
    this.cores = options.cores ?? navigator.hardwareConcurrency;
    this.prober = createProber({
      clock,
      log: log.with({ part: "health" }),
      host: {
        node: this.config.node,
        cluster: this.config.cluster.name,
        labels: this.config.nodes[this.config.node]?.labels ?? {},
      },
      checker: (use) => builtIns[use] as Checker<unknown>,
      observed: ({ target }) => this.judgeServers(target.backend),
    });
    this.vrrp = startVrrpProcess({
      spawn: options.spawn.vrrp,
      clock,
      log,
      holds: () => this.overrides.holds,
      status: (instance, before) => this.hearInstance(instance, before),
      event: (event) => this.hearEvent(event),
      died: (exit, wait) => this.tellDeath("vrrp", exit, wait),
    });
    this.proxy = startProxyProcess({
      spawn: options.spawn.proxy,
      clock,
      log,
      verdicts: () => [...this.views.values()].map(toVerdict),
      changed: () => this.judgeTrackers(),
      died: (exit, wait) => this.tellDeath("proxy", exit, wait),
    });
  }

  async start(): Promise<void> {
    this.prober.watch(checkedServers(this.config));
    this.judgeServers();
    this.expireLater();
    const deadline = this.clock.monotonic() + firstRound;
    const listeners = await within(this.clock, patience, this.proxy.apply(proxyOptions(this.config, this.cores)), null);
    if (listeners === null) {
      throw new Error(`The proxy process did not answer within ${patience / 1000} s; its log says why`);
    }
    refuseDeaf(listeners);
    // Contract 2.5: who announces an address can serve it.
    while (!this.prober.settled() && this.clock.monotonic() < deadline) await this.settle(deadline);
    this.judgeTrackers();
    await this.applyVrrp(this.config);
    this.keepTicking();
    if (this.phase === "starting") this.phase = "running";
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
      servers: (backend, server) => this.views.get(`${backend}/${server}`) ?? null,
      overrides: this.overrides,
      children: [vrrp.child, proxy.child].map(({ name, pid, restarts }) => ({ role: name, pid, restarts })),
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
      if (status.state === "fault") return [`${name} is in fault: ${status.reason}`];
      return status.tracking.causes.filter((cause) => !frontends.includes(cause));
    });
    return [...new Set([...frontends, ...instances])];
  }

  reload(): Promise<{ readonly plan: Plan; readonly text: string }> {
    // One at a time: each compares with what the one before it left.
    const run = this.reloading.then(() => this.reloadNow());
    this.reloading = run.catch(() => {});
    return run;
  }

  private async reloadNow(): Promise<{ readonly plan: Plan; readonly text: string }> {
    const about = this.config.source.file;
    try {
      if (this.phase !== "running") throw new Error(`The node is ${this.phase}`);
      const wanted = await this.options.load();
      const plan = planChange(this.config, wanted);
      await this.apply(wanted);
      const text = describePlan(plan);
      this.log.notice(`Configuration reloaded: ${text}`);
      this.journal.add({
        type: "config.reload",
        severity: "notice",
        about,
        text: `Reloaded: ${text}`,
        fields: { plan },
      });
      return { plan, text };
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      this.log.error(`Configuration not reloaded, nothing changed: ${message}`);
      this.journal.add({
        type: "config.reload",
        severity: "error",
        about,
        text: `Not reloaded, nothing changed: ${message}`,
      });
      throw new RefusedError("invalid", message);
    }
  }

  /** From what runs to `wanted`; back to what runs when a listener cannot be had. */
  private async apply(wanted: Config): Promise<void> {
    const running = this.config;
    const before = proxyOptions(running, this.cores);
    const after = proxyOptions(wanted, this.cores);
    this.adopt(wanted, running);
    if (!isEqual(before, after)) {
      const was = this.proxy.facts().listeners;
      const listeners = await within(this.clock, patience, this.proxy.apply(after), null);
      try {
        if (listeners === null) throw new Error(`The proxy process did not answer within ${patience / 1000} s`);
        refuseDeaf(listeners, was);
      } catch (cause) {
        this.adopt(running, wanted);
        await within(this.clock, patience, this.proxy.apply(before), null);
        throw cause;
      }
    }
    this.prober.watch(checkedServers(wanted));
    this.judgeServers();
    if (!isEqual(vrrpOptions(running), vrrpOptions(wanted))) await this.applyVrrp(wanted);
    this.judgeTrackers();
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

  private async applyVrrp(config: Config): Promise<void> {
    const problems = await within(this.clock, patience, this.vrrp.apply(vrrpOptions(config)), null);
    if (problems === null) {
      throw new Error(`The vrrp process did not answer within ${patience / 1000} s; its log says why`);
    }
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  async failover(instance: string, request: MoveRequest) {
    this.expectInstance(instance);
    const status = this.vrrp.instances().find(({ name }) => name === instance);
    if (status?.state !== "active") {
      const where = status?.activeRouter ? `; it is active on ${status.activeRouter}` : "";
      throw new RefusedError("conflict", `${instance} is ${status?.state ?? "not started"} here, not active${where}`);
    }
    const since = this.clock.now();
    const until = request.for === null ? null : since + request.for;
    const hold: Hold = { since, until, reason: request.reason, by: request.by };
    const { first, last } = await this.move({ type: "failover", instance, hold });
    this.keepHold(instance, hold);
    last.then(({ outcome }) => {
      if (outcome === "failed" || outcome === "refused") this.keepHold(instance, null);
    });
    return { text: first.text, moved: last };
  }

  async failback(instance: string) {
    this.expectInstance(instance);
    if (this.overrides.holds[instance] === undefined) {
      throw new RefusedError("conflict", `${instance} is not held here by a failover`);
    }
    const { first } = await this.move({ type: "failback", instance });
    this.keepHold(instance, null);
    return { text: first.text };
  }

  private async move(command: Parameters<VrrpProcess["move"]>[0]) {
    const begun = await within(this.clock, patience, this.vrrp.move(command), null);
    if (begun === null) throw new RefusedError("unavailable", "The vrrp process does not answer");
    const { outcome, text } = begun.first;
    if (outcome === "refused" || outcome === "failed") throw new RefusedError("conflict", text);
    return begun;
  }

  private expectInstance(name: string): void {
    if (!this.config.vrrp.some((instance) => instance.name === name)) {
      const names = this.config.vrrp.map((instance) => instance.name).join(", ") || "none";
      throw new RefusedError("unknown", `There is no instance "${name}"; there is ${names}`);
    }
  }

  changeServer(backend: string, server: string, change: ServerChange): ServerView {
    const configured = this.config.backends.find(({ name }) => name === backend)?.servers.find(({ name }) =>
      name === server
    );
    if (configured === undefined) throw new RefusedError("unknown", `There is no server "${backend}/${server}"`);
    this.override(changeServer(this.overrides, backend, server, change, configured.weight));
    this.judgeServers(backend);
    return this.views.get(`${backend}/${server}`)!;
  }

  async stop(): Promise<void> {
    this.phase = "stopping";
    this.ticking?.[Symbol.dispose]();
    this.expiry?.[Symbol.dispose]();
    const drain = Math.max(0, ...this.config.vrrp.map(({ handover }) => handover.drain)) || 10_000;
    const move = Math.max(0, ...this.config.vrrp.map(({ advertInterval }) => Math.max(1000, advertInterval) + 250));
    const began = this.clock.monotonic();
    await this.vrrp.child.stop({ type: "stop" }, move + drain + 2000);
    // What the hand-over has not moved gets the rest of the time.
    const rest = Math.max(1000, drain - (this.clock.monotonic() - began));
    await this.proxy.child.stop({ type: "stop", drain: rest }, rest + 1000);
    this.prober[Symbol.dispose]();
    await this.saving;
    await this.journal[Symbol.asyncDispose]();
  }

  hurry(): void {
    this.vrrp.child.hurry();
    this.proxy.child.hurry();
  }

  private hearInstance(instance: InstanceStatus, before: InstanceStatus | null): void {
    const change = addressChange(before, instance);
    if (change !== null) {
      const addresses = this.config.vrrp.find(({ name }) => name === instance.name)?.addresses ?? [];
      this.proxy.send({ type: change, addresses: addresses.map(({ address }) => address) });
    }
    // The hold ended there: its time is over, or the peer died.
    if (before?.hold && instance.hold === null) this.keepHold(instance.name, null);
  }

  private hearEvent(event: VrrpEvent): void {
    this.tell(event);
  }

  private tell(happening: Parameters<Journal["add"]>[0]): void {
    const { severity, text, about } = this.journal.add(happening);
    this.log[severity](text, { event: happening.type, about });
  }

  private tellDeath(role: string, exit: Exit, wait: number): void {
    if (this.phase === "stopping") return;
    this.journal.add({
      type: "process.state",
      severity: "error",
      about: role,
      text: `The ${role} process died: ${describeExit(exit)}; it is started again ${
        wait === 0 ? "at once" : `in ${wait} ms`
      }`,
      fields: { code: exit.code, signal: exit.signal, restart_ms: wait },
    });
  }

  /** Judges the servers of one backend, or all, and passes on what changed: to the proxy at once, then to whoever reads. */
  private judgeServers(only?: string): void {
    const now = this.clock.now();
    const before = this.views;
    const after = new Map(only === undefined ? [] : [...before].filter(([, { backend }]) => backend !== only));
    const backends = this.config.backends.filter(({ name }) => only === undefined || name === only);
    for (const backend of backends) {
      for (const server of backend.servers) {
        const key = `${backend.name}/${server.name}`;
        const standing = this.prober.standing(backend.name, server.name);
        const override = serverOverride(this.overrides, backend.name, server.name);
        after.set(key, viewServer(backend, server, standing, override, before.get(key) ?? null, now));
      }
    }
    this.views = after;
    const changed = [...after].filter(([key, view]) => {
      const was = before.get(key);
      return was === undefined || was.state !== view.state || was.weight !== view.weight;
    });
    if (changed.length > 0) this.proxy.send({ type: "verdicts", verdicts: changed.map(([, view]) => toVerdict(view)) });
    for (const backend of backends) this.tellServers(backend.name, before, after);
    if (changed.length > 0) this.judgeTrackers();
  }

  private tellServers(
    backend: string,
    before: ReadonlyMap<string, ServerView>,
    after: ReadonlyMap<string, ServerView>,
  ): void {
    const of = (views: ReadonlyMap<string, ServerView>) =>
      [...views.values()].filter((view) => view.backend === backend);
    for (const view of of(after)) {
      const happening = serverHappening(before.get(`${backend}/${view.server}`) ?? null, view);
      if (happening !== null) this.tell(happening);
    }
    const happening = backendHappening(backend, of(before), of(after));
    if (happening !== null) this.tell(happening);
  }

  private judgeTrackers(): void {
    const facts = { proxy: this.proxy.facts(), servers: [...this.views.values()] };
    for (const instance of this.config.vrrp) {
      this.vrrp.track(instance.name, trackInstance(this.config, instance, facts));
    }
  }

  private keepTicking(): void {
    this.ticking = this.clock.after(tick, () => {
      this.judgeTrackers();
      if (this.phase !== "stopping") this.keepTicking();
    });
  }

  /** Waits a moment for the next first answer. */
  private settle(deadline: number): Promise<void> {
    const wait = Math.min(5, deadline - this.clock.monotonic());
    return new Promise((resolve) => this.clock.after(wait, resolve));
  }

  private keepHold(instance: string, hold: Hold | null): void {
    if (hold === null && this.overrides.holds[instance] === undefined) return;
    this.override(setHold(this.overrides, instance, hold));
  }

  private override(overrides: Overrides): void {
    this.overrides = overrides;
    this.expireLater();
    const { stateDirectory } = this.options;
    if (stateDirectory === null) return;
    this.saving = this.saving.then(() => saveOverrides(stateDirectory, overrides)).catch((error) => {
      this.log.error(`Cannot keep what the operator said in "${stateDirectory}": ${error.message}`);
    });
  }

  private expireLater(): void {
    this.expiry?.[Symbol.dispose]();
    const next = nextExpiry(this.overrides);
    if (next === null) return;
    // A timer holds 2^31 ms at most; what lasts longer is looked at again then.
    const wait = Math.min(2 ** 31 - 1, Math.max(0, next - this.clock.now()));
    this.expiry = this.clock.after(wait, () => {
      const left = expire(this.overrides, this.clock.now());
      if (left === this.overrides) return this.expireLater();
      this.override(left);
      this.judgeServers();
    });
  }
}

function toVerdict({ backend, server, state, weight }: ServerView): ServerVerdict {
  return { backend, server, state, weight };
}

/** @throws {Error} when a listener does not listen that did not fail before: a sentence for each. */
function refuseDeaf(listeners: readonly ListenerStatus[], before: readonly ListenerStatus[] = []): void {
  const known = before.filter(({ listening }) => !listening);
  const deaf = listeners.filter(({ frontend, address, listening }) =>
    !listening && !known.some((one) => one.frontend === frontend && one.address === address)
  );
  if (deaf.length === 0) return;
  throw new Error(
    deaf.map((one) => one.error ?? `Cannot listen on ${one.address} for frontend "${one.frontend}"`).join("\n"),
  );
}

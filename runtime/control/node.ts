/** A node at work: children, checks, trackers and operator verbs tied together; `status` and events out. */
import type { Checker } from "../../plugins/contract.ts";
import tcp from "../../plugins/health/tcp.ts";
import { diff } from "../config/diff.ts";
import type { Config } from "../config/model.ts";
import { hint } from "../config/nearest.ts";
import { appVerdict } from "./app_options.ts";
import { type AppSockets, createAppSockets } from "./app_sockets.ts";
import { type Apps, createApps } from "./apps.ts";
import { addressChange, heldAddresses } from "./addresses.ts";
import { Applier } from "./applier.ts";
import { builtInCheckers } from "./builtin_checkers.ts";
import { eject, type Ejection, isEjected } from "./ejections.ts";
import type { Names } from "./names.ts";
import { introducing } from "./introduced_checks.ts";
import { createMoves, type Moves } from "./moves.ts";
import { createPlanner, type Planner } from "./planner.ts";
import { createPlugins, hostOf, type Plugins } from "./plugins.ts";
import type { OperatorState } from "./operator_state.ts";
import { changeServer, type ServerChange, serverWords } from "./overrides.ts";
import { describePlan } from "./plan.ts";
import { type ProxyProcess, startProxyProcess } from "./proxy_process.ts";
import { unreadyReasons } from "./readiness.ts";
import { RefusedError } from "./refused_error.ts";
import { createServerBoard, type ServerBoard } from "./server_board.ts";
import { saysTheSame, type ServerView } from "./servers.ts";
import { buildStatus, type Phase, type Status } from "./status.ts";
import { trackInstance } from "./tracking.ts";
import { startVrrpProcess, type VrrpProcess } from "./vrrp_process.ts";
import { createProber, type Prober } from "../health/prober.ts";
import { type Clock, within } from "../os/clock.ts";
import { describeExit, type Exit } from "../os/process.ts";
import type { Evidence, ServerVerdict } from "../proxy/protocol.ts";
import type { Happening, Journal } from "../telemetry/events.ts";
import type { Relay } from "../telemetry/access_log/relay.ts";
import type { Logger } from "../telemetry/log.ts";
import type { InstanceStatus } from "../vrrp/protocol.ts";
import type { Control, ControlOptions, Reloaded, ServerChanged } from "../control.ts";

/** At most so long the virtual addresses wait for the first round of checks (contract 2.5), ms. */
const firstRound = 2000;
/** A child that does not answer a command for so long, ms, fails it. */
const patience = 10_000;
/** How long engine threads may take to hear of the operator's word before the operator is answered all the same, ms. */
const obedience = 2000;
/** How long notifiers may take to tell the last events of a node that stops, ms. */
const lastWords = 2000;
/** How often trackers are judged though nothing was reported, ms. */
const tick = 500;

export class Node implements Control {
  readonly accessLog: Relay | null;
  private phase: Phase = "starting";
  private reloading: Promise<unknown> = Promise.resolve();
  private ticking: Disposable | null = null;
  /** Backends whose servers were heard from since they were judged, and said nothing new. */
  private readonly stale = new Set<string>();
  private readonly startedAt: number;
  private readonly log: Logger;
  private readonly prober: Prober;
  private readonly board: ServerBoard;
  private readonly vrrp: VrrpProcess;
  private readonly proxy: ProxyProcess;
  private readonly applier: Applier;
  private readonly apps: Apps;
  private readonly appSockets: AppSockets;
  private readonly moves: Moves;
  private readonly plugins: Plugins;
  private readonly planner: Planner;
  private pluginProblems: readonly string[] = [];
  /** By "backend/server"; those that are over, too, because the next one is longer. */
  private readonly ejections = new Map<string, Ejection>();

  constructor(
    private readonly options: ControlOptions,
    private readonly clock: Clock,
    readonly journal: Journal,
    private readonly operator: OperatorState,
    private readonly names: Names,
  ) {
    const { config, log } = options;
    this.log = log;
    this.accessLog = options.accessLog?.relay ?? null;
    this.startedAt = clock.now();
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
      verdicts: () => [...this.board.views().map(toVerdict), ...this.apps.verdicts()],
      held: () => heldAddresses(this.config, this.vrrp.instances()),
      changed: () => this.judgeTrackers(),
      droppedLines: (total) => this.accessLog?.observeDropped(total),
      died: (exit, wait) => this.tellDeath("proxy", exit, wait),
      evidence: (evidence) => this.hearEvidence(evidence),
    });
    this.appSockets = createAppSockets(options.spawn.proxyUser ?? null);
    this.apps = createApps({
      spawn: options.spawn.app ?? null,
      place: () => this.appSockets.own(),
      clock,
      log,
      changed: (verdicts) => this.proxy.send({ type: "verdicts", verdicts }),
      confined: () => ({ places: this.plugins.apps(), balancers: this.appSockets.balancers() }),
      died: (role, exit, wait) => this.tellDeath(role, exit, wait),
    });
    this.plugins = createPlugins({
      clock,
      log,
      stateDirectory: options.stateDirectory,
      tell: (happening) => this.tell(happening),
      lost: (plugin) => this.planner.lost(plugin),
      sockets: this.appSockets,
      appChanged: (name) => {
        const app = this.plugins.apps().find((one) => one.name === name);
        if (app) this.proxy.send({ type: "verdicts", verdicts: [appVerdict(name, app.running)] });
      },
      active: () => this.config.vrrp.length === 0 || this.vrrp.instances().some(({ state }) => state === "active"),
    });
    this.planner = createPlanner({
      clock,
      log,
      policy: (id) => this.plugins.policy(id),
      view: (backend, server) => this.board.view(backend, server),
      counters: () => this.proxy.counters().servers,
      pace: (backend, server) => this.proxy.pace(backend, server),
      send: (backend, plan) => this.proxy.send({ type: "plan", backend, plan }),
    });
    journal.subscribe((event) => this.plugins.notify(event));
    const current = () => this.config;
    const builtIn = builtInCheckers(options.spawn.proxyUser ?? null);
    this.prober = createProber({
      clock,
      log: log.with({ part: "health" }),
      get host() {
        return hostOf(current());
      },
      checker: introducing((use) => builtIn(use) ?? this.plugins.checker(use)),
      substitute: tcp as Checker<unknown>,
      observed: (standing, before) => {
        const { backend, server } = standing.target;
        const settled = this.ticking !== null && this.board.view(backend, server)?.state === "up";
        // Judging looks at every server of a backend: a thousand answers a second that say the same can wait for the tick.
        if (settled && saysTheSame(standing, before)) this.stale.add(backend);
        else this.judgeServers(backend);
      },
    });
    this.board = createServerBoard({
      standing: (backend, server) => this.prober.standing(backend, server),
      words: (backend, server) => serverWords(operator.overrides, backend, server),
      unresolved: (host) => names.addressOf(host) === null ? names.problemOf(host) : null,
      ejection: (backend, server) => this.ejections.get(`${backend}/${server}`) ?? null,
      now: clock.now,
      changed: (views) => {
        this.proxy.send({ type: "verdicts", verdicts: views.map(toVerdict) });
        this.planner.changed(views.map(({ backend }) => backend));
        this.judgeTrackers();
      },
      tell: (happening) => this.tell(happening),
    });
    this.applier = new Applier({
      config,
      cores: options.cores ?? navigator.hardwareConcurrency,
      clock,
      patience,
      prober: this.prober,
      proxy: {
        facts: this.proxy.facts,
        apply: (options) => this.proxy.apply(this.apps.extend(options)),
        stale: () => this.apps.moved(),
      },
      vrrp: this.vrrp,
      names,
      logFd: options.accessLog?.fd ?? null,
      follow: async (wanted) => {
        const [plugins, apps] = await Promise.all([this.plugins.change(wanted), this.apps.follow(wanted)]);
        this.pluginProblems = [...plugins, ...apps];
        for (const text of this.pluginProblems) {
          this.tell({ type: "plugin.state", severity: "error", about: "plugins", text });
        }
        await this.accessLog?.configure(wanted.log.access?.to ?? null);
        await options.follow?.(wanted);
      },
      judgeServers: () => this.judgeServers(),
      judgeTrackers: () => this.judgeTrackers(),
    });
    this.moves = createMoves({ config: () => this.config, vrrp: this.vrrp, state: operator, clock, patience });
    operator.onExpiry = () => this.judgeServers();
    if (config.vrrp.length > 0) this.vrrp.child.start();
    this.proxy.child.start();
  }

  /** What runs, or is being applied. */
  private get config(): Config {
    return this.applier.config;
  }

  async start(): Promise<void> {
    const deadline = this.clock.monotonic() + firstRound;
    await this.applier.listen();
    // Contract 2.5: who announces an address can serve it.
    while (!(this.prober.settled() && this.names.settled()) && this.clock.monotonic() < deadline) {
      await new Promise<void>((resolve) => this.clock.after(5, resolve));
    }
    if (this.phase !== "starting") return;
    this.planner.follow(this.config);
    const problems = await this.applier.announce();
    if (problems.length > 0) throw new Error(problems.join("\n"));
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
      pace: proxy.pace,
      addressOf: this.names.addressOf,
      lostLines: this.accessLog?.lost ?? 0,
      servers: this.board.view,
      plugins: this.plugins.status(),
      plans: this.planner.views(),
      overrides: this.operator.overrides,
      apps: this.apps.views(),
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
      missing: [
        ...this.options.missing,
        ...this.unkept(),
        ...vrrp.runtime?.missing ?? [],
        ...proxy.ready?.missing ?? [],
      ],
    });
  }

  async kept(): Promise<readonly string[]> {
    await within(this.clock, obedience, this.operator.saved(), undefined);
    return this.operator.problem === null ? [] : [this.operator.problem];
  }

  private unkept(): string[] {
    return [this.operator.problem, this.journal.problem].filter((one) => one !== null);
  }

  unready(): readonly string[] {
    if (this.phase !== "running") return [`the node is ${this.phase}`];
    return unreadyReasons(this.config, this.proxy.facts(), this.vrrp.instances());
  }

  failover: Moves["failover"] = (instance, request) => this.moves.failover(instance, request);

  failback: Moves["failback"] = (instance) => this.moves.failback(instance);

  async changeServer(backend: string, server: string, change: ServerChange): Promise<ServerChanged> {
    const configured = this.config.backends.find(({ name }) => name === backend)?.servers
      .find(({ name }) => name === server);
    if (configured === undefined) {
      const about = `${backend}/${server}`;
      const known = this.config.backends.flatMap(({ name, servers }) => servers.map((each) => `${name}/${each.name}`));
      throw new RefusedError("unknown", `There is no server "${about}"${hint(about, known)}`);
    }
    this.operator.set(changeServer(this.operator.overrides, backend, server, change, configured.weight));
    this.judgeServers(backend);
    const view = this.board.view(backend, server);
    if (view === null) throw new RefusedError("unknown", `There is no server "${backend}/${server}"`);
    return { view, applied: await this.proxy.settled(obedience) };
  }

  resetPlugin(name: string): void {
    if (!this.plugins.reset(name)) throw new RefusedError("unknown", `There is no plugin "${name}"`);
  }

  async plan(): Promise<Reloaded> {
    const plan = diff(this.config, await this.read());
    return { plan, text: describePlan(plan) };
  }

  private async read(): Promise<Config> {
    try {
      return await this.options.load();
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
      const wanted = await this.read();
      const plan = diff(this.config, wanted);
      // Nothing to go back to: the instances are in fault and say so, and are tried again.
      for (const problem of await this.applier.change(wanted)) this.log.error(problem);
      this.planner.follow(wanted);
      const text = [describePlan(plan), ...this.pluginProblems].join("; ");
      this.tell({ type: "config.reload", severity: "notice", about, text: `Reloaded: ${text}`, fields: { plan } });
      return { plan, text };
    } catch (cause) {
      const text = `Not reloaded, nothing changed: ${messageOf(cause)}`;
      this.tell({ type: "config.reload", severity: "error", about, text });
      // A good configuration that cannot be had here and now, such as for a port that is taken, is no mistake in it.
      throw cause instanceof RefusedError ? cause : new RefusedError("conflict", messageOf(cause));
    }
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
    // What the proxy did not wait for has nobody to be answered to.
    await this.apps.stop(1000);
    await this.accessLog?.[Symbol.asyncDispose]();
    this.prober[Symbol.dispose]();
    this.planner[Symbol.dispose]();
    await this.stopPlugins();
    await this.names[Symbol.asyncDispose]();
    await this.operator[Symbol.asyncDispose]();
    await this.journal[Symbol.asyncDispose]();
  }

  /** The last events are told as well: that this node gave its addresses away. */
  private async stopPlugins(): Promise<void> {
    const deadline = this.clock.monotonic() + lastWords;
    while (this.plugins.busy() && this.clock.monotonic() < deadline) {
      await new Promise<void>((resolve) => this.clock.after(20, resolve));
    }
    await this.plugins.stop();
    this.appSockets[Symbol.dispose]();
  }

  hurry(): void {
    this.vrrp.child.hurry();
    this.proxy.child.hurry();
  }

  private hearInstance(instance: InstanceStatus, before: InstanceStatus | null): void {
    const change = addressChange(before, instance);
    const addresses = this.config.vrrp.find(({ name }) => name === instance.name)?.addresses ?? [];
    if (change !== null) {
      this.proxy.send({ type: change, addresses: addresses.map(({ address }) => address) });
      this.proxy.send({ type: "held", addresses: heldAddresses(this.config, this.vrrp.instances()) });
    }
    this.moves.hear(instance, before);
  }

  /** Servers are somewhere else, or nowhere: behind a reload that runs, never beside it. */
  readdress(): void {
    this.reloading = this.reloading
      .then(() => this.phase === "stopping" ? undefined : this.applier.readdress())
      .catch((error) => this.log.error(`Servers are not where their names say: ${messageOf(error)}`));
  }

  private hearEvidence(evidence: Evidence): void {
    const { backend, server, errors, cause } = evidence;
    const passive = this.config.backends.find(({ name }) => name === backend)?.passive ?? null;
    if (passive === null) return;
    const about = `${backend}/${server}`;
    const before = this.ejections.get(about) ?? null;
    // The last server goes on being asked, and failing: that is no further offence.
    if (isEjected(before, this.prober.standing(backend, server), this.clock.now())) return;
    this.ejections.set(about, eject(before, evidence, passive.eject, this.clock.now()));
    this.judgeServers(backend);
    // Without it nobody would be left: that is for the operator to know.
    if (this.board.view(backend, server)?.state !== "up") return;
    this.log.warning(`${about} failed ${errors} requests in a row and is kept as the last one: ${cause}`);
  }

  private judgeServers(only?: string): void {
    this.board.judge(this.config.backends, only);
  }

  private judgeTrackers(): void {
    const facts = { proxy: this.proxy.facts(), servers: this.board.views() };
    if (this.applier.busy && facts.proxy.running) return;
    for (const instance of this.config.vrrp) {
      this.vrrp.track(instance.name, trackInstance(this.config, instance, facts));
    }
  }

  /** Silence is no report: somebody has to look. */
  private keepTicking(): void {
    this.ticking = this.clock.after(tick, () => {
      if (this.board.restless()) this.judgeServers();
      else for (const backend of this.stale) this.judgeServers(backend);
      this.stale.clear();
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

function toVerdict({ backend, server, state, effective, reason }: ServerView): ServerVerdict {
  return { backend, server, state, weight: effective, ...(state !== "up" && { reason }) };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

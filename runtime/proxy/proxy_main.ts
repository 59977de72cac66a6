/**
 * The main isolate of the proxy process: owns listeners, slots and verdicts, starts engine threads and starts them again
 * when they die, and answers control.
 */
import type { Plan } from "../../plugins/contract.ts";
import type { Logger } from "../telemetry/log.ts";
import { descriptorLimit } from "../os/descriptors.ts";
import { EngineWorker } from "./engine_worker.ts";
import { FollowedPlans } from "./followed_plans.ts";
import { ListenerSet } from "./listener_set.ts";
import { PasswordWorker } from "./password_worker.ts";
import type { ProxyCommand, ProxyOptions, ProxyReport, ServerVerdict } from "./protocol.ts";
import { ProxySlots } from "./proxy_slots.ts";
import { packVerdict, stateOf } from "./server_verdict.ts";
import { allocateShared, type SharedBuffers, SharedState } from "./shared_state.ts";
import { ThreadAges } from "./thread_ages.ts";
import { ThreadAnswers } from "./thread_answers.ts";
import { serverKey, type ThreadOptions, threadOptions, type ThreadReport } from "./thread_protocol.ts";

/** Between reports of status, ms. */
const STATUS_INTERVAL = 250;
/** Between attempts to listen where that failed, ms. */
const LISTEN_RETRY = 1000;
/** Before a thread that died is started again, ms; doubled while it keeps dying young. */
const RESTART_DELAY = 20;
const LONGEST_RESTART_DELAY = 5000;
const YOUNG = 5000;
/** How long threads may take to end, ms. */
const LAST_WORDS = 200;
const ADDRESS_SPACE = 1.5 * 2 ** 30;
const MOST_ARENA = 512 * 2 ** 20;

export interface ProxyMainPorts {
  report(report: ProxyReport): void;
  readonly log: Logger;
  /** The process is to end. */
  stopped(): void;
}

interface Thread {
  readonly worker: EngineWorker;
  readonly born: number;
  ready: boolean;
}

export class ProxyMain {
  readonly #ports: ProxyMainPorts;
  readonly #listeners = new ListenerSet();
  readonly #slots = new ProxySlots();
  readonly #threads = new Map<number, Thread>();
  readonly #ages = new ThreadAges();
  readonly #retired = new Set<string>();
  readonly #passwords = new PasswordWorker();
  #held: readonly string[] = [];
  /** Why servers are not up. */
  readonly #reasons = new Map<string, string>();
  readonly #answers = new ThreadAnswers();
  readonly #drained = new Set<number>();
  /** Threads there are too many of. */
  readonly #surplus = new Set<number>();
  readonly #plans = new FollowedPlans();
  #shared: SharedBuffers | null = null;
  #state: SharedState | null = null;
  #options: ProxyOptions | null = null;
  /** The same for threads. */
  #told: ThreadOptions | null = null;
  #stopping = false;
  #ending = false;
  #restartDelay = RESTART_DELAY;

  constructor(ports: ProxyMainPorts) {
    this.#ports = ports;
    setInterval(() => this.#reportStatus(), STATUS_INTERVAL);
    setInterval(() => this.#retryListeners(), LISTEN_RETRY);
  }

  obey(command: ProxyCommand): void {
    switch (command.type) {
      case "apply":
        return this.#apply(command.id, command.options, command.verdicts);
      case "verdicts":
        return this.#decide(command.verdicts);
      case "plan":
        return this.#follow(command.backend, command.plan);
      case "retire":
        for (const address of command.addresses) this.#retired.add(address);
        return this.#sendRetired();
      case "reinstate":
        for (const address of command.addresses) this.#retired.delete(address);
        return this.#sendRetired();
      case "held":
        this.#held = command.addresses;
        for (const { worker } of this.#threads.values()) worker.send(command);
        return;
      case "settle":
        return this.#await((thread, id) => this.#threads.get(thread)?.worker.send({ type: "settle", id }), (all) => {
          if (all) this.#ports.report({ type: "settled", id: command.id });
        });
      case "stop":
        return this.stop(command.drain);
    }
  }

  /** Stops accepting, lets what runs end within `drain` ms, and ends. Told again, the shorter patience counts. */
  stop(drain: number): void {
    if (this.#stopping) return void setTimeout(() => this.#end(), drain);
    this.#stopping = true;
    this.#listeners.apply([], [...this.#threads.keys()]);
    this.#tell((all) => {
      if (all) this.#listeners.closeLeaving();
      // Who said so before may serve again since.
      this.#drained.clear();
      for (const { worker } of this.#threads.values()) worker.send({ type: "drain", patient: false });
      if (this.#threads.size === 0) this.#end();
    });
    setTimeout(() => this.#end(), drain);
  }

  #apply(id: number, options: ProxyOptions, verdicts: readonly ServerVerdict[]): void {
    if (this.#stopping) return;
    const threads = Math.max(1, options.threads);
    const shared = this.#shared ??= allocateShared(Math.max(threads, navigator.hardwareConcurrency), descriptorLimit());
    this.#state ??= new SharedState(shared, 0);
    const numbers = Array.from({ length: Math.min(threads, shared.threads) }, (_, index) => index);
    if (threads > numbers.length) {
      this.#ports.log.warning(
        `proxy.threads is ${threads}, but when this process started it made room for ${numbers.length}: ` +
          `${numbers.length} serve until the node is restarted`,
      );
    }
    const deaf = this.#options === null ? [] : this.#listeners.prepare(options.frontends, numbers);
    if (deaf.length > 0) {
      // Control goes back to what runs: nothing of that may have been closed.
      return this.#ports.report({ type: "applied", id, listeners: [...this.#listeners.statuses(), ...deaf] });
    }
    this.#options = { ...options, threads: numbers.length };
    this.#told = threadOptions(this.#options);
    this.#slots.assign(options, {
      frontend: (slot) => this.#clearFrontend(slot),
      server: (slot) => this.#clearServer(slot),
    });
    this.#decide(verdicts);
    this.#listeners.apply(options.frontends, numbers);
    for (const thread of numbers) {
      if (!this.#threads.has(thread)) this.#startThread(thread);
      else if (this.#surplus.delete(thread)) this.#threads.get(thread)?.worker.send({ type: "resume" });
    }
    this.#tell((all) => {
      // A thread that has not heard of it yet will still act on their numbers, which must not be another's by then.
      if (all) this.#listeners.closeLeaving();
      this.#ports.report({ type: "applied", id, listeners: this.#listeners.statuses() });
    });
    for (const [thread, { worker }] of this.#threads) {
      if (thread < numbers.length || this.#surplus.has(thread)) continue;
      this.#surplus.add(thread);
      worker.send({ type: "drain", patient: true });
    }
  }

  /** Tells every thread what is wanted; `done` is called with whether all have acted on it in time. */
  #tell(done: (all: boolean) => void): void {
    this.#await((thread, id) => this.#sendOptions(thread, id), done);
  }

  /** Sends every thread something that it answers with `applied`; `done` is called with whether all of them did in time. */
  #await(ask: (thread: number, id: number) => void, done: (all: boolean) => void): void {
    this.#answers.await([...this.#threads.keys()], ask, done);
  }

  #sendOptions(thread: number, id: number): void {
    const options = this.#told;
    if (options === null) return;
    const listeners = this.#listeners.of(thread);
    this.#threads.get(thread)?.worker.send({ type: "apply", id, options, slots: this.#slots.all, listeners });
  }

  #sendRetired(): void {
    const addresses = [...this.#retired];
    for (const { worker } of this.#threads.values()) worker.send({ type: "retire", addresses });
  }

  #startThread(thread: number): void {
    const shared = this.#shared;
    if (shared === null) return;
    const arena = Math.min(MOST_ARENA, Math.floor(ADDRESS_SPACE / shared.threads));
    const worker = new EngineWorker({
      thread,
      shared,
      arena,
      reported: (report) => this.#heard(thread, report),
      died: (text) => this.#threadDied(thread, text),
    });
    this.#threads.set(thread, { worker, born: performance.now(), ready: false });
    this.#ages.begin(thread, worker.state.turns, performance.now());
    if (this.#held.length > 0) worker.send({ type: "held", addresses: this.#held });
    if (this.#reasons.size > 0) worker.send({ type: "reasons", reasons: this.#reasons });
  }

  #heard(thread: number, report: Exclude<ThreadReport, { readonly type: "failed" }>): void {
    switch (report.type) {
      case "ready": {
        const started = this.#threads.get(thread);
        if (started !== undefined) started.ready = true;
        this.#ports.log.info(`Engine thread ${thread} serves`, { io: report.io, reason: report.reason });
        return;
      }
      case "applied":
        return this.#answers.answered(report.id, thread);
      case "evidence":
        return this.#ports.report({ type: "evidence", evidence: report.evidence });
      case "text":
        return this.#ports.log.warning(report.text, { thread });
      case "compare": {
        const { id } = report;
        this.#passwords.compare(report, (matches) => {
          this.#threads.get(thread)?.worker.send({ type: "compared", id, matches });
        });
        return;
      }
      case "drained":
        this.#drained.add(thread);
        if (!this.#stopping && !this.#surplus.has(thread)) return;
        if (!this.#stopping) this.#threads.get(thread)?.worker.send({ type: "exit", drained: true });
        else if ([...this.#threads.keys()].every((each) => this.#drained.has(each))) this.#end();
        return;
      case "exited":
        this.#threads.delete(thread);
        this.#surplus.delete(thread);
        this.#ages.end(thread);
        // It was wanted again when it had been told to go.
        this.#restartThread(thread);
        if (this.#ending && this.#threads.size === 0) this.#leave();
    }
  }

  #threadDied(thread: number, text: string): void {
    const age = performance.now() - (this.#threads.get(thread)?.born ?? 0);
    this.#threads.delete(thread);
    this.#surplus.delete(thread);
    // What it held is free: connections, and places at servers.
    for (const { worker } of this.#threads.values()) worker.wake();
    this.#ages.end(thread);
    this.#restartDelay = age < YOUNG ? Math.min(this.#restartDelay * 2, LONGEST_RESTART_DELAY) : RESTART_DELAY;
    // While another thread serves, connections must not wait for this one; without one, waiting beats refusing.
    if (this.#threads.size > 0) this.#listeners.abandon(thread);
    this.#ports.report({ type: "thread", thread, text: `Engine thread ${thread} died and is started again: ${text}` });
    this.#answers.died(thread);
    if (this.#stopping) return;
    setTimeout(() => this.#restartThread(thread), this.#restartDelay);
  }

  #restartThread(thread: number): void {
    const options = this.#options;
    if (this.#stopping || options === null || thread >= options.threads || this.#threads.has(thread)) return;
    this.#startThread(thread);
    this.#listeners.open([...this.#threads.keys()]);
    this.#sendOptions(thread, 0);
    const worker = this.#threads.get(thread)?.worker;
    for (const followed of this.#plans.left(performance.now())) worker?.send({ type: "plan", ...followed });
    worker?.send({ type: "retire", addresses: [...this.#retired] });
    this.#ports.report({ type: "listeners", listeners: this.#listeners.statuses() });
  }

  #retryListeners(): void {
    if (this.#stopping || this.#options === null) return;
    const threads = [...this.#threads.keys()];
    if (!this.#listeners.open(threads)) return;
    for (const thread of threads) this.#sendOptions(thread, 0);
    this.#ports.report({ type: "listeners", listeners: this.#listeners.statuses() });
  }

  /** Passes a plugin's plan on, if it can be applied; else it is as if there was none. */
  #follow(backend: string, plan: Plan | null): void {
    const servers = this.#options?.backends.find(({ name }) => name === backend)?.servers.map(({ name }) => name) ?? [];
    const fault = this.#plans.take(backend, plan, servers, performance.now());
    if (fault !== null) this.#ports.log.warning(`Plan for backend "${backend}" is not followed: ${fault}`);
    const followed = fault === null ? plan : null;
    for (const { worker } of this.#threads.values()) worker.send({ type: "plan", backend, plan: followed });
  }

  #decide(verdicts: readonly ServerVerdict[]): void {
    const state = this.#state;
    if (state === null) return;
    for (const { backend, server, state: decided, weight, reason } of verdicts) {
      const key = serverKey(backend, server);
      if (decided === "up" || reason === undefined) this.#reasons.delete(key);
      else this.#reasons.set(key, reason);
      const slot = this.#slots.server(key);
      if (slot === undefined) continue;
      const verdict = packVerdict(decided, weight);
      // Whoever comes back begins with a clean record.
      if (stateOf(state.verdicts[slot]) !== decided) Atomics.store(state.errors, slot, 0);
      Atomics.store(state.verdicts, slot, verdict);
    }
    state.publish();
    // Picking looks at verdicts itself; a turn is what closes connections to a server that is gone.
    for (const { worker } of this.#threads.values()) {
      if (this.#options?.accessLog) worker.send({ type: "reasons", reasons: this.#reasons });
      else worker.wake();
    }
  }

  #clearFrontend(slot: number): void {
    for (const { worker } of this.#threads.values()) worker.state.clearFrontend(slot);
  }

  #clearServer(slot: number): void {
    this.#state?.verdicts.fill(packVerdict("unresolved", 0), slot, slot + 1);
    for (const { worker } of this.#threads.values()) worker.state.clearServer(slot);
  }

  #reportStatus(): void {
    const options = this.#options;
    const shared = this.#shared;
    if (options === null || shared === null) return;
    const now = performance.now();
    const threads = Array.from({ length: options.threads }, (_, thread) => {
      const state = this.#threads.get(thread)?.worker.state;
      const alive = state !== undefined && state.alive;
      const turnAgeMs = this.#ages.observe(thread, state?.turns ?? 0, now);
      return { thread, alive, turnAgeMs, buffers: state?.regions ?? 0, droppedLines: state?.droppedLines ?? 0 };
    });
    this.#ports.report({
      type: "status",
      at: Date.now(),
      threads,
      ...this.#slots.counters(shared, options),
    });
  }

  /** Threads break off what has not ended, and write down that they did. */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    for (const { worker } of this.#threads.values()) worker.send({ type: "exit", drained: false });
    if (this.#threads.size === 0) this.#leave();
    else setTimeout(() => this.#leave(), LAST_WORDS);
  }

  #leave(): void {
    this.#ports.report({ type: "stopped" });
    this.#ports.stopped();
  }
}

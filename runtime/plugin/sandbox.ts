/**
 * A plugin that lives as long as its configuration: started when it is first needed, started again when it fails, left alone
 * when it fails too often.
 *
 *     idle ──first call──▶ starting ──loaded, uses initialised──▶ running
 *                             ▲ │ fails                              │ fails
 *                             │ ▼                                    ▼
 *                           backing off ◀────────────────────────────┤
 *                                                                    └─ the fifth time in 60 s, or not loadable ─▶ quarantined
 */
import type { Clock } from "../os/clock.ts";
import type { Measure } from "../os/confine.ts";
import type { Capabilities } from "./broker.ts";
import { describeFailure, PluginThrew, PluginUnavailable } from "./failure.ts";
import { afterFailure, type LifeRecord, unharmed } from "./life.ts";
import { type End, PluginProcess, type ProcessListener, type ProcessOptions } from "./process.ts";
import type { Method } from "./protocol.ts";
import type { Usage } from "./usage.ts";

export type SandboxState = "idle" | "starting" | "running" | "backing off" | "quarantined" | "stopped";

export interface SandboxOptions {
  /** "acme/pg-role". */
  readonly name: string;
  readonly process: ProcessOptions;
  /** How long `init` of one use may take, ms. @default 5000 */
  readonly initDeadline?: number;
  readonly clock: Clock;
  /** 0 to 1. @default Math.random */
  readonly random?: () => number;
}

export interface SandboxListener extends ProcessListener {
  /** Once for every change of state, with its reason. */
  changed(state: SandboxState, reason: string): void;
}

/** One place in the configuration that names the plugin. */
export interface Use {
  readonly id: string;
  /** Checked against the plugin's schema, defaults filled in, secrets resolved. */
  readonly config: unknown;
  /** What `init` may ask for. */
  readonly capabilities?: Capabilities;
}

export interface SandboxStatus {
  readonly state: SandboxState;
  /** Why it is in that state. */
  readonly reason: string;
  readonly pid: number | null;
  readonly measures: readonly Measure[];
  readonly calls: number;
  readonly timeouts: number;
  readonly restarts: number;
  /** From spawn to the end of every `init`, ms, of the last start. */
  readonly startMs: number | null;
  readonly usage: Usage | null;
  readonly lastError: string | null;
}

const INIT_DEADLINE = 5000;
/** Distinct errors that are logged: a plugin may make up as many as it likes. */
const MOST_THROWN = 100;

export class Sandbox {
  readonly #uses = new Map<string, Use>();
  #state: SandboxState = "idle";
  #reason = "not needed yet";
  #process: PluginProcess | null = null;
  /** Resolves when the process that starts now is of use; rejects with the reason when it never is. */
  #starting: Promise<PluginProcess> | null = null;
  #record: LifeRecord = unharmed;
  #restart: Disposable | null = null;
  #counters = { calls: 0, timeouts: 0, restarts: 0 };
  #measures: readonly Measure[] = [];
  #startMs: number | null = null;
  #lastError: string | null = null;
  /** Errors of its code that are in the log. */
  readonly #thrown = new Set<string>();

  constructor(private readonly options: SandboxOptions, private readonly listener: SandboxListener) {}

  get name(): string {
    return this.options.name;
  }

  /** `text` without the secrets of its uses. */
  redact(text: string): string {
    return this.options.process.redact(text);
  }

  status(): SandboxStatus {
    return {
      state: this.#state,
      reason: this.#reason,
      pid: this.#process?.pid ?? null,
      measures: this.#measures,
      ...this.#counters,
      startMs: this.#startMs,
      usage: this.#process?.usage ?? null,
      lastError: this.#lastError,
    };
  }

  /**
   * Adds a use, before its first call. A process that runs already initialises it now, any other when it starts.
   *
   * @throws {PluginUnavailable} when `init` fails; the use is not added then.
   */
  async add(use: Use): Promise<void> {
    if (this.#state === "running") await this.#initialise(this.#process!, use);
    this.#uses.set(use.id, use);
  }

  remove(id: string): void {
    this.#uses.delete(id);
  }

  /**
   * Starts the process if none runs, and initialises every use.
   *
   * @throws {PluginUnavailable} when it cannot be started now, with the reason.
   */
  async start(): Promise<void> {
    await this.#ready();
  }

  /**
   * Asks the plugin on behalf of the use `id`.
   *
   * @throws {PluginThrew} what its code threw
   * @throws {PluginUnavailable} when it gives no answer; that says nothing about what was asked
   */
  async call(
    method: Method,
    id: string,
    argument: unknown,
    options: { readonly signal: AbortSignal; readonly capabilities?: Capabilities },
  ): Promise<unknown> {
    this.#counters.calls++;
    try {
      const process = await orAborted(this.#ready(), options.signal);
      return await process.call(method, id, argument, options);
    } catch (error) {
      if (options.signal.aborted) this.#counters.timeouts++;
      if (error instanceof PluginThrew) this.#threw(method, error);
      throw error;
    }
  }

  /** Ends a quarantine. */
  reset(): void {
    if (this.#state !== "quarantined") return;
    this.#record = unharmed;
    this.#become("idle", "reset by the operator");
  }

  async stop(): Promise<void> {
    this.#restart?.[Symbol.dispose]();
    this.#become("stopped", "stopped");
    await this.#process?.stop();
  }

  async #ready(): Promise<PluginProcess> {
    switch (this.#state) {
      case "running":
        return this.#process!;
      case "starting":
        return await this.#starting!;
      case "idle":
        return await this.#begin();
      case "backing off":
      case "quarantined":
      case "stopped":
        throw new PluginUnavailable(`${this.#state}: ${this.#reason}`);
    }
  }

  #begin(): Promise<PluginProcess> {
    this.#become("starting", "started");
    this.#starting = this.#launch();
    this.#starting.catch(() => {}); // whoever asked hears; a restart of our own has nobody to tell
    return this.#starting;
  }

  async #launch(): Promise<PluginProcess> {
    const { clock } = this.options;
    const began = clock.monotonic();
    let process: PluginProcess;
    try {
      process = new PluginProcess(this.options.process, this.listener);
    } catch (error) {
      this.#failed({ cause: "start", reason: error instanceof Error ? error.message : String(error) });
      throw new PluginUnavailable(this.#reason);
    }
    this.#process = process;
    void process.ended.then((end) => this.#ended(process, end));
    try {
      this.#measures = (await process.loaded).measures;
      for (const use of this.#uses.values()) await this.#initialise(process, use);
    } catch (error) {
      // What was too little for `strict` is what the operator then wants to see.
      this.#measures = process.measures;
      await process.stop();
      throw error;
    }
    this.#startMs = Math.round(clock.monotonic() - began);
    this.#become("running", `ready after ${this.#startMs} ms`);
    return process;
  }

  /** A use that cannot be initialised fails the start: better no plugin than one that half works. */
  async #initialise(process: PluginProcess, use: Use): Promise<void> {
    const controller = new AbortController();
    const deadline = this.options.initDeadline ?? INIT_DEADLINE;
    const timer = this.options.clock.after(deadline, () => {
      const reason = new Error(`init took longer than ${deadline} ms`);
      reason.name = "Deadline";
      controller.abort(reason);
    });
    try {
      const { config, capabilities } = use;
      await process.call("init", use.id, null, { signal: controller.signal, config, capabilities });
    } catch (error) {
      const message = describeFailure(error);
      if (this.#process === process && this.#state === "starting") {
        this.#process = null; // its end is told here, with the better reason
        this.#failed({ cause: "init", reason: `init of "${use.id}" failed: ${message}` });
      }
      throw new PluginUnavailable(`init of "${use.id}" failed: ${message}`);
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Whoever asked has the message. Where in its author's files it came from is for the log, and once is enough. */
  #threw(method: Method, error: PluginThrew): void {
    this.#lastError = describeFailure(error);
    const { name, at } = error.thrown;
    if (at === undefined) return; // it was made on our side of the pipe: a connection that was refused
    // What is measured or counted in a message makes no other error of it.
    const kind = `${method} ${name} ${error.message.replace(/\d+/g, "0")} ${at}`;
    if (this.#thrown.has(kind) || this.#thrown.size >= MOST_THROWN) return;
    this.#thrown.add(kind);
    this.listener.log("warn", `${method} threw ${name}: ${this.#lastError}`);
  }

  #ended(process: PluginProcess, end: End): void {
    if (this.#process !== process) return;
    this.#process = null;
    if (this.#state !== "stopped") this.#failed(end);
  }

  #failed(end: End): void {
    this.#lastError = end.reason;
    if (end.cause === "load" || end.cause === "isolation") return this.#become("quarantined", end.reason);
    const { clock, random = Math.random } = this.options;
    const [record, sentence] = afterFailure(this.#record, clock.monotonic(), random());
    this.#record = record;
    if (sentence.next === "quarantine") {
      return this.#become("quarantined", `failed ${record.failures.length} times in a minute, last: ${end.reason}`);
    }
    this.#become("backing off", `${end.reason}; starts again after ${sentence.wait} ms`);
    this.#restart = clock.after(sentence.wait, () => {
      this.#counters.restarts++;
      void this.#begin();
    });
  }

  #become(state: SandboxState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.listener.changed(state, reason);
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new PluginUnavailable("it was not ready in time"));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * One life of a plugin's process: start, hand-shake, calls, heartbeat, end. It ends once, for one reason, and never begins
 * again by itself.
 *
 *     starting ──confined──▶ confined ──ready──▶ loading ──loaded──▶ running ──▶ ended
 */
import type { Cgroup, Cgroups } from "../os/cgroup.ts";
import type { Clock } from "../os/clock.ts";
import { type Measure, shortfalls } from "../os/confine.ts";
import { type CallOptions, Calls } from "./calls.ts";
import { decodeMessage } from "./decode.ts";
import { PluginUnavailable, withPlace } from "./failure.ts";
import { encodeFrame, ProtocolViolation } from "./frame.ts";
import { HEARTBEAT, Heartbeat } from "./heartbeat.ts";
import { Flood, readFrames, readLines } from "./intake.ts";
import { LogGate, plainFields, plainLine, redactDeep, redactText } from "./output.ts";
import type {
  FromPlugin,
  GrantedNames,
  HostInfo,
  LogLevel,
  Method,
  PluginKind,
  ToPlugin,
  WireError,
} from "./protocol.ts";
import { stepBack } from "../os/scheduling.ts";
import { cgroupLimits, type PluginStage, residentLimit, type StageArgument } from "./stage.ts";
import { readUsage, type Usage } from "./usage.ts";

export interface ProcessOptions {
  /** Names its cgroup. */
  readonly name: string;
  readonly command: { readonly path: string; readonly args: readonly string[] };
  readonly stage: PluginStage;
  readonly entry: string;
  readonly kind: PluginKind;
  readonly host: HostInfo;
  readonly granted: GrantedNames;
  /** Bytes plugin code may use. */
  readonly memory: number;
  readonly cgroups: Cgroups;
  /** `strict`: load no code where confinement is less than full. */
  readonly isolation: "available" | "strict";
  /** Takes secrets out of text. */
  readonly redact: (text: string) => string;
  readonly clock: Clock;
}

export interface ProcessListener {
  log(level: LogLevel, text: string, fields?: Readonly<Record<string, unknown>>): void;
  metric(name: string, kind: "count" | "gauge", value: number): void;
}

/** Why a process is no more. `stopped`: we wanted it. `load` and `isolation`: starting it again would change nothing. */
export interface End {
  readonly cause:
    | "stopped"
    | "exited"
    | "violation"
    | "flood"
    | "hung"
    | "memory"
    | "start"
    | "isolation"
    | "load"
    | "init"
    | "pipe";
  readonly reason: string;
}

/** What is known once the plugin is loaded. */
export interface Loaded {
  /** JSON Schema of its configuration, as its code declares it. */
  readonly schema: unknown;
  readonly measures: readonly Measure[];
}

type Phase = "starting" | "confined" | "loading" | "running" | "ended";

const START_DEADLINE = 10_000;
const STOP_GRACE = 2000;
/** Calls whose work goes on though their deadline passed long ago. */
const MOST_ABANDONED = 256;
/** Bytes that may wait to be read by the plugin. */
const MOST_UNREAD = 4 * 2 ** 20;

export class PluginProcess {
  readonly pid: number;
  readonly loaded: Promise<Loaded>;
  readonly ended: Promise<End>;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #calls: Calls;
  readonly #gate: LogGate;
  readonly #heartbeat: Heartbeat;
  readonly #loaded = Promise.withResolvers<Loaded>();
  readonly #ended = Promise.withResolvers<End>();
  #phase: Phase = "starting";
  #measures: readonly Measure[] = [];
  /** Where the plugin's files are for stage 2. */
  #directory = "";
  #cgroup: Cgroup | null = null;
  #unread = 0;
  /** The first line on stderr. */
  #firstWords = "";
  /** Set as soon as the end is certain, by whatever comes first. */
  #end: End | null = null;
  #usage: Usage | null = null;
  #deadline: Disposable;
  #nextBeat: Disposable | undefined;

  /** @throws {Error} when no process can be started. */
  constructor(private readonly options: ProcessOptions, private readonly listener: ProcessListener) {
    const { clock, command, stage, memory } = options;
    this.loaded = this.#loaded.promise;
    this.loaded.catch(() => {}); // whoever waits for it hears; nobody has to
    this.ended = this.#ended.promise;
    this.#calls = new Calls(clock, (message) => this.#send(message));
    this.#gate = new LogGate(clock.monotonic());
    this.#heartbeat = new Heartbeat(residentLimit(memory, stage.serving !== null));
    const argument: StageArgument = { ...stage, cgroup: this.#openCgroup() };
    try {
      this.#child = new Deno.Command(command.path, {
        args: [...command.args, JSON.stringify(argument)],
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      this.#cgroup?.remove();
      throw error;
    }
    this.pid = this.#child.pid;
    // A plugin that crashes starts again and again: not at the cost of a request. What it executes next is lower still.
    stepBack(this.pid);
    this.#writer = this.#child.stdin.getWriter();
    this.#writer.closed.catch(() => {});
    this.#deadline = clock.after(START_DEADLINE, () => this.#kill("start", `not ready within ${START_DEADLINE} ms`));
    void this.#live();
  }

  /** Empty before it has confined itself. */
  get measures(): readonly Measure[] {
    return this.#measures;
  }

  /** As of the last heartbeat. */
  get usage(): Usage | null {
    return this.#usage;
  }

  /**
   * Asks the plugin, once it is loaded.
   *
   * @throws {PluginThrew} what the plugin's code threw
   * @throws {PluginUnavailable} when the process ended or answers no more
   */
  call(method: Method, use: string, argument: unknown, options: CallOptions): Promise<unknown> {
    if (this.#end !== null) return Promise.reject(new PluginUnavailable(this.#end.reason));
    return this.#calls.call(method, use, argument, options);
  }

  /** Lets it end in order, and by force after two seconds. */
  async stop(): Promise<void> {
    if (this.#end === null) {
      this.#end = { cause: "stopped", reason: "stopped" };
      this.#writer.close().catch(() => {});
      this.#deadline[Symbol.dispose]();
      this.#deadline = this.options.clock.after(STOP_GRACE, () => this.#signalKill());
    }
    await this.ended;
  }

  async #live(): Promise<void> {
    const { redact } = this.options;
    const intake = { clock: this.options.clock, over: () => this.#end !== null };
    const log = (line: string) => {
      this.#firstWords ||= plainLine(line).slice(0, 200);
      this.#log("warn", line, { stream: "stderr" });
    };
    const [status] = await Promise.all([
      this.#child.status,
      readFrames(this.#child.stdout, (value) => this.#receive(decodeMessage(value, redact)), intake).catch(
        (error) => {
          this.#broke(error);
        },
      ),
      readLines(this.#child.stderr, log, intake),
    ]);
    const kills = this.#cgroup?.oomKills() ?? 0;
    await this.#removeCgroup();
    if (kills > 0) this.#end ??= { cause: "memory", reason: "it filled its memory cgroup" };
    const how = status.signal ?? `exit code ${status.code}`;
    // Until the plugin is loaded stderr is the runtime's, and says why.
    const why = this.#phase === "running" || this.#firstWords === "" ? "" : `: ${this.#firstWords}`;
    this.#end ??= { cause: "exited", reason: `its process ended by itself: ${how}${why}` };
    this.#phase = "ended";
    this.#deadline[Symbol.dispose]();
    this.#nextBeat?.[Symbol.dispose]();
    this.#loaded.reject(new PluginUnavailable(this.#end.reason));
    this.#calls.end(this.#end.reason);
    this.#ended.resolve(this.#end);
  }

  /** The kernel's own words where there is none: they are for `status`. */
  #openCgroup(): StageArgument["cgroup"] {
    const { cgroups, name, stage, memory } = this.options;
    try {
      this.#cgroup = cgroups.create(name, cgroupLimits(stage, memory));
      return { path: this.#cgroup.path };
    } catch (error) {
      return { missing: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The kernel takes a moment to see that the last thread is gone. What stays is swept by the next start. */
  async #removeCgroup(): Promise<void> {
    for (let tries = 0; this.#cgroup !== null && tries < 20; tries++) {
      if (this.#cgroup.remove()) return;
      await new Promise<void>((resolve) => this.options.clock.after(25, resolve));
    }
  }

  #broke(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const sentence = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    if (error instanceof Flood) this.#kill("flood", sentence);
    else if (error instanceof ProtocolViolation) this.#kill("violation", `protocol violation: ${sentence}`);
    else this.#kill("pipe", `its pipe broke: ${sentence}`);
  }

  #kill(cause: End["cause"], reason: string): void {
    this.#end ??= { cause, reason: this.options.redact(reason) };
    this.#signalKill();
  }

  #signalKill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  #send(message: ToPlugin): void {
    const frame = encodeOrRefuse(message);
    this.#unread += frame.length;
    if (this.#unread > MOST_UNREAD) return this.#kill("hung", `it leaves ${this.#unread} bytes unread`);
    this.#writer.write(frame).then(() => this.#unread -= frame.length, () => {});
  }

  #receive(message: FromPlugin): void {
    if (this.#end !== null && this.#end.cause !== "stopped") return;
    switch (message.type) {
      case "confined":
        return this.#confined(message);
      case "ready":
        return this.#ready();
      case "loaded":
        return this.#nowLoaded(message.schema);
      case "failed":
        if (this.#phase !== "loading") throw new ProtocolViolation("Said that loading failed, long after it");
        return this.#kill("load", describeError(message.error));
      case "answer":
        return this.#calls.answered(message);
      case "ask":
        return void this.#calls.asked(message).catch((error) => this.#broke(error));
      case "log":
        return this.#log(message.level, message.text, this.#plain(message.fields));
      case "metric":
        return this.listener.metric(plainLine(message.name).slice(0, 64), message.kind, message.value);
      case "pong":
        return this.#pong(message.n, message.abandoned);
    }
  }

  /** Each step of the start is taken once: later "confined" would be the plugin's own claim. */
  #step(from: Phase, to: Phase, message: string): void {
    if (this.#phase !== from) throw new ProtocolViolation(`Sent "${message}" out of turn`);
    this.#phase = to;
  }

  #confined({ measures, directory }: Extract<FromPlugin, { type: "confined" }>): void {
    this.#step("starting", "confined", "confined");
    this.#measures = measures;
    this.#directory = directory;
    const short = shortfalls(measures);
    if (this.options.isolation === "strict" && short.length > 0) {
      this.#kill("isolation", `isolation: strict, and this machine offers less: ${short.join("; ")}`);
    }
  }

  #ready(): void {
    this.#step("confined", "loading", "ready");
    const { entry, kind, host, granted } = this.options;
    this.#send({ type: "load", directory: this.#directory, entry, kind, host, granted });
  }

  #nowLoaded(schema: unknown): void {
    this.#step("loading", "running", "loaded");
    this.#deadline[Symbol.dispose]();
    this.#loaded.resolve({ schema, measures: this.#measures });
    void this.#beat();
  }

  async #beat(): Promise<void> {
    const usage = await readUsage(this.pid);
    if (usage === null || this.#phase !== "running" || this.#end !== null) return;
    this.#usage = usage;
    const beat = this.#heartbeat.beat(usage);
    if (beat.next === "kill") return this.#kill(beat.cause, beat.reason);
    if (beat.next === "ping") this.#send({ type: "ping", n: beat.n });
    this.#nextBeat = this.options.clock.after(HEARTBEAT, () => void this.#beat());
  }

  #pong(n: number, abandoned: number): void {
    if (!this.#heartbeat.answer(n)) throw new ProtocolViolation(`Answered heartbeat ${n}, which was not sent`);
    if (abandoned > MOST_ABANDONED) this.#kill("hung", `${abandoned} calls go on though their deadline passed`);
  }

  #plain(fields: unknown): Readonly<Record<string, unknown>> | undefined {
    // Before they are cut, and again for what escape sequences had hidden.
    const plain = plainFields(redactDeep(fields, this.options.redact));
    return plain && redactDeep(plain, this.options.redact) as Readonly<Record<string, unknown>>;
  }

  #log(level: LogLevel, text: string, fields?: Readonly<Record<string, unknown>>): void {
    // Before it is cut, and again for what became a secret when escape sequences were taken out of it.
    const { redact } = this.options;
    const plain = redact(plainLine(redactText(text, redact)));
    for (const line of this.#gate.pass(plain, this.options.clock.monotonic())) {
      if (line !== "") this.listener.log(level, line, fields);
    }
  }
}

/** What is too long for a frame is refused to whoever asked for it. */
function encodeOrRefuse(message: ToPlugin): Uint8Array<ArrayBuffer> {
  try {
    return encodeFrame(message);
  } catch (error) {
    if (message.type !== "reply") throw error;
    return encodeFrame({ type: "reply", id: message.id, error: { name: "RangeError", message: String(error) } });
  }
}

function describeError(error: WireError): string {
  return plainLine(`${error.name}: ${withPlace(error)}`);
}

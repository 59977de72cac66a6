/** One child process, kept alive: started, watched, and started again when it dies or falls silent. */
import type { Clock } from "../os/clock.ts";
import { within } from "../os/clock.ts";
import type { Exit, RoleListener, RoleProcess } from "../os/process.ts";
import type { Logger } from "../telemetry/log.ts";
import { afterDeath, clean } from "./backoff.ts";
import { listeningTime } from "./listening_time.ts";

export interface ChildOptions<Command, Report> {
  readonly name: string;
  readonly spawn: (listener: RoleListener) => RoleProcess;
  readonly clock: Clock;
  readonly log: Logger;
  /** A child that said nothing for so long, ms, is taken for hung and killed. */
  readonly silence: number;
  /** A process was started; what it must be told is sent now. */
  readonly started: (send: (command: Command) => void) => void;
  readonly reported: (report: Report) => void;
  /** It died, unasked, and is started again after `wait` ms. */
  readonly died: (exit: Exit, wait: number) => void;
}

export interface Child<Command> {
  readonly name: string;
  /** Starts it, if that has not been done. */
  start(): void;
  readonly started: boolean;
  /** null while there is none. */
  readonly pid: number | null;
  /** How often it was started again. */
  readonly restarts: number;
  /** Monotonic ms of the last death; null before the first. */
  readonly diedAt: number | null;
  /** Sends a command to the process that runs; dropped when there is none, for `started` tells its successor everything. */
  send(command: Command): void;
  /** Sends `command` and waits for the end: after `patience` ms it is told `last`, two seconds later it is killed. */
  stop(command: Command, patience: number, last: Command): Promise<void>;
  /** Ends the patience of `stop`. */
  hurry(): void;
}

/** How long a child may take once it is told not to wait for anybody, ms. */
const lastPatience = 2000;

/** A child that, once started, is kept running until `stop`. */
export function superviseChild<Command, Report>(options: ChildOptions<Command, Report>): Child<Command> {
  const { clock, log, name } = options;
  const lookEvery = options.silence / 4;
  const listened = listeningTime(clock, lookEvery);
  let running: { readonly process: RoleProcess; readonly since: number; heard: number } | null = null;
  let timer: Disposable | null = null;
  let record = clean;
  let restarts = 0;
  let diedAt: number | null = null;
  let stopping = false;
  const hurrying = Promise.withResolvers<void>();

  let begun = false;

  function launch(): void {
    const now = clock.monotonic();
    const process = options.spawn({
      message(value) {
        if (running?.process !== process) return;
        running.heard = listened();
        options.reported(value as Report);
      },
      garbage: (line) => log.error(`The ${name} process wrote what is no message`, { line: line.slice(0, 200) }),
    });
    running = { process, since: now, heard: listened() };
    process.exited.then((exit) => ended(exit, now));
    watch();
    options.started((command) => process.send(command));
  }

  function ended(exit: Exit, since: number): void {
    running = null;
    timer?.[Symbol.dispose]();
    timer = null;
    if (stopping) return;
    diedAt = clock.monotonic();
    let wait: number;
    [record, wait] = afterDeath(record, diedAt - since);
    const again = () => {
      restarts++;
      launch();
    };
    options.died(exit, wait);
    if (wait > 0) timer = clock.after(wait, again);
    else again();
  }

  function watch(): void {
    timer = clock.after(lookEvery, () => {
      if (running === null) return;
      const silent = listened() - running.heard;
      if (silent >= options.silence) {
        log.error(`The ${name} process has said nothing for ${Math.round(silent)} ms and is killed`);
        running.process.kill("SIGKILL");
      } else {
        watch();
      }
    });
  }

  return {
    name,
    start() {
      if (begun || stopping) return;
      begun = true;
      launch();
    },
    get started() {
      return begun;
    },
    get pid() {
      return running?.process.pid ?? null;
    },
    get restarts() {
      return restarts;
    },
    get diedAt() {
      return diedAt;
    },
    send: (command) => running?.process.send(command),
    async stop(command, patience, last) {
      stopping = true;
      timer?.[Symbol.dispose]();
      if (running === null) return;
      const { process } = running;
      const gone = process.exited.then(() => true);
      process.send(command);
      const hurried = hurrying.promise.then(() => false);
      if (await within(clock, patience, Promise.race([gone, hurried]), false)) return;
      process.send(last);
      process.end();
      if (await within(clock, lastPatience, gone, false)) return;
      log.warning(`The ${name} process did not stop and is killed`);
      process.kill("SIGKILL");
      await gone;
    },
    hurry: () => hurrying.resolve(),
  };
}

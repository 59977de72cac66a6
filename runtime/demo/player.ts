/** A process of the demo on its machine: a node, a web server or the client, with all that it starts. */
import { libc } from "../os/libc.ts";
import { selfCommand } from "../os/process.ts";
import type { DemoNetwork } from "./network.ts";

const SIGKILL = 9;
const SIGTERM = 15;

/** A process of the demo with all that it started; its log goes to a file. */
export class Player {
  readonly pid: number;
  readonly child: Deno.ChildProcess;
  #ended = false;

  /** `stdout: piped` = the caller reads it. */
  constructor(network: DemoNetwork, machine: string, args: readonly string[], options: PlayerOptions) {
    const { path, args: argv } = selfCommand(["demo", "part", ...args]);
    const log = options.log;
    this.child = network.on(machine, () =>
      new Deno.Command("/bin/sh", {
        // A descriptor for the log is what Deno.Command cannot pass; the shell opens it and becomes the program.
        args: ["-c", 'log=$1; shift; exec "$@" 2>>"$log"', "sh", log, path, ...argv],
        env: options.env,
        // A session of its own: Ctrl-C reaches the demo only, and the whole family can be killed at once.
        detached: true,
        stdin: options.piped ? "piped" : "null",
        stdout: options.piped ? "piped" : "null",
        stderr: "null",
      }).spawn());
    this.pid = this.child.pid;
    this.child.status.then(() => this.#ended = true);
  }

  get running(): boolean {
    return !this.#ended;
  }

  /** Asks it to end, and kills it when it has not within `patience` ms. */
  async stop(patience = 1_000): Promise<void> {
    libc().kill(this.pid, SIGTERM);
    const timer = setTimeout(() => libc().kill(-this.pid, SIGKILL), patience);
    await this.child.status;
    clearTimeout(timer);
  }

  /** Ends it and everything it started, at once and without a last word, as a power loss would. */
  async kill(): Promise<void> {
    libc().kill(-this.pid, SIGKILL);
    await this.child.status;
  }
}

export interface PlayerOptions {
  /** File that its stderr is appended to. */
  readonly log: string;
  readonly env?: Record<string, string>;
  /** @default false */
  readonly piped?: boolean;
}

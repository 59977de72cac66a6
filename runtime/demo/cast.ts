/** Who plays in the demo: two nodes, two web servers and a client, each its own process on its own machine. */
import { libc } from "../os/libc.ts";
import { selfCommand } from "../os/process.ts";
import type { ClientReport } from "./client.ts";
import type { Sample, Window } from "./measure.ts";
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

/** What a node says of itself; the parts of `GET /api/v1/status` that the demo shows. */
export interface NodeStatus {
  readonly vrrp: readonly {
    readonly state: "initialize" | "backup" | "active" | "fault";
    readonly reason: string;
    readonly priority: { readonly configured: number; readonly effective: number };
  }[];
  readonly backends: readonly {
    readonly servers: readonly { readonly name: string; readonly state: string; readonly requests_total: number }[];
  }[];
}

/** A node's admin API by its Unix socket. */
export class NodeApi implements Disposable {
  readonly #client: Deno.HttpClient;
  constructor(readonly node: string, socket: string) {
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  }

  /** Its status; null while it does not answer. */
  async status(): Promise<NodeStatus | null> {
    try {
      const response = await this.#fetch("GET", "/api/v1/status");
      return response.ok ? await response.json() : (await response.body?.cancel(), null);
    } catch {
      return null;
    }
  }

  /** `failover` or `failback` of an instance. @throws {Error} with the node's own words when it refused. */
  async move(verb: "failover" | "failback", instance: string): Promise<void> {
    const response = await this.#fetch("POST", `/api/v1/vrrp/${instance}/${verb}`, { reason: "demo" });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot ${verb} ${instance} on ${this.node}: ${response.status} ${text}`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`http://tandem${path}`, {
      method,
      client: this.#client,
      signal: AbortSignal.timeout(3_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  }
}

/** The client's reports, collected; `onReport` runs after each. */
export class ClientFeed {
  /** Requests of the last `memory` ms. */
  samples: Sample[] = [];
  /** Times in which the client got no processor. */
  stalls: Window[] = [];
  mac: string | null = null;
  total = 0;
  lastServer = "";
  readonly finished: Promise<void>;
  static readonly memory = 60_000;

  constructor(stdout: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.finished = this.#read(stdout);
  }

  async #read(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  #take(report: ClientReport): void {
    if (report.type === "neighbour") {
      this.mac = report.mac;
      return;
    }
    this.samples.push(...report.samples);
    this.stalls.push(...report.stalls);
    this.total += report.samples.length;
    const last = report.samples.findLast((sample) => sample.outcome.type === "served")?.outcome;
    if (last?.type === "served") this.lastServer = last.server;
    const oldest = (this.samples.at(-1)?.ended ?? 0) - ClientFeed.memory;
    if (this.samples.length > 0 && this.samples[0].ended < oldest - ClientFeed.memory) {
      this.samples = this.samples.filter((sample) => sample.ended >= oldest);
      this.stalls = this.stalls.filter((stall) => stall.to >= oldest);
    }
  }
}

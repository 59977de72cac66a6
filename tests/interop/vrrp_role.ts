/** One vrrp process in a host's namespace, driven as control drives it: JSON lines on its stdin and stdout. */
import type {
  InstanceOptions,
  InstanceState,
  InstanceStatus,
  VrrpCommand,
  VrrpEvent,
  VrrpReport,
} from "../../runtime/vrrp/protocol.ts";
import { until } from "../support/command.ts";
import type { Host } from "../support/namespaces.ts";

const program = new URL("../../mod.ts", import.meta.url).pathname;

/** What a test says of an instance; the rest is the contract's default. */
export type Wanted = Partial<InstanceOptions>;

export function instanceOf(host: Host, wanted: Wanted = {}): InstanceOptions {
  return {
    name: "VI_1",
    interface: host.device,
    virtualRouterId: 51,
    version: 3,
    priority: 100,
    advertInterval: 1000,
    preempt: true,
    preemptDelay: 0,
    authentication: null,
    addresses: [{ address: "192.0.2.100", prefix: 24, interface: host.device }],
    unicast: null,
    checksum: "auto",
    garp: { repeat: 5, delay: 5000, refresh: 60_000 },
    trackInterfaces: [],
    handover: { connections: "auto", drain: 30_000 },
    ports: [],
    ...wanted,
  };
}

type Answer = Extract<VrrpReport, { type: "answer" }>;

export class VrrpRole implements AsyncDisposable {
  readonly events: VrrpEvent[] = [];
  readonly answers: Answer[] = [];
  /** What it said on stderr. */
  log = "";
  status: readonly InstanceStatus[] = [];
  /** When that was so, in ms since the epoch. */
  statusAt = 0;
  ready: Extract<VrrpReport, { type: "ready" }> | null = null;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reading: Promise<unknown>;
  #applied = 0;
  #id = 0;
  #ended = false;

  constructor(readonly host: Host, stateDirectory: string) {
    const [file, ...args] = host.inside(["deno", "run", "-A", "--quiet", program, "role", "vrrp"]);
    this.#child = new Deno.Command(file, {
      args,
      env: { TANDEM_STATE_DIR: stateDirectory },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#writer.closed.catch(() => {});
    this.#reading = Promise.all([this.#listen(), this.#collect()]);
  }

  /** Starts one on `host` and has it run these instances. */
  static async start(host: Host, directory: string, instances: readonly InstanceOptions[]): Promise<VrrpRole> {
    const role = new VrrpRole(host, `${directory}/${host.name}`);
    try {
      await until("the vrrp process is ready", () => role.ready);
      await role.apply(instances);
    } catch (error) {
      await role[Symbol.asyncDispose]();
      throw error;
    }
    return role;
  }

  get pid(): number {
    return this.ready?.pid ?? this.#child.pid;
  }

  /** The first instance. */
  get state(): InstanceState | undefined {
    return this.status[0]?.state;
  }

  get transitions(): number {
    return this.status[0]?.counters.transitions ?? 0;
  }

  send(command: VrrpCommand): void {
    void this.#writer.write(new TextEncoder().encode(JSON.stringify(command) + "\n")).catch(() => {});
  }

  async apply(
    instances: readonly InstanceOptions[],
    more: Partial<Extract<VrrpCommand, { type: "apply" }>> = {},
  ): Promise<void> {
    const id = ++this.#id;
    this.send({ type: "apply", id, instances, vouched: [], tracking: {}, holds: {}, ...more });
    await until("the options are applied", () => this.#applied >= id);
  }

  /** The answers to a planned move, the last one awaited. */
  async move(type: "failover" | "failback", hold: { reason: string } | null = null): Promise<readonly Answer[]> {
    const id = ++this.#id;
    const held = hold === null ? null : { until: null, since: Date.now(), reason: hold.reason, by: "test" };
    this.send(type === "failover" ? { type, id, instance: "VI_1", hold: held } : { type, id, instance: "VI_1" });
    const mine = () => this.answers.filter((answer) => answer.id === id);
    await until(`"${type}" is answered`, () => mine().some(({ outcome }) => /refused|drained|failed/.test(outcome)));
    return mine();
  }

  async reaches(state: InstanceState, timeout = 10_000): Promise<void> {
    await until(`${this.host.name} is ${state}`, () => this.state === state, { timeout, interval: 2 }).catch(
      (error) => {
        throw new Error(`${error.message}; it is ${this.state}; its log:\n${this.log}`);
      },
    );
  }

  /** As control stops it: its stdin is closed. */
  async stop(): Promise<number> {
    await this.#writer.close().catch(() => {});
    const { code } = await this.#child.status;
    this.#ended = true;
    await this.#reading;
    return code;
  }

  signal(signal: Deno.Signal): void {
    try {
      Deno.kill(this.pid, signal);
    } catch {
      // It has ended already.
    }
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#child.status;
    this.#ended = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.kill();
    await this.#writer.close().catch(() => {});
    await this.#reading;
  }

  async #listen(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line) as VrrpReport);
    }
  }

  async #collect(): Promise<void> {
    for await (const chunk of this.#child.stderr.pipeThrough(new TextDecoderStream())) this.log += chunk;
  }

  #hear(report: VrrpReport): void {
    switch (report.type) {
      case "ready":
        this.ready = report;
        return;
      case "applied":
        this.#applied = report.id;
        return;
      case "status":
        this.status = report.instances;
        this.statusAt = report.at;
        return;
      case "event":
        this.events.push(report.event);
        return;
      case "answer":
        this.answers.push(report);
        return;
      case "stopped":
        return;
    }
  }
}

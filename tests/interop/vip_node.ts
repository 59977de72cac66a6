/** Speaks to `vip_program.ts` on a host: commands, their answers, and what it reported when. */
import { fileURLToPath } from "node:url";
import { until } from "../support/command.ts";
import type { Host } from "../support/namespaces.ts";

/** A report; `at` is milliseconds since the epoch. */
export interface Report {
  readonly at: number;
  readonly event: { readonly type: string; readonly text?: string; readonly [field: string]: unknown };
}

export interface Link {
  readonly index: number;
  readonly mac: readonly number[];
  readonly up: boolean;
}

export class VipNode implements AsyncDisposable {
  readonly reports: Report[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ready = Promise.withResolvers<void>();
  #last = 0;

  private constructor(readonly host: Host, ledger: string | undefined, through: readonly string[]) {
    const program = fileURLToPath(new URL("./vip_program.ts", import.meta.url));
    const argv = [
      ...through,
      Deno.execPath(),
      "run",
      "-A",
      "--no-prompt",
      program,
      ...(ledger === undefined ? [] : [ledger]),
    ];
    const [file, ...args] = host.inside(argv);
    this.#child = new Deno.Command(file, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read();
  }

  /** `ledger` is the file for changed settings; `through` a command that starts the process. */
  static async start(host: Host, ledger?: string, through: readonly string[] = []): Promise<VipNode> {
    const node = new VipNode(host, ledger, through);
    await node.#ready.promise;
    return node;
  }

  /** @throws {Error} when the command threw. */
  // deno-lint-ignore no-explicit-any
  async do(name: string, argument: unknown = {}): Promise<any> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    await this.#writer.write(new TextEncoder().encode(JSON.stringify({ id, do: name, with: argument }) + "\n"));
    return await answer.promise;
  }

  /** The next report of that type from `from` on (milliseconds since the epoch). */
  reported(type: string, from: number, timeout = 5000): Promise<Report> {
    const found = () => this.reports.find((report) => report.event.type === type && report.at >= from);
    return until(`"${type}" of ${this.host.name}`, found, { timeout, interval: 5 });
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** SIGKILL: nothing is put in order. */
  async crash(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#writer.abort().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await this.#child.status;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    let text = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
    for (const answer of this.#waiting.values()) answer.reject(new Error(`"${this.host.name}" has ended`));
  }

  // deno-lint-ignore no-explicit-any
  #take(message: any): void {
    if (message.ready === true) this.#ready.resolve();
    else if (message.event !== undefined) this.reports.push(message);
    else {
      const answer = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) answer?.resolve(message.value);
      else answer?.reject(new Error(message.error));
    }
  }
}

/** Milliseconds since the epoch, the clock of the reports. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** A client host's traffic through the virtual IP: kept-alive and new connections, what failed, how long nobody was served. */
import { fileURLToPath } from "node:url";
import { failures, longestGap, type Sample, shares, type Window } from "../../runtime/demo/measure.ts";
import type { ClientReport } from "../../runtime/demo/client.ts";
import type { TrafficOptions } from "../../runtime/demo/traffic.ts";
import { ahead } from "./ahead.ts";
import { until } from "./command.ts";
import type { Host } from "./namespaces.ts";

export class Client implements AsyncDisposable {
  readonly samples: Sample[] = [];
  /** Its ARP entry for the virtual IP, every value it had and since when. */
  readonly neighbours: { readonly at: number; readonly mac: string | null }[] = [];
  #child: Deno.ChildProcess;
  #reading: Promise<void>;
  #errors: Promise<string>;
  #stopped = false;

  constructor(host: Host, options: TrafficOptions) {
    const program = fileURLToPath(new URL("./client_program.ts", import.meta.url));
    const argv = [Deno.execPath(), "run", "-A", "--no-prompt", program, JSON.stringify(options)];
    const [file, ...args] = host.inside(ahead(argv));
    this.#child = new Deno.Command(file, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    this.#reading = this.#read();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Milliseconds since the epoch, the clock of the samples. */
  static now(): number {
    return performance.timeOrigin + performance.now();
  }

  /** The window from `from` to now, once the samples up to now have arrived. */
  async since(from: number): Promise<Window> {
    const to = Client.now();
    await new Promise((resolve) => setTimeout(resolve, 150));
    return { from, to };
  }

  /** Longest time without a success among requests of `kind`, ms; nothing is left out. @default new connections */
  gap(window: Window, kind: "new" | "kept" | "all" = "new"): number {
    return longestGap(this.samples.filter((sample) => kind === "all" || sample.kind === kind), window);
  }

  failures(window: Window): Sample[] {
    return failures(this.samples, window);
  }

  shares(window: Window): Map<string, number> {
    return shares(this.samples, window);
  }

  /** Waits until `count` requests more have ended. */
  async requests(count: number, timeout = 10_000): Promise<void> {
    const wanted = this.samples.length + count;
    await until(`${count} requests more`, () => this.samples.length >= wanted, { timeout });
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#child.stdin.close();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
    const status = await this.#child.status;
    clearTimeout(timer);
    await this.#reading;
    const errors = await this.#errors;
    if (!status.success) throw new Error(`The client ended with ${status.signal ?? status.code}: ${errors}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  #take(report: ClientReport): void {
    if (report.type === "samples") this.samples.push(...report.samples);
    else this.neighbours.push({ at: report.at, mac: report.mac });
  }
}

/** Starts the client and waits until it has asked once. */
export async function startClient(host: Host, options: TrafficOptions): Promise<Client> {
  const client = new Client(host, options);
  try {
    await client.requests(1, 15_000);
  } catch (error) {
    await client.stop();
    throw error;
  }
  return client;
}

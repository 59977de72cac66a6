/** What the demo's client reports, collected. */
import type { ClientReport } from "./client.ts";
import type { Sample, Window } from "./measure.ts";

/** The client's requests of the last minute, and its ARP entry. */
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

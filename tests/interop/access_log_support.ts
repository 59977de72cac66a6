/** A proxy process with an access log, and what it wrote. */
import { type LentPipe, openLentPipe } from "../../runtime/os/lent_pipe.ts";
import { ProxyUnderTest } from "./proxy_support.ts";

/** A line as JSON tells it. */
export interface Logged {
  readonly id: string;
  readonly client: string;
  readonly route: string | null;
  readonly backend: string | null;
  readonly server: string | null;
  readonly method: string | null;
  readonly host: string | null;
  readonly target: string | null;
  readonly status: number | null;
  readonly end: string;
  readonly why?: string;
  readonly t: Readonly<Record<"head" | "queue" | "connect" | "ttfb" | "total", number | null>>;
  readonly bytes: { readonly in: number; readonly out: number };
  readonly attempts: number;
}

/** Lines of the pipe, read as fast as they come. */
export class LogUnderTest implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly pipe: LentPipe = openLentPipe();
  #reading: Promise<void> | null = null;

  readonly #keeps: boolean;

  /** `reads`: from the beginning, else when it is told to. `keeps`: the lines, or throws them away. */
  constructor({ reads = true, keeps = true } = {}) {
    this.#keeps = keeps;
    if (reads) this.read();
  }

  read(): void {
    this.#reading ??= this.#read();
  }

  /** What `accessLog` is to be in a set that is applied. */
  json = { format: "json" as const, fd: this.pipe.fd };

  start(io: string): ProxyUnderTest {
    return new ProxyUnderTest(io, (spawn) => this.pipe.lend(spawn));
  }

  /** Waits until there are `count` lines, or no more have come for a while. */
  async settled(count: number): Promise<void> {
    for (let quiet = 0, before = -1; quiet < 100 && this.lines.length < count; before = this.lines.length) {
      quiet = this.lines.length === before ? quiet + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Takes the next line, whoever wrote it. */
  async next(): Promise<Logged> {
    const deadline = performance.now() + 10_000;
    while (this.lines.length === 0) {
      if (performance.now() > deadline) throw new Error("No line was logged within 10 s");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return JSON.parse(this.lines.shift() ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pipe[Symbol.dispose]();
    this.read();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65536);
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const length = await this.pipe.read(buffer);
      if (length === null) return;
      if (!this.#keeps) continue;
      const parts = (rest + decoder.decode(buffer.subarray(0, length))).split("\n");
      rest = parts.pop() ?? "";
      this.lines.push(...parts);
    }
  }
}

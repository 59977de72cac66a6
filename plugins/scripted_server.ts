/** The server of a check's test: it does what its script says, and judges what it is sent. */
import type { Connection } from "./contract.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** One step of a scripted server. */
export type Step =
  /** Waits for exactly these bytes; something else fails the test. */
  | { readonly expect: string | Uint8Array }
  /** Waits for as much as has come and judges it; what it returns is sent, what it throws fails the test. */
  | { readonly answer: (bytes: Uint8Array) => string | Uint8Array | Promise<string | Uint8Array> }
  | { readonly send: string | Uint8Array }
  /** Lets the clock pass, ms: past the deadline the check is aborted. */
  | { readonly pause: number }
  /** The connection breaks. */
  | "reset"
  /** The server closes. */
  | "close"
  /** There is no server. */
  | "refuse";

/** A server that does these things, in this order, to each connection. */
export function script(steps: readonly Step[]): Script {
  return { steps };
}

export interface Script {
  readonly steps: readonly Step[];
}

export interface ServerParts {
  readonly time: VirtualTime;
  /** Of the check. */
  readonly signal: AbortSignal;
  /** The script and what happened are two things: the test has failed, whatever the checker makes of it. */
  readonly fail: (error: Error) => void;
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** @throws {Error} `connect refused` where there is no server. */
export function connectTo({ steps }: Script, parts: ServerParts): ScriptedConnection {
  if (steps[0] === "refuse") throw new Error("connect refused");
  return new ScriptedConnection(steps, parts);
}

/** What the checker has of it. */
export class ScriptedConnection implements Connection {
  #at = 0;
  /** Sent by the checker, and not judged yet. */
  #received: Uint8Array = new Uint8Array(0);
  /** Sent by the server, and not read yet; null = its end. */
  readonly #sent: (Uint8Array | null)[] = [];
  readonly #readers: PromiseWithResolvers<Uint8Array | null>[] = [];
  #broken: Error | null = null;
  /** The script was not kept. */
  #failed = false;
  /** An answer or a pause is under way. */
  #pausing = false;
  #open = true;
  /** The step whose bytes were the last that are expected, as long as the checker has read nothing since. */
  #complete: number | null = null;

  constructor(private readonly steps: readonly Step[], private readonly parts: ServerParts) {
    this.#advance();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async read(): Promise<Uint8Array | null> {
    this.#assertUsable();
    if (this.#sent.length > 0) return this.#take();
    this.#assertWhole("read");
    const reader = Promise.withResolvers<Uint8Array | null>();
    this.#readers.push(reader);
    return await this.parts.time.blocked(reader.promise, this.parts.signal);
  }

  // deno-lint-ignore require-await
  async write(bytes: Uint8Array): Promise<void> {
    this.#assertUsable();
    this.#assertWhole("write");
    this.#received = new Uint8Array([...this.#received, ...bytes]);
    if (this.#complete !== null && bytes.length > 0) {
      this.#fail(`expected no more, got ${show(bytes)}`, this.#complete);
    }
    this.#advance();
    // A reset that follows what was written is found by the next call.
    if (this.#failed) this.#assertWhole("write");
  }

  close(): void {
    this.#open = false;
    for (const reader of this.#readers.splice(0)) reader.reject(new Error(CLOSED));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  /** The check is over: what it sent and nobody waited for to the end is judged too. */
  judge(): void {
    const step = this.steps[this.#at];
    if (this.#broken || this.#received.length === 0 || typeof step !== "object" || !("expect" in step)) return;
    this.#fail(`expected ${show(bytesOf(step.expect))}, got ${show(this.#received)}`);
  }

  #assertUsable(): void {
    this.parts.signal.throwIfAborted();
    if (!this.#open) throw new Error(CLOSED);
  }

  #assertWhole(call: "read" | "write"): void {
    if (this.#broken) throw named(call, this.#broken);
  }

  #take(): Uint8Array | null {
    this.#complete = null;
    // The end of a stream stays where it is.
    const bytes = this.#sent[0] === null ? null : this.#sent.shift()!;
    this.#advance();
    return bytes;
  }

  #send(bytes: Uint8Array | null): void {
    const reader = this.#readers.shift();
    if (reader === undefined) return void this.#sent.push(bytes);
    this.#complete = null;
    reader.resolve(bytes);
    if (bytes === null) this.#sent.push(null);
  }

  #break(error: Error): void {
    this.#broken = error;
    for (const reader of this.#readers.splice(0)) reader.reject(named("read", error));
  }

  #fail(text: string, at = this.#at): void {
    const error = new Error(`Script, step ${at + 1}: ${text}`);
    this.#failed = true;
    this.parts.fail(error);
    this.#break(error);
  }

  /** Goes on as far as it can without the checker or the clock. */
  #advance(): void {
    while (this.#at < this.steps.length && !this.#pausing && !this.#broken && this.#step(this.steps[this.#at])) {
      this.#at++;
    }
  }

  /** Whether the step is done. */
  #step(step: Step): boolean {
    if (step === "refuse") {
      this.#fail("refuse must be the first step");
      return false;
    }
    if (step === "reset") {
      // What was sent before it arrives before it.
      if (this.#sent.length > 0) return false;
      this.#break(new Error(RESET));
      return true;
    }
    if (step === "close") {
      this.#send(null);
      return true;
    }
    if ("send" in step) {
      this.#send(bytesOf(step.send));
      return true;
    }
    if ("expect" in step) return this.#expect(bytesOf(step.expect));
    if ("pause" in step) {
      this.#resumeAfter((resume) => void this.parts.time.after(step.pause, resume));
      return false;
    }
    if (this.#received.length > 0) this.#answer(step.answer);
    return false;
  }

  #expect(wanted: Uint8Array): boolean {
    const got = this.#received;
    const common = Math.min(got.length, wanted.length);
    const isLast = !this.steps.slice(this.#at + 1).some((step) =>
      typeof step === "object" && ("expect" in step || "answer" in step)
    );
    const differs = got.subarray(0, common).some((byte, index) => byte !== wanted[index]);
    if (differs || (isLast && got.length > wanted.length)) {
      this.#fail(`expected ${show(wanted)}, got ${show(got)}`);
      return false;
    }
    if (got.length < wanted.length) return false;
    this.#received = got.subarray(wanted.length);
    this.#complete = isLast ? this.#at : null;
    return true;
  }

  #answer(answer: Extract<Step, { answer: unknown }>["answer"]): void {
    const asked = this.#received;
    this.#received = new Uint8Array(0);
    const failed = (error: unknown) => {
      const thrown = error instanceof Error ? error : new Error(String(error));
      this.parts.fail(thrown);
      this.#break(thrown);
    };
    let given: string | Uint8Array | Promise<string | Uint8Array>;
    try {
      given = answer(asked);
    } catch (error) {
      return failed(error);
    }
    this.#resumeAfter((resume) => {
      const sent = (bytes: string | Uint8Array) => (this.#send(bytesOf(bytes)), resume());
      if (!(given instanceof Promise)) return sent(given);
      void this.parts.time.busy(given).then(sent, failed);
    });
  }

  #resumeAfter(begin: (resume: () => void) => void): void {
    this.#pausing = true;
    begin(() => {
      this.#pausing = false;
      this.#at++;
      this.#advance();
    });
  }
}

const RESET = "reset", CLOSED = "The connection is closed";

/** "read reset"; what is the script's own keeps its words. */
function named(call: "read" | "write", error: Error): Error {
  return error.message === RESET ? new Error(`${call} ${RESET}`) : error;
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

function show(bytes: Uint8Array): string {
  return JSON.stringify(decoder.decode(bytes.subarray(0, 80)));
}

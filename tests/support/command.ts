/** Short commands and long-running processes of the tests: output captured, failures told, nothing left running. */

/** What a finished command said. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `argv` to its end.
 *
 * @throws {Error} when it fails and `allowFailure` is not set.
 */
export async function command(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
  const [file, ...args] = argv;
  const child = new Deno.Command(file, {
    args,
    env: options.env,
    clearEnv: options.clearEnv,
    cwd: options.cwd,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const timer = options.timeout === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeout);
  const { code, stdout, stderr } = await output;
  clearTimeout(timer);
  const decoder = new TextDecoder();
  const result = { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  if (code !== 0 && !options.allowFailure) {
    throw new Error(`Cannot run "${argv.join(" ")}": exit ${code}: ${(result.stderr || result.stdout).trim()}`);
  }
  return result;
}

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  readonly clearEnv?: boolean;
  readonly cwd?: string;
  /** Milliseconds until it is killed. @default none */
  readonly timeout?: number;
  /** @default false */
  readonly allowFailure?: boolean;
}

/** A process that runs until the test lets go of it. Its output is kept and can be waited for. */
export class Running implements AsyncDisposable {
  readonly pid: number;
  /** Settles when it ends. */
  readonly exit: Promise<Deno.CommandStatus>;
  #child: Deno.ChildProcess;
  #output = "";
  #changed = Promise.withResolvers<void>();
  #drained: Promise<void>;
  #ended: Deno.CommandStatus | null = null;

  constructor(
    readonly name: string,
    argv: readonly string[],
    options: { env?: Record<string, string>; cwd?: string } = {},
  ) {
    const [file, ...args] = argv;
    this.#child = new Deno.Command(file, {
      args,
      env: options.env,
      cwd: options.cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#drained = Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]).then(() => {});
    this.exit = this.#child.status.then((status) => {
      this.#ended = status;
      this.#wake();
      return status;
    });
  }

  /** Everything it has said on stdout and stderr, as it came. */
  get output(): string {
    return this.#output;
  }

  /** Null while it runs. */
  get ended(): Deno.CommandStatus | null {
    return this.#ended;
  }

  /** Waits until the output matches; throws when the process ends or the time is over first. */
  async said(pattern: RegExp, timeout = 10_000): Promise<RegExpMatchArray> {
    const deadline = performance.now() + timeout;
    while (true) {
      const match = this.#output.match(pattern);
      if (match) return match;
      const left = deadline - performance.now();
      if (left <= 0 || this.#ended) {
        const why = this.#ended
          ? `it ended with ${this.#ended.signal ?? this.#ended.code}`
          : `not within ${timeout} ms`;
        throw new Error(`"${this.name}" did not say ${pattern}: ${why}; it said:\n${this.#output.slice(-4_000)}`);
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, left));
      await Promise.race([this.#changed.promise, late]);
      clearTimeout(timer);
    }
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  /** Sends `signal`, waits up to `timeout` ms, then kills. */
  async stop(signal: Deno.Signal = "SIGTERM", timeout = 3_000): Promise<Deno.CommandStatus> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), timeout);
    const status = await this.exit;
    clearTimeout(timer);
    // A grandchild that kept the pipe open must not hold the test: what it says from here on is lost.
    let late: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.#drained, new Promise<void>((resolve) => late = setTimeout(resolve, 500))]);
    clearTimeout(late);
    await Promise.all(this.#readers.map((reader) => reader.cancel().catch(() => {})));
    await this.#drained;
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #readers: ReadableStreamDefaultReader<Uint8Array>[] = [];

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const reader = stream.getReader();
    this.#readers.push(reader);
    const decoder = new TextDecoder();
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#output += decoder.decode(value, { stream: true });
      this.#wake();
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Waits until `probe` gives something other than null, undefined or false. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<Exclude<T, null | undefined | false>> {
  const { timeout = 10_000, interval = 20 } = options;
  const deadline = performance.now() + timeout;
  while (true) {
    let failure: unknown;
    try {
      const value = await probe();
      if (value) return value as Exclude<T, null | undefined | false>;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`Waited ${timeout} ms in vain: ${what}`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/**
 * Tandem started again in another role: one program, its roles chosen by argument, spoken to by lines of JSON over the
 * child's stdin and stdout. stderr is inherited for logs. A child learns from its closed stdin that we are gone.
 */

export interface Command {
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * How this same program is started again with `args`: the binary itself, or Deno, with its own `flags`, on the module that
 * we run.
 */
export function selfCommand(args: readonly string[], flags: readonly string[] = []): Command {
  if (Deno.build.standalone) return { path: Deno.execPath(), args };
  return { path: Deno.execPath(), args: ["run", "-A", "--quiet", ...flags, Deno.mainModule, ...args] };
}

/** How a process ended. */
export interface Exit {
  readonly code: number;
  readonly signal: string | null;
}

/** "exit code 1" or "SIGKILL", for logs and events. */
export function describeExit(exit: Exit): string {
  return exit.signal ?? `exit code ${exit.code}`;
}

/** A running child in one role. */
export interface RoleProcess {
  readonly pid: number;
  /** Queues one message. Never fails: that the child is gone is told by `exited`. */
  send(message: unknown): void;
  /** Closes the child's stdin after what is queued: the command to stop. */
  end(): void;
  kill(signal: "SIGKILL" | "SIGTERM"): void;
  readonly exited: Promise<Exit>;
}

export interface RoleListener {
  message(value: unknown): void;
  /** A line that is not JSON; the protocol allows none. */
  garbage(line: string): void;
}

export interface RoleOptions {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `command` and passes every message of its stdout to `listener`. */
export function spawnRole(command: Command, listener: RoleListener, options: RoleOptions = {}): RoleProcess {
  const child = new Deno.Command(command.path, {
    args: [...command.args],
    env: options.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  const ignore = () => {};
  writer.closed.catch(ignore);
  const reading = readLines(child.stdout, (line) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      listener.garbage(line);
      return;
    }
    listener.message(value);
  });
  return {
    pid: child.pid,
    send: (message) => void writer.write(encoder.encode(JSON.stringify(message) + "\n")).catch(ignore),
    end: () => void writer.close().catch(ignore),
    kill(signal) {
      try {
        child.kill(signal);
      } catch {
        // Already gone.
      }
    },
    // Last words of a child are read before its end is told, so nobody acts on a half-known state.
    exited: child.status.then(async ({ code, signal }) => {
      await reading;
      return { code, signal };
    }),
  };
}

async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, line: (text: string) => void): Promise<void> {
  let rest = "";
  try {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) if (text !== "") line(text);
    }
  } catch {
    // The pipe broke with the child.
  }
}

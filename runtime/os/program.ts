/**
 * A program of the operator's: no shell, no environment of ours, a process group of its own, and an end. Other than a role of
 * ours it knows no protocol: it is given text and answers with an exit code and text.
 */
import { type Clock, sleep, systemClock } from "./clock.ts";

export interface ProgramOptions {
  /** Given on its standard input. @default "", which is closed at once */
  readonly input?: string;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whose it is. @default ours */
  readonly user?: { readonly uid: number; readonly gid: number } | null;
  /** What it may use. @default what we may */
  readonly limits?: ProgramLimits;
  /** `kill`: what it leaves running is ended with it. @default "leave", because hooks start daemons */
  readonly rest?: "kill" | "leave";
  /** Which part of what it writes is kept, where that is much. @default "beginning" */
  readonly keep?: "beginning" | "end";
  /** @default the system's */
  readonly clock?: Clock;
}

/** Of each process of the program. */
export interface ProgramLimits {
  /** Seconds of processor time. */
  readonly cpu: number;
  readonly openFiles: number;
  /** Bytes of a file that it writes. */
  readonly fileSize: number;
}

export interface ProgramResult {
  /** Exit code, 128 and more where a signal ended it. */
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** What it wrote, without the white space around: 16 KiB at most. */
  readonly stdout: string;
  readonly stderr: string;
}

const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
const MOST_OUTPUT = 16 * 1024;
/** Whoever it left running may hold its output open, and is not waited for longer than this, ms. */
const LAST_WORDS = 100;

/**
 * Runs `argv` until it ends. When `signal` is aborted the whole group is killed.
 *
 * @throws the reason of `signal` once that is aborted, else what the system says when the program cannot be started.
 */
export async function runProgram(
  argv: readonly string[],
  signal: AbortSignal,
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { input = "", env = {}, user = null, limits, rest = "leave", keep = "beginning", clock = systemClock } =
    options;
  signal.throwIfAborted();
  const [path, ...args] = limits === undefined ? argv : limited(argv, limits);
  const child = new Deno.Command(path, {
    args,
    clearEnv: true,
    env: { ...ENVIRONMENT, ...env },
    // Deno drops the supplementary groups with the uid.
    ...(user !== null && { uid: user.uid, gid: user.gid }),
    detached: true,
    stdin: input === "" ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const kill = () => killGroup(child.pid);
  signal.addEventListener("abort", kill, { once: true });
  const timer = new AbortController();
  try {
    const writing = input === "" ? null : write(child.stdin, input);
    const ended = child.status.then((status) => {
      if (rest === "kill") kill();
      return status;
    });
    const over = ended.then(() => sleep(clock, LAST_WORDS, timer.signal)).catch(() => {});
    const [stdout, stderr, status] = await Promise.all([
      part(child.stdout, keep, over),
      part(child.stderr, keep, over),
      ended,
    ]);
    await Promise.race([writing, over]);
    signal.throwIfAborted();
    return { code: status.code, signal: status.signal, stdout, stderr };
  } finally {
    timer.abort();
    signal.removeEventListener("abort", kill);
  }
}

/** It leads its group (`detached`), so its pid is the group's. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of it is left.
  }
}

/**
 * A shell sets the limits and becomes the program, whose words it passes on unread. Setting them from here, once it runs, would
 * leave it a moment without.
 */
function limited(argv: readonly string[], { cpu, openFiles, fileSize }: ProgramLimits): string[] {
  // POSIX counts files in blocks of 512 bytes.
  const limits = [`-t ${cpu}`, `-n ${openFiles}`, `-f ${Math.ceil(fileSize / 512)}`, "-c 0"];
  return ["/bin/sh", "-c", `${limits.map((one) => `ulimit ${one}`).join("; ")}; exec "$@"`, "tandem", ...argv];
}

/** A program that does not read what it is given is no failure. */
async function write(stream: WritableStream<Uint8Array<ArrayBuffer>>, text: string): Promise<void> {
  try {
    const writer = stream.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It has closed its standard input, or ended.
  }
}

/** All that comes is taken, so that nobody waits for a full pipe; what is beyond the limit is forgotten. */
async function part(
  stream: ReadableStream<Uint8Array>,
  keep: "beginning" | "end",
  over: Promise<void>,
): Promise<string> {
  const reader = stream.getReader();
  void over.then(() => reader.cancel()).catch(() => {});
  let kept = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return new TextDecoder().decode(kept).trim();
    if (keep === "beginning" && kept.length >= MOST_OUTPUT) continue;
    const both = new Uint8Array(kept.length + value.length);
    both.set(kept);
    both.set(value, kept.length);
    kept = keep === "end" ? both.slice(-MOST_OUTPUT) : both.slice(0, MOST_OUTPUT);
  }
}

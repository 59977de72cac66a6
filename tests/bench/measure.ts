/** Numbers of processes from /proc, and load: by wrk as fast as it goes, by a program of our own at a fixed rate. */
import type { OfferedLoad, OfferedOutcome } from "./open_loop.ts";

/** CPU ms of all threads of a process and of its children so far, user and system. */
export function cpuOf(pid: number): number {
  return family(pid).reduce((sum, each) => sum + cpuOfOne(each), 0);
}

/** CPU ms of all threads of a process so far, without its children. */
export function cpuOfOne(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime and stime, in ticks of 10 ms (USER_HZ is 100 on every Linux).
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process and of its children, in bytes. */
export function residentOf(pid: number): number {
  return family(pid).reduce((sum, each) => {
    const status = Deno.readTextFileSync(`/proc/${each}/status`);
    return sum + Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }, 0);
}

/** A process and its children: nginx works in processes, the others in threads. */
function family(pid: number): number[] {
  const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...(children === "" ? [] : children.split(" ").map(Number))];
}

export interface Load {
  readonly requests: number;
  readonly errors: number;
  /** Requests in a second. */
  readonly rate: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  /** Close after each request. @default false */
  readonly close?: boolean;
}

/** Loads `url` as fast as it answers. */
export async function wrk(url: string, options: LoadOptions): Promise<Load> {
  const close = options.close === true ? ["-H", "Connection: close"] : [];
  const args = ["-t1", `-c${options.connections}`, `-d${options.seconds}`, "--latency", ...close, url];
  const { stdout } = await new Deno.Command("wrk", { args, stderr: "inherit" }).output();
  const text = new TextDecoder().decode(stdout);
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ??
    [];
  return {
    requests: number(/(\d+) requests in/),
    errors: socketErrors.reduce((sum, each) => sum + Number(each), 0) + number(/Non-2xx or 3xx responses: (\d+)/),
    rate: number(/Requests\/sec:\s*([\d.]+)/),
    p50: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(text)),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
  };
}

/** Offers `load` in a process of its own, and waits until it is over. */
export async function offer(load: OfferedLoad): Promise<OfferedOutcome> {
  const program = new URL("./open_loop_program.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", "--no-check", program, JSON.stringify(load)];
  const command = new Deno.Command(Deno.execPath(), { args, env: { TANDEM_IO: "" }, stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new Error(`Cannot offer load: ${new TextDecoder().decode(stderr).trim().split("\n")[0]}`);
}

function milliseconds(match: RegExpExecArray | null): number {
  if (match === null) return 0;
  return Number(match[1]) * ({ us: 0.001, ms: 1, s: 1000 }[match[2]] ?? 1);
}

const ask = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
const answer = new Uint8Array(4096);

/** Opens `count` connections to `port` and sends each one request, so that they are idle behind a first exchange. */
export async function openIdle(port: number, count: number): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < count; i++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connections.push(connection);
    await connection.write(ask);
    await connection.read(answer);
  }
  return connections;
}

/** Asks a hundred of them once more: how many still answer. */
export async function stillAnswer(
  connections: readonly Deno.Conn[],
): Promise<{ readonly of: number; readonly answered: number }> {
  const step = Math.max(1, Math.floor(connections.length / 100));
  const asked = connections.filter((_, index) => index % step === 0);
  let answered = 0;
  for (const connection of asked) {
    try {
      await connection.write(ask);
      if (await connection.read(answer) !== null) answered++;
    } catch {
      // Reset: not held.
    }
  }
  return { of: asked.length, answered };
}

/** A client that keeps requesting: several kept-alive connections, and new connections at a steady pace. */
import { exchange, reasonOf } from "./exchange.ts";
import type { Outcome, Sample } from "./measure.ts";

export interface TrafficOptions {
  readonly address: string;
  readonly port: number;
  /** @default "/" */
  readonly path?: string;
  /** Kept-alive connections. @default 4 */
  readonly kept?: number;
  /** Pause between the requests of a kept-alive connection, ms. @default 20 */
  readonly pause?: number;
  /** A new connection every so many ms, whether earlier ones are done or not. 0 = none. @default 10 */
  readonly pace?: number;
  /** A request that takes longer has failed, ms. @default 8000 */
  readonly timeout?: number;
}

/** Requests until `signal` aborts; every sample goes to `report` when it ended. */
export async function generate(
  options: TrafficOptions,
  report: (sample: Sample) => void,
  signal: AbortSignal,
): Promise<void> {
  const { kept = 4, pace = 10 } = options;
  const loops: Promise<void>[] = [];
  for (let index = 0; index < kept; index++) loops.push(keepAsking(options, report, signal));
  if (pace > 0) loops.push(keepConnecting(options, pace, report, signal));
  await Promise.all(loops);
}

async function keepAsking(
  options: TrafficOptions,
  report: (sample: Sample) => void,
  signal: AbortSignal,
): Promise<void> {
  let connection: Deno.Conn | null = null;
  while (!signal.aborted) {
    const started = now();
    const result: Attempt = await attempt(options, connection, true);
    connection = result.connection;
    if (!signal.aborted) report({ kind: "kept", started, ended: now(), outcome: result.outcome });
    await sleep(options.pause ?? 20, signal);
  }
  close(connection);
}

async function keepConnecting(
  options: TrafficOptions,
  pace: number,
  report: (sample: Sample) => void,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  // Paced by the clock, not by the answers: an outage must not slow down the measuring.
  for (let next = now(); !signal.aborted; next += pace) {
    const one = askOnce(options, report, signal).finally(() => running.delete(one));
    running.add(one);
    const wait = next + pace - now();
    if (wait > 0) await sleep(wait, signal);
    else next = now();
  }
  await Promise.all(running);
}

async function askOnce(options: TrafficOptions, report: (sample: Sample) => void, signal: AbortSignal): Promise<void> {
  const started = now();
  const { outcome, connection } = await attempt(options, null, false);
  close(connection);
  if (!signal.aborted) report({ kind: "new", started, ended: now(), outcome });
}

interface Attempt {
  readonly outcome: Outcome;
  /** Ready for the next request, or null. */
  readonly connection: Deno.Conn | null;
}

/** One request within the timeout, on `reuse` or on a new connection. */
async function attempt(options: TrafficOptions, reuse: Deno.Conn | null, keep: boolean): Promise<Attempt> {
  let connection = reuse;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    close(connection);
  }, options.timeout ?? 8_000);
  try {
    connection ??= await connect(options, () => late);
    const { outcome, reusable } = await exchange(connection, options.address, options.path ?? "/", keep);
    if (late) return { outcome: { type: "failed", phase: "receive", reason: "no answer in time" }, connection: null };
    if (reusable) return { outcome, connection };
    close(connection);
    return { outcome, connection: null };
  } catch (error) {
    return {
      outcome: { type: "failed", phase: "connect", reason: late ? "no answer in time" : reasonOf(error) },
      connection: null,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** A connect cannot be cancelled; one that succeeds after its time is closed at once. */
async function connect(options: TrafficOptions, late: () => boolean): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: options.address, port: options.port });
  connection.setNoDelay();
  if (!late()) return connection;
  connection.close();
  throw new Error("no answer in time");
}

function close(connection: Deno.Conn | null): void {
  try {
    connection?.close();
  } catch {
    // It was closed by its timer.
  }
}

/** Milliseconds since the epoch with fractions, monotonic within this process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/**
 * Syslog over a stream: TCP with octet counting (RFC 6587 §3.4.1), or a Unix socket, where every receiver takes a line
 * feed as the end (§3.4.2). A receiver that reads slowly holds up the relay, and so the engine's pipe fills and the engine
 * counts what it drops; one that takes nothing at all loses its connection.
 */
import type { Loss, Sink } from "./sink.ts";
import { syslogHeader, type SyslogOrigin } from "./syslog_message.ts";

/** Between attempts to reach a receiver that is gone, ms. */
const RETRY = 1000;
/** How long connecting, and writing what came at once, may take, ms. */
const PATIENCE = 5000;
const LF = 0x0a;

export interface StreamSinkOptions {
  /** As the operator wrote it. */
  readonly address: string;
  readonly framing: "count" | "line";
  readonly facility: number;
  readonly origin: SyslogOrigin;
  /** @default PATIENCE */
  readonly patience?: number;
}

export function syslogStreamSink(options: StreamSinkOptions): Sink {
  const { address, framing, facility, origin, patience = PATIENCE } = options;
  let connection: Deno.Conn | null = null;
  let failed = -Infinity;

  const leave = () => {
    connection?.close();
    connection = null;
  };

  async function connect(): Promise<Deno.Conn> {
    const opened = await inTime(open(address), patience, (late) => late.close());
    // Nothing is ever said to us; the end is how a receiver that restarts is noticed before a line is lost on it.
    opened.read(new Uint8Array(1)).catch(() => null).then(() => {
      if (connection === opened) leave();
    });
    return opened;
  }

  /** Octets that were taken; `cause` where not all were. */
  async function send(bytes: Uint8Array): Promise<{ readonly sent: number; readonly cause: string | null }> {
    let sent = 0;
    try {
      if (connection === null && performance.now() - failed < RETRY) {
        return { sent, cause: `nobody receives at ${address}` };
      }
      connection ??= await connect();
      const to = connection;
      const all = async () => {
        while (sent < bytes.length) sent += await to.write(bytes.subarray(sent));
      };
      await inTime(all(), patience);
      return { sent, cause: null };
    } catch (error) {
      failed = performance.now();
      // Half a message may be under way: nobody could tell where the next one begins.
      leave();
      return { sent, cause: `Cannot send to "${address}": ${messageOf(error)}` };
    }
  }

  return {
    async write(lines): Promise<Loss | null> {
      const { bytes, ends } = frame(lines, syslogHeader(origin, Date.now(), facility), framing);
      const { sent, cause } = await send(bytes);
      return cause === null ? null : { lines: ends.filter((end) => end > sent).length, cause };
    },
    reopen() {
      leave();
      failed = -Infinity;
      return Promise.resolve();
    },
    [Symbol.asyncDispose]() {
      leave();
      return Promise.resolve();
    },
  };
}

/** All lines as messages behind each other, and where each ends. */
function frame(lines: Uint8Array, header: string, framing: "count" | "line") {
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  const ends: number[] = [];
  let length = 0;
  for (let start = 0, end = lines.indexOf(LF); end >= 0; start = end + 1, end = lines.indexOf(LF, start)) {
    const counted = framing === "count";
    const before = encoder.encode(counted ? `${header.length + end - start} ${header}` : header);
    const line = lines.subarray(start, counted ? end : end + 1);
    pieces.push(before, line);
    ends.push(length += before.length + line.length);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { bytes, ends };
}

function open(address: string): Promise<Deno.Conn> {
  if (address.startsWith("/")) return Deno.connect({ transport: "unix", path: address });
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return Deno.connect({ hostname, port: Number(address.slice(colon + 1)) });
}

/** `promise`, or an error after `ms`; what comes later is given to `late`. */
async function inTime<T>(promise: Promise<T>, ms: number, late: (value: T) => void = () => {}): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(new Error(`nothing was taken within ${ms} ms`));
    }, ms);
  });
  promise.then((value) => over ? late(value) : undefined, () => {});
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ \(os error \d+\).*$/, "");
}

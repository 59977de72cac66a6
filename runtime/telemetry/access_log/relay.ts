/**
 * Lines of the access log on their way from the engine's pipe to where they are kept. Nothing is parsed; while the sink is
 * slow nothing more is read, the pipe fills, and the engine drops and counts.
 */
import type { Logger } from "../log.ts";
import { openFileSink } from "./file_sink.ts";
import { tailOf } from "./file_tail.ts";
import { type LineFilter } from "./line_filter.ts";
import { RecentLines } from "./recent_lines.ts";
import type { Loss, Sink, SinkOptions } from "./sink.ts";
import { stdoutSink } from "./stdout_sink.ts";
import type { SyslogOrigin } from "./syslog_message.ts";
import { syslogSink } from "./syslog_sink.ts";

const LF = 0x0a;
const READ = 128 * 1024;
/** Lines gather in the pipe for so long, ms, unless there are many: reading costs the same for one as for a hundred. */
const GATHER = 20;
/** Between complaints about lost lines, ms. */
const SILENCE = 60_000;
/** How long the last lines may take when all ends, ms. */
const LAST_PATIENCE = 1000;

/** Where lines come from. */
export interface LineSource extends Disposable {
  /** null = there will be no more. After `dispose` that is when nobody else can write. */
  read(buffer: Uint8Array): Promise<number | null>;
}

export interface RelayOptions {
  readonly source: LineSource;
  readonly origin: SyslogOrigin;
  readonly log: Logger;
  /** Monotonic ms. @default performance.now */
  readonly now?: () => number;
}

export interface LineQuery {
  readonly limit: number;
  readonly fits?: LineFilter;
}

export interface Relay extends AsyncDisposable {
  /** null = off. */
  readonly sink: SinkOptions | null;
  /** Lines that came but could not be kept. */
  readonly lost: number;
  /** Keeps lines there from now on; the same place again is taken up anew. @throws {Error} when it cannot be had */
  configure(sink: SinkOptions | null): Promise<void>;
  /** The newest lines, oldest first: of the file, if there is one, else of the last that passed. */
  list(query: LineQuery): Promise<readonly string[]>;
  /** Hears of whole lines as they pass. */
  subscribe(listener: (lines: string) => void): Disposable;
  /** The engine has dropped so many lines until now. */
  observeDropped(total: number): void;
}

export function startRelay(options: RelayOptions): Relay {
  const { source, origin, log } = options;
  const now = options.now ?? (() => performance.now());
  const recent = new RecentLines();
  const listeners = new Set<(lines: string) => void>();
  let wanted: SinkOptions | null = null;
  let sink: Sink | null = null;
  let lost = 0;
  let dropped = 0;
  let complaint = { at: -Infinity, lost: 0, dropped: 0 };
  let cause = "";
  /** Writing and changing the sink follow each other. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = turn.then(act);
    turn = mine.catch(() => {});
    return mine;
  };

  function complain(): void {
    if (now() - complaint.at < SILENCE) return;
    const [unread, unkept] = [dropped - complaint.dropped, lost - complaint.lost];
    if (unread + unkept === 0) return;
    complaint = { at: now(), lost, dropped };
    const parts = [
      ...unread === 0 ? [] : [`${unread} because it is read too slowly`],
      ...unkept === 0 ? [] : [`${unkept} because they could not be kept: ${cause}`],
    ];
    log.warning(`Lines of the access log were lost: ${parts.join(", ")}`, { dropped, lost });
  }

  async function keep(lines: Uint8Array<ArrayBuffer>): Promise<void> {
    recent.add(lines);
    if (listeners.size > 0) {
      const text = new TextDecoder().decode(lines);
      for (const listener of listeners) listener(text);
    }
    let loss: Loss | null;
    try {
      loss = await sink?.write(lines) ?? null;
    } catch (error) {
      loss = { lines: countLines(lines), cause: error instanceof Error ? error.message : String(error) };
    }
    if (loss === null) return;
    lost += loss.lines;
    cause = loss.cause;
    complain();
  }

  async function run(): Promise<void> {
    const buffer = new Uint8Array(READ);
    let rest = new Uint8Array(0);
    for (;;) {
      const length = await source.read(buffer);
      if (length === null) return;
      const bytes = new Uint8Array(rest.length + length);
      bytes.set(rest);
      bytes.set(buffer.subarray(0, length), rest.length);
      const end = bytes.lastIndexOf(LF) + 1;
      rest = bytes.slice(end);
      if (end > 0) await inTurn(() => keep(end === bytes.length ? bytes : bytes.slice(0, end)));
      if (length < READ / 2) await new Promise((resolve) => setTimeout(resolve, GATHER));
    }
  }
  const running = run().catch((error) => log.error(`The access log cannot be read any more: ${error}`));

  return {
    get sink() {
      return wanted;
    },
    get lost() {
      return lost;
    },
    configure: (next) =>
      inTurn(async () => {
        if (JSON.stringify(next) === JSON.stringify(wanted)) return await sink?.reopen();
        const opened = next === null ? null : await openSink(next, origin);
        await sink?.[Symbol.asyncDispose]();
        [sink, wanted] = [opened, next];
      }),
    async list({ limit, fits }) {
      const text = wanted?.type === "file" ? await tailOf(wanted.path) : recent.text();
      const lines = text.split("\n").filter((line) => line !== "" && (fits?.(line) ?? true));
      return limit === 0 ? [] : lines.slice(-limit);
    },
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    observeDropped(total) {
      dropped = total;
      complain();
    },
    async [Symbol.asyncDispose]() {
      source[Symbol.dispose]();
      const ended = running.then(() => inTurn(async () => await sink?.[Symbol.asyncDispose]()));
      // Somebody who does not read our stdout must not keep us from ending.
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([ended, new Promise((resolve) => timer = setTimeout(resolve, LAST_PATIENCE))]);
      clearTimeout(timer);
    },
  };
}

function openSink(options: SinkOptions, origin: SyslogOrigin): Promise<Sink> {
  switch (options.type) {
    case "stdout":
      return Promise.resolve(stdoutSink());
    case "file":
      return openFileSink(options);
    case "syslog":
      return Promise.resolve(syslogSink(options, origin));
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(LF); at >= 0; at = lines.indexOf(LF, at + 1)) count++;
  return count;
}

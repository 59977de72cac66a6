/** Structured log lines on stderr: one JSON object a line, or one readable line where stderr is a terminal. */
import { printableLines } from "../bytes/printable.ts";

export type Level = "debug" | "info" | "notice" | "warning" | "error";

const order: Readonly<Record<Level, number>> = { debug: 0, info: 1, notice: 2, warning: 3, error: 4 };

export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(text: string, fields?: Fields): void;
  info(text: string, fields?: Fields): void;
  notice(text: string, fields?: Fields): void;
  warning(text: string, fields?: Fields): void;
  error(text: string, fields?: Fields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: Fields): Logger;
}

export interface LogOptions {
  /** Process that speaks: "control", "vrrp", "proxy". */
  readonly role: string;
  /** @default TANDEM_LOG_LEVEL, by which a node tells its children, else "info" */
  readonly level?: Level;
  /** @default JSON unless stderr is a terminal */
  readonly format?: "json" | "text";
  /** @default a synchronous write to stderr */
  readonly write?: (line: string) => void;
  /** @default Date.now */
  readonly now?: () => number;
}

export function createLogger(options: LogOptions): Logger {
  const level = order[options.level ?? inherited() ?? "info"];
  const format = (options.format ?? (Deno.stderr.isTerminal() ? "text" : "json")) === "json" ? jsonLine : textLine;
  const write = options.write ?? writeStderr;
  const now = options.now ?? Date.now;
  const logger = (extra: Fields): Logger => {
    const say = (at: Level) => (text: string, fields?: Fields) => {
      if (order[at] < level) return;
      write(format(now(), at, options.role, text, { ...extra, ...fields }));
    };
    return {
      debug: say("debug"),
      info: say("info"),
      notice: say("notice"),
      warning: say("warning"),
      error: say("error"),
      with: (fields) => logger({ ...extra, ...fields }),
    };
  };
  return logger({});
}

function inherited(): Level | undefined {
  const name = Deno.env.get("TANDEM_LOG_LEVEL");
  return name !== undefined && name in order ? name as Level : undefined;
}

function jsonLine(at: number, level: Level, role: string, text: string, fields: Fields): string {
  return JSON.stringify({ at: new Date(at).toISOString(), level, role, text, ...fields }) + "\n";
}

function textLine(at: number, level: Level, role: string, text: string, fields: Fields): string {
  const rest = Object.entries(fields).map(([key, value]) =>
    `${key}=${typeof value === "string" ? quote(value) : JSON.stringify(value)}`
  );
  const words = [new Date(at).toISOString().slice(11, 23), level.padEnd(7), role.padEnd(7), text, ...rest];
  // A second line of the text stands in, so that nobody can take it for a line of its own.
  return printableLines(words.join(" ")).replaceAll("\n", "\n    ") + "\n";
}

function quote(value: string): string {
  return /^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value);
}

const encoder = new TextEncoder();

function writeStderr(line: string): void {
  const bytes = encoder.encode(line);
  try {
    for (let sent = 0; sent < bytes.length;) sent += Deno.stderr.writeSync(bytes.subarray(sent));
  } catch {
    // Nobody reads stderr any more; a log line must not take the process down.
  }
}

/** Messages of a plugin's process, checked field by field: what has another shape is a violation. Pure. */
import type { Measure } from "../os/confine.ts";
import { ProtocolViolation } from "./frame.ts";
import { plainLine, redactAnswer, redactText } from "./output.ts";
import { type Ask, CHUNK_LIMIT, type FromPlugin, type LogLevel, type WireError } from "./protocol.ts";

/** Characters of a file's path, line and column. */
const PLACE_LIMIT = 300;

type Redact = (text: string) => string;

/**
 * The words of the protocol are taken as they came. Sentences, which end in a log, a status or an event, are redacted here,
 * before anything of them is cut; those of a log line by whoever writes it.
 *
 * @param redact takes secrets out of text. @default nothing is
 * @throws {ProtocolViolation} when `value` is no message of the protocol.
 */
export function decodeMessage(value: unknown, redact: Redact = (text) => text): FromPlugin {
  const message = record(value, "message");
  const type = message.type;
  switch (type) {
    case "confined":
      return {
        type,
        measures: list(message.measures, "measures") as Measure[],
        directory: text(message.directory, "directory"),
      };
    case "ready":
      return { type };
    case "loaded":
      return { type, kind: text(message.kind, "kind"), schema: message.schema };
    case "failed":
      return { type, error: wireError(message.error, redact) };
    case "answer": {
      const id = count(message.id, "id");
      if (message.abandoned === true) return { type, id, abandoned: true };
      if ("error" in message) return { type, id, error: wireError(message.error, redact) };
      return { type, id, value: redactAnswer(message.value, redact) };
    }
    case "ask":
      return { type, id: count(message.id, "id"), call: count(message.call, "call"), ask: decodeAsk(message.ask) };
    case "log":
      return { type, level: logLevel(message.level), text: text(message.text, "text"), fields: message.fields };
    case "metric": {
      const kind = message.kind;
      if (kind !== "count" && kind !== "gauge") throw wrong("kind of a metric", kind);
      return { type, kind, name: redact(text(message.name, "name")), value: finite(message.value, "value") };
    }
    case "pong":
      return { type, n: count(message.n, "n"), abandoned: count(message.abandoned, "abandoned") };
    default:
      throw wrong("type of a message", type);
  }
}

function decodeAsk(value: unknown): Ask {
  const ask = record(value, "ask");
  const what = ask.what;
  switch (what) {
    case "connect": {
      const port = ask.port === undefined ? undefined : count(ask.port, "port");
      if (port !== undefined && (port < 1 || port > 65535)) throw wrong("port", port);
      return { what, port, tls: ask.tls === true, transport: ask.transport === "udp" ? "udp" : "tcp" };
    }
    case "read":
    case "close":
      return { what, connection: count(ask.connection, "connection") };
    case "write":
      return { what, connection: count(ask.connection, "connection"), data: base64(ask.data) };
    case "fetch":
      return {
        what,
        endpoint: text(ask.endpoint, "endpoint"),
        method: text(ask.method, "method"),
        path: text(ask.path, "path"),
        headers: list(ask.headers, "headers").map(pair),
        body: ask.body === null ? null : text(ask.body, "body"),
      };
    case "send":
      return { what, endpoint: text(ask.endpoint, "endpoint"), data: base64(ask.data) };
    case "run":
      return {
        what,
        command: text(ask.command, "command"),
        args: list(ask.args, "args").map((argument) => text(argument, "argument")),
        input: text(ask.input, "input"),
        env: Object.fromEntries(
          Object.entries(record(ask.env ?? {}, "env")).map(([name, value]) => [name, text(value, "env")]),
        ),
      };
    case "get":
      return { what, key: text(ask.key, "key") };
    case "set":
      return { what, key: text(ask.key, "key"), value: ask.value === null ? null : text(ask.value, "value") };
    default:
      throw wrong("question", what);
  }
}

const MESSAGE_LIMIT = 2000;
/** Names that somebody goes by. */
const CONTRACT_ERRORS: ReadonlySet<string> = new Set(["Retry", "GiveUp"]);

function wireError(value: unknown, redact: Redact): WireError {
  const error = record(value, "error");
  // Again for what became a secret when escape sequences were taken out of it.
  const sentence = (line: string) => redact(plainLine(line));
  const stack = error.stack === undefined ? null : redact(text(error.stack, "stack"));
  const name = text(error.name, "name");
  return {
    name: CONTRACT_ERRORS.has(name) ? name : sentence(redact(name)).slice(0, 100),
    message: sentence(redactText(text(error.message, "message"), redact)).slice(0, MESSAGE_LIMIT),
    ...(stack === null ? {} : { stack: stack.split("\n").map(sentence).join("\n") }),
    ...(error.at === undefined ? {} : { at: sentence(redact(text(error.at, "at"))).slice(0, PLACE_LIMIT) }),
    ...(error.afterMs === undefined ? {} : { afterMs: finite(error.afterMs, "afterMs") }),
  };
}

function wrong(what: string, got: unknown): ProtocolViolation {
  const shown = JSON.stringify(got)?.slice(0, 60) ?? "nothing";
  return new ProtocolViolation(`Sent a message whose ${what} is wrong: got ${shown}`);
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(what, value);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, value);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw wrong(what, value);
  return value;
}

function count(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(what, value);
  return value as number;
}

function finite(value: unknown, what: string): number {
  if (!Number.isFinite(value)) throw wrong(what, value);
  return value as number;
}

function pair(value: unknown): readonly [string, string] {
  const [name, content] = list(value, "header");
  return [text(name, "header"), text(content, "header")];
}

function logLevel(value: unknown): LogLevel {
  if (value === "debug" || value === "info" || value === "warn" || value === "error") return value;
  throw wrong("level", value);
}

function base64(value: unknown): string {
  const data = text(value, "data");
  if (data.length > CHUNK_LIMIT / 3 * 4 + 4) {
    throw new ProtocolViolation(`Wrote more than ${CHUNK_LIMIT} bytes at once`);
  }
  return data;
}

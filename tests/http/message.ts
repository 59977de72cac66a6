/** Reading messages off a wire, by the letter of RFC 9112 and sharing no code with what is tested. */

import { PATIENCE, type Wire } from "./wire.ts";

export interface Message {
  /** Request or status line. */
  readonly line: string;
  /** Field lines as received. */
  readonly lines: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** The message came to its proper end. */
  readonly whole: boolean;
  /** Head and body as received. */
  readonly raw: string;
}

/** Values of a field, by lower-case name. */
export function values(message: Message, lower: string): string[] {
  return message.lines.filter((line) => line.toLowerCase().startsWith(`${lower}:`))
    .map((line) => line.slice(lower.length + 1).trim());
}

export function statusOf(message: Message): number {
  return Number(/^HTTP\/1\.[01] (\d{3})( |$)/.exec(message.line)?.[1] ?? NaN);
}

/** Reads a head; null if none comes. */
async function readHead(wire: Wire, patience: number): Promise<{ line: string; lines: string[]; raw: string } | null> {
  await wire.until(() => wire.received.includes("\r\n\r\n"), patience);
  const end = wire.received.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const raw = wire.take(end + 4);
  const [line, ...lines] = raw.slice(0, -4).split("\r\n");
  return { line, lines, raw };
}

/** Reads one request as an origin does; null if none comes. */
export async function readRequest(wire: Wire, patience = PATIENCE): Promise<Message | null> {
  const head = await readHead(wire, patience);
  if (head === null) return null;
  return await readBody(wire, head, patience, { untilClose: false, none: false });
}

/** Reads one response as a client does, interim ones included; null if none comes. */
export async function readResponse(wire: Wire, toHead = false, patience = PATIENCE): Promise<Message | null> {
  const head = await readHead(wire, patience);
  if (head === null) return null;
  const status = Number(head.line.slice(9, 12));
  const none = toHead || status < 200 || status === 204 || status === 304;
  return await readBody(wire, head, patience, { untilClose: true, none });
}

/** Reads the final response; interim ones are added to `interim`. */
export async function readFinal(
  wire: Wire,
  options: { toHead?: boolean; interim?: Message[]; patience?: number } = {},
): Promise<Message | null> {
  for (;;) {
    const response = await readResponse(wire, options.toHead, options.patience);
    // Something that is no status at all is final too.
    if (response === null || !(statusOf(response) < 200) || statusOf(response) === 101) return response;
    options.interim?.push(response);
  }
}

async function readBody(
  wire: Wire,
  head: { line: string; lines: string[]; raw: string },
  patience: number,
  rule: { untilClose: boolean; none: boolean },
): Promise<Message> {
  const empty = { ...head, body: "", trailers: [], whole: true };
  if (rule.none) return empty;
  if (values(empty, "transfer-encoding").length > 0) return await readChunks(wire, head, patience);
  const [length] = values(empty, "content-length");
  if (length !== undefined) {
    const wanted = Number(length);
    const whole = await wire.until(() => wire.received.length >= wanted, patience);
    const body = wire.take(wanted);
    return { ...head, body, trailers: [], whole, raw: head.raw + body };
  }
  if (!rule.untilClose) return empty;
  await wire.end(patience);
  const body = wire.take(wire.received.length);
  return { ...head, body, trailers: [], whole: wire.ended === "eof", raw: head.raw + body };
}

async function readChunks(
  wire: Wire,
  head: { line: string; lines: string[]; raw: string },
  patience: number,
): Promise<Message> {
  let body = "";
  let raw = head.raw;
  const broken = () => ({ ...head, body, trailers: [], whole: false, raw: raw + wire.received });
  const line = async (): Promise<string | null> => {
    if (!await wire.until(() => wire.received.includes("\r\n"), patience)) return null;
    const text = wire.take(wire.received.indexOf("\r\n") + 2);
    raw += text;
    return text.slice(0, -2);
  };
  for (;;) {
    const sizeLine = await line();
    if (sizeLine === null || !/^[0-9A-Fa-f]+/.test(sizeLine)) return broken();
    const size = parseInt(sizeLine, 16);
    if (size === 0) break;
    const whole = await wire.until(() => wire.received.length >= size + 2, patience);
    const chunk = wire.take(size + 2);
    raw += chunk;
    body += chunk.slice(0, size);
    if (!whole || !chunk.endsWith("\r\n")) return broken();
  }
  const trailers: string[] = [];
  for (;;) {
    const text = await line();
    if (text === null) return broken();
    if (text === "") return { ...head, body, trailers, whole: true, raw };
    trailers.push(text);
  }
}

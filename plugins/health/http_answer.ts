/** The answer to a health check: as much of HTTP/1 as it takes to look at a status, at fields and at a body. */
import type { Connection } from "../contract.ts";

export interface HttpAnswer {
  readonly status: number;
  /** Values by lower-case name, in their order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** One character for each octet, chunks joined; empty where nobody asked for it. */
  readonly body: string;
}

/** How much of the answer somebody wants to see. */
export type Depth = "status" | "fields" | "body";

/** A head longer than this is no answer to a health check. */
const headLimit = 16 * 1024;
/** What is expected of a body is within its first part. */
const bodyLimit = 64 * 1024;

/** Reads the final answer; interim ones (1xx) are passed over. Throws with what is wrong, in few words. */
export async function readAnswer(connection: Connection, depth: Depth): Promise<HttpAnswer> {
  const stream = new Stream(connection);
  for (;;) {
    const status = await readStatus(stream);
    if (depth === "status" && isFinal(status)) return { status, fields: new Map(), body: "" };
    const fields = await readFields(stream);
    if (!isFinal(status)) continue;
    const body = depth === "body" ? await readBody(stream, fields) : "";
    return { status, fields, body };
  }
}

function isFinal(status: number): boolean {
  return status >= 200 || status === 101;
}

/** What arrived and was not read yet. */
class Stream {
  rest = "";
  constructor(readonly connection: Connection) {}

  /** Whether more came before the end. */
  async more(): Promise<boolean> {
    const chunk = await this.connection.read();
    if (chunk === null) return false;
    // One octet is one character: what is compared is ASCII.
    for (const octet of chunk) this.rest += String.fromCharCode(octet);
    return true;
  }

  /** The next line, without its end. */
  async line(before: string): Promise<string> {
    let end = this.rest.indexOf("\n");
    while (end < 0) {
      if (this.rest.length > headLimit) throw new Error(`answer has no ${before} within ${headLimit} bytes`);
      const empty = this.rest === "" && before === "status line";
      if (!await this.more()) {
        throw new Error(empty ? "connection closed without an answer" : "connection closed within the answer");
      }
      end = this.rest.indexOf("\n");
    }
    const line = this.rest.slice(0, end);
    this.rest = this.rest.slice(end + 1);
    return line;
  }
}

async function readStatus(stream: Stream): Promise<number> {
  const line = await stream.line("status line");
  const match = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?\r?$/.exec(line);
  if (match === null) throw new Error(`answer is not HTTP/1: ${JSON.stringify(line.slice(0, 40))}`);
  return Number(match[1]);
}

async function readFields(stream: Stream): Promise<Map<string, string[]>> {
  const fields = new Map<string, string[]>();
  for (let size = 0;;) {
    const line = (await stream.line("end of its head")).replace(/\r$/, "");
    if (line === "") return fields;
    size += line.length;
    if (size > headLimit) throw new Error(`answer has no end of its head within ${headLimit} bytes`);
    const colon = line.indexOf(":");
    if (colon <= 0) throw new Error(`answer has a field without a colon: ${JSON.stringify(line.slice(0, 40))}`);
    const name = line.slice(0, colon).toLowerCase();
    fields.set(name, [...fields.get(name) ?? [], line.slice(colon + 1).trim()]);
  }
}

async function readBody(stream: Stream, fields: ReadonlyMap<string, readonly string[]>): Promise<string> {
  const chunked = fields.get("transfer-encoding")?.at(-1)?.toLowerCase().endsWith("chunked") ?? false;
  if (chunked) return await readChunks(stream);
  const length = Number(fields.get("content-length")?.[0] ?? Infinity);
  return await take(stream, Math.min(length, bodyLimit), length === Infinity);
}

async function readChunks(stream: Stream): Promise<string> {
  let body = "";
  while (body.length < bodyLimit) {
    const line = await stream.line("chunk");
    const size = /^[0-9a-fA-F]{1,8}(?=[;\s]|$)/.exec(line);
    if (size === null) throw new Error(`answer has no chunk size: ${JSON.stringify(line.slice(0, 40))}`);
    const length = parseInt(size[0], 16);
    if (length === 0) return body;
    body += await take(stream, Math.min(length, bodyLimit), false);
    await stream.line("end of a chunk");
  }
  return body;
}

/** The next `length` octets, or fewer where the end of the stream may end them. */
async function take(stream: Stream, length: number, mayEnd: boolean): Promise<string> {
  while (stream.rest.length < length) {
    if (await stream.more()) continue;
    if (!mayEnd) throw new Error("connection closed within the body");
    break;
  }
  const taken = stream.rest.slice(0, length);
  stream.rest = stream.rest.slice(length);
  return taken;
}

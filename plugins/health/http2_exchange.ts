/**
 * One request over HTTP/2 without TLS, by prior knowledge (RFC 9113 §3.3), on a connection of its own. Not by `node:http2`:
 * in Deno 2.9.6 a GOAWAY of the server ends the whole process with a segmentation fault, and this process must not end.
 *
 *     ┌ preface ┬ SETTINGS ┬ HEADERS 1 ┬ DATA 1, end ┐ ──▶ ◀── SETTINGS, HEADERS 1, DATA 1, HEADERS 1 with the end
 */
import type { Connection } from "../contract.ts";
import { encodeFields, FieldDecoder, type Fields } from "./hpack.ts";

export interface Http2Answer {
  readonly status: number;
  /** Fields of the head and of the trailers; a later one counts. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const Type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;
const Flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
const ENABLE_PUSH = 2;
const STREAM = 1;
const HEAD = 9;
/** SETTINGS_MAX_FRAME_SIZE as long as nobody says otherwise, and we do not. */
const MOST_PAYLOAD = 16 * 1024;
/** Less than the window that we grant, so that none has to be granted anew. */
const MOST_BODY = 60 * 1024;
const MOST_FIELDS = 64 * 1024;

/** RFC 9113 §7, by number. */
const errors = [
  ..."NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED".split(" "),
  ..."FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM".split(" "),
  ..."INADEQUATE_SECURITY HTTP_1_1_REQUIRED".split(" "),
];

/** Sends the request and reads the whole answer. Throws with what is wrong, in few words. */
export async function exchange(connection: Connection, request: Fields, body: Uint8Array): Promise<Http2Answer> {
  const head = encodeFields(request);
  await connection.write(joined([
    new TextEncoder().encode(PREFACE),
    frame(Type.settings, 0, 0, Uint8Array.of(0, ENABLE_PUSH, 0, 0, 0, 0)),
    frame(Type.headers, Flag.endHeaders, STREAM, head),
    frame(Type.data, Flag.endStream, STREAM, body),
  ]));
  const frames = new Frames(connection);
  const answer = new Answer();
  while (!answer.ended) {
    const next = await frames.next();
    if (next.stream === STREAM) answer.take(next);
    else if (next.stream === 0) await serveConnection(connection, next);
  }
  return answer.whole();
}

/** What concerns the connection and not the request. */
async function serveConnection(connection: Connection, { type, flags, payload }: Frame): Promise<void> {
  if (type === Type.settings && (flags & Flag.ack) === 0) {
    await connection.write(frame(Type.settings, Flag.ack, 0, new Uint8Array(0)));
  } else if (type === Type.ping && (flags & Flag.ack) === 0) {
    await connection.write(frame(Type.ping, Flag.ack, 0, payload));
  } else if (type === Type.goaway) {
    if (payload.length < 8) throw new Error("answer has a GOAWAY that is cut off");
    // Our stream may be among those that the server still ends.
    if (uint32(payload, 0) < STREAM) throw new Error(`server went away: ${errorName(uint32(payload, 4))}`);
  }
}

/** What has come of the answer. */
class Answer {
  ended = false;
  readonly #decoder = new FieldDecoder();
  readonly #fields = new Map<string, string>();
  readonly #body: Uint8Array[] = [];
  #size = 0;
  /** A field block that its frame did not end, and whether the stream ends with it. */
  #block: Uint8Array | null = null;
  #last = false;

  /** @throws {Error} when the frame cannot be part of an answer. */
  take(frame: Frame): void {
    const { type, flags, payload } = frame;
    if (this.#block !== null && type !== Type.continuation) throw new Error("answer has fields that do not end");
    switch (type) {
      case Type.headers:
        this.#last = (flags & Flag.endStream) !== 0;
        return this.#addFields(unpadded(frame, (flags & Flag.priority) !== 0 ? 5 : 0), flags);
      case Type.continuation:
        return this.#addFields(payload, flags);
      case Type.data: {
        const bytes = unpadded(frame, 0);
        this.#size += bytes.length;
        if (this.#size > MOST_BODY) throw new Error(`answer has more than ${MOST_BODY} bytes`);
        this.#body.push(bytes);
        this.ended = (flags & Flag.endStream) !== 0;
        return;
      }
      case Type.reset:
        throw new Error(`stream reset: ${errorName(payload.length < 4 ? -1 : uint32(payload, 0))}`);
    }
  }

  whole(): Http2Answer {
    const status = Number(this.#fields.get(":status"));
    if (!(status >= 200 && status <= 999)) throw new Error("answer has no status");
    return { status, fields: this.#fields, body: joined(this.#body) };
  }

  #addFields(part: Uint8Array, flags: number): void {
    const block = joined([this.#block ?? new Uint8Array(0), part]);
    if (block.length > MOST_FIELDS) throw new Error(`answer has more than ${MOST_FIELDS} bytes of fields`);
    const ended = (flags & Flag.endHeaders) !== 0;
    this.#block = ended ? null : block;
    if (!ended) return;
    for (const [name, value] of decoded(this.#decoder, block)) this.#fields.set(name, value);
    this.ended = this.#last;
  }
}

function decoded(decoder: FieldDecoder, block: Uint8Array): Fields {
  try {
    return decoder.decode(block);
  } catch (cause) {
    throw new Error(`answer has fields that cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

/** The frames of a connection, one after the other. */
class Frames {
  #rest: Uint8Array = new Uint8Array(0);
  #first = true;
  constructor(private readonly connection: Connection) {}

  async next(): Promise<Frame> {
    await this.#have(HEAD);
    const [type, flags] = [this.#rest[3], this.#rest[4]];
    // A server begins with its settings (RFC 9113 §3.4); what begins otherwise is another protocol.
    if (this.#first && type !== Type.settings) {
      const text = String.fromCharCode(...this.#rest.subarray(0, 40));
      throw new Error(`answer is not HTTP/2: ${JSON.stringify(text)}`);
    }
    this.#first = false;
    const length = uint32(this.#rest, 0) >>> 8;
    if (length > MOST_PAYLOAD) throw new Error(`answer has a frame of ${length} bytes, at most ${MOST_PAYLOAD}`);
    const stream = uint32(this.#rest, 5) & 0x7fffffff;
    await this.#have(HEAD + length);
    const payload = this.#rest.slice(HEAD, HEAD + length);
    this.#rest = this.#rest.subarray(HEAD + length);
    return { type, flags, stream, payload };
  }

  async #have(length: number): Promise<void> {
    while (this.#rest.length < length) {
      const chunk = await this.connection.read();
      if (chunk === null) {
        const nothing = this.#first && this.#rest.length === 0;
        throw new Error(nothing ? "connection closed without an answer" : "connection closed within the answer");
      }
      this.#rest = joined([this.#rest, chunk]);
    }
  }
}

/** The payload without padding and without the first `skipped` octets after its length. */
function unpadded({ flags, payload }: Frame, skipped: number): Uint8Array {
  const padded = (flags & Flag.padded) !== 0;
  const start = (padded ? 1 : 0) + skipped;
  const end = payload.length - (padded ? payload[0] ?? 0 : 0);
  if (end < start) throw new Error("answer has a frame that is all padding");
  return payload.subarray(start, end);
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array(HEAD);
  const view = new DataView(head.buffer);
  view.setUint32(0, payload.length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  return joined([head, payload]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

function errorName(code: number): string {
  return errors[code] ?? `error ${code}`;
}

/**
 * The name of the server in a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), read from the bytes of a connection as they
 * come. TLS is neither ended nor judged here: what is no ClientHello is said to be something else, and why.
 *
 *     record     22 | 3.x | length | fragment of messages
 *     message     1 | length, 3 octets | version, random 32, session, cipher suites, compression, extensions
 *     extension   0 | length | list of (0 = host name, name)
 *
 * A message may lie in several records, and a record in several segments (RFC 8446 §5.1).
 */
import { Reader } from "../bytes/cursor.ts";

export type HelloReading =
  /** The hello is not whole. */
  | { readonly type: "more" }
  /** Lower-case, without the root's dot; null where the client names no server. */
  | { readonly type: "hello"; readonly serverName: string | null }
  | { readonly type: "other"; readonly reason: OtherReason };

export type OtherReason = "content type" | "version" | "length" | "message" | "size" | "vector" | "name";

/** Largest hello, octets: one with post-quantum key shares and a ticket has two thousand. */
export const MOST_HELLO = 16 * 1024;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** RFC 8446 §5.1 */
const MOST_FRAGMENT = 1 << 14;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const MORE: HelloReading = { type: "more" };

export class HelloReader {
  #reading: HelloReading = MORE;
  readonly #header = new Uint8Array(RECORD_HEADER);
  #headerLength = 0;
  /** Octets of the present record still to come. */
  #left = 0;
  /** Grows with what came, not with what was announced. */
  #message = new Uint8Array(512);
  #length = 0;

  /** Reads `[start, end)`, which follows what was read before. Once it knows, it answers the same for ever. */
  read(bytes: Uint8Array, start: number, end: number): HelloReading {
    for (let at = start; at < end && this.#reading.type === "more";) {
      if (this.#left === 0) at = this.#readHeader(bytes, at, end);
      else at = this.#readFragment(bytes, at, end);
    }
    return this.#reading;
  }

  #readHeader(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#headerLength < RECORD_HEADER) {
      this.#header[this.#headerLength++] = bytes[at++];
      const reason = this.#judgeHeader();
      if (reason !== null) this.#reading = other(reason);
      if (reason !== null) return at;
    }
    if (this.#headerLength < RECORD_HEADER) return at;
    this.#headerLength = 0;
    this.#left = this.#header[3] << 8 | this.#header[4];
    return at;
  }

  /** As early as can be: who sends something else may be waiting for an answer to it. */
  #judgeHeader(): OtherReason | null {
    const [type, major, , high, low] = this.#header;
    switch (this.#headerLength) {
      case 1:
        return type === HANDSHAKE ? null : "content type";
      case 2:
        return major === 3 ? null : "version";
      case RECORD_HEADER: {
        const length = high << 8 | low;
        return length > 0 && length <= MOST_FRAGMENT ? null : "length";
      }
      default:
        return null;
    }
  }

  #readFragment(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(this.#left, end - start, MESSAGE_HEADER + MOST_HELLO - this.#length);
    this.#keep(bytes.subarray(start, start + taken));
    this.#left -= taken;
    this.#reading = this.#readMessage();
    return start + taken;
  }

  #readMessage(): HelloReading {
    const message = this.#message;
    if (message[0] !== CLIENT_HELLO) return other("message");
    if (this.#length < MESSAGE_HEADER) return MORE;
    const length = message[1] << 16 | message[2] << 8 | message[3];
    if (length > MOST_HELLO) return other("size");
    if (this.#length < MESSAGE_HEADER + length) return MORE;
    return parseHello(message.subarray(MESSAGE_HEADER, MESSAGE_HEADER + length));
  }

  #keep(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#message.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#message.length));
      larger.set(this.#message.subarray(0, this.#length));
      this.#message = larger;
    }
    this.#message.set(piece, this.#length);
    this.#length = length;
  }
}

function parseHello(body: Uint8Array<ArrayBuffer>): HelloReading {
  try {
    const hello = new Reader(body);
    hello.skip(2 + 32);
    hello.skip(hello.u8());
    hello.skip(hello.u16());
    hello.skip(hello.u8());
    // Before TLS 1.2 a hello could end here.
    if (hello.remaining === 0) return { type: "hello", serverName: null };
    const extensions = new Reader(hello.take(hello.u16()));
    return hello.remaining === 0 ? parseExtensions(extensions) : other("vector");
  } catch (error) {
    if (error instanceof RangeError) return other("vector");
    throw error;
  }
}

function parseExtensions(extensions: Reader): HelloReading {
  let serverName: string | null = null;
  while (extensions.remaining > 0) {
    const type = extensions.u16();
    const content = extensions.take(extensions.u16());
    if (type !== SERVER_NAME) continue;
    // §4.2: no extension twice. Servers that took the other one would be another server.
    if (serverName !== null) return other("name");
    serverName = parseServerName(new Reader(content));
    if (serverName === null) return other("name");
  }
  return { type: "hello", serverName };
}

/** RFC 6066 §3: a list that holds one name of each type, and only host names are defined. */
function parseServerName(content: Reader): string | null {
  const list = new Reader(content.take(content.u16()));
  if (content.remaining > 0 || list.u8() !== HOST_NAME) return null;
  const name = list.take(list.u16());
  if (list.remaining > 0 || name.length > 255) return null;
  const text = String.fromCharCode(...name).toLowerCase();
  const host = text.endsWith(".") ? text.slice(0, -1) : text;
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host) ? host : null;
}

function other(reason: OtherReason): HelloReading {
  return { type: "other", reason };
}

/**
 * Netlink messages and attributes as bytes: pure, no socket.
 *
 * ```
 * | length:32 | type:16 | flags:16 | sequence:32 | port:32 | family header | attributes …
 * attribute: | length:16 | type:16 | value | padding to 4 |      length counts header and value, not the padding
 * ```
 * Numbers are in host order, which is little-endian on every machine that Deno runs on; nf_tables' are in network order.
 */
import type { Address } from "../bytes/address.ts";

export const MessageFlag = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  excl: 0x200,
  create: 0x400,
} as const;

/** Types that every netlink family has: an error (or acknowledgement, with error 0), and the end of a dump. */
export const ControlType = { error: 2, done: 3 } as const;

const headerLength = 16;
const nested = 0x8000;
/** Attribute types without the flags `nested` and `network byte order`. */
const typeMask = 0x3fff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes messages one after the other into one growing buffer. */
export class MessageWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #offset = 0;
  #start = 0;
  readonly #nests: number[] = [];

  /** All messages written since `reset`: a view, valid until the next write. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#offset);
  }

  get length(): number {
    return this.#offset;
  }

  reset(): this {
    this.#offset = 0;
    return this;
  }

  /** Opens a message; `end` closes it. The socket numbers it. */
  begin(type: number, flags: number, sequence = 0): this {
    this.#start = this.#advance(headerLength);
    this.#view.setUint16(this.#start + 4, type, true);
    this.#view.setUint16(this.#start + 6, flags, true);
    this.#view.setUint32(this.#start + 8, sequence, true);
    return this;
  }

  end(): this {
    this.#view.setUint32(this.#start, this.#offset - this.#start, true);
    return this;
  }

  u8(value: number): this {
    const at = this.#advance(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#advance(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#advance(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#advance(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** A flag attribute, or the value as given. */
  attribute(type: number, value: Uint8Array): this {
    return this.#attributeHeader(type, value.length).bytes(value).#pad();
  }

  attributeU8(type: number, value: number): this {
    return this.#attributeHeader(type, 1).u8(value).#pad();
  }

  attributeU32(type: number, value: number): this {
    return this.#attributeHeader(type, 4).u32(value);
  }

  /** In network order, as nf_tables wants every number. */
  attributeBe32(type: number, value: number): this {
    this.#attributeHeader(type, 4);
    const at = this.#advance(4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** A 64-bit number in network order. */
  attributeBe64(type: number, value: number): this {
    this.#attributeHeader(type, 8);
    const at = this.#advance(8);
    this.#view.setBigUint64(at, BigInt(value));
    return this;
  }

  /** NUL-terminated. */
  attributeText(type: number, text: string): this {
    return this.attribute(type, encoder.encode(text + "\0"));
  }

  /** Opens a nested attribute; `close` ends it. */
  open(type: number): this {
    this.#nests.push(this.#offset);
    return this.u16(0).u16(type | nested);
  }

  close(): this {
    const at = this.#nests.pop();
    if (at === undefined) throw new RangeError("Cannot close netlink attribute: none is open");
    const length = this.#offset - at;
    if (length > 0xffff) {
      throw new RangeError(`Cannot close netlink attribute: must be at most 65535 bytes, got ${length}`);
    }
    this.#view.setUint16(at, length, true);
    return this.#pad();
  }

  #attributeHeader(type: number, length: number): this {
    return this.u16(4 + length).u16(type);
  }

  #pad(): this {
    this.#advance(-this.#offset & 3);
    return this;
  }

  /** Room for `length` zero bytes; where they begin. */
  #advance(length: number): number {
    const start = this.#offset;
    const end = start + length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.fill(0, start, end);
    this.#offset = end;
    return start;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** One message as received; `body` is a view of the receive buffer and ends with the next receive. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The messages of one datagram. A truncated tail ends the list: the kernel never sends one. */
export function decodeMessages(datagram: Uint8Array<ArrayBuffer>): Message[] {
  const view = viewOf(datagram);
  const messages: Message[] = [];
  for (let at = 0; at + headerLength <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < headerLength || at + length > datagram.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: datagram.subarray(at + headerLength, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Attributes by type; of a type that occurs twice the last counts. Values are views of the receive buffer. */
export type Attributes = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

/** The attributes that follow a family header of `skip` bytes. */
export function decodeAttributes(body: Uint8Array<ArrayBuffer>, skip: number): Attributes {
  const attributes = new Map<number, Uint8Array<ArrayBuffer>>();
  const view = viewOf(body);
  for (let at = skip; at + 4 <= body.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > body.length) break;
    attributes.set(view.getUint16(at + 2, true) & typeMask, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

export function decodeU32(value: Uint8Array | undefined): number | undefined {
  return value !== undefined && value.length >= 4 ? viewOf(value).getUint32(0, true) : undefined;
}

export function decodeText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return decoder.decode(end < 0 ? value : value.subarray(0, end));
}

/** A copy of an IPv4 or IPv6 address; undefined where the attribute is missing or of another length. */
export function decodeAddress(value: Uint8Array<ArrayBuffer> | undefined): Address | undefined {
  return value?.length === 4 || value?.length === 16 ? value.slice() : undefined;
}

/** What an error message says: errno (0 = done) and the kernel's own words, where it gave some. */
export interface Acknowledgement {
  readonly sequence: number;
  readonly errno: number;
  readonly words: string | null;
}

const cappedFlag = 0x100; // NLM_F_CAPPED: only the header of the request is repeated
const extendedFlag = 0x200; // NLM_F_ACK_TLVS: attributes follow
const wordsAttribute = 1; // NLMSGERR_ATTR_MSG

/** Decodes a message of type `ControlType.error`. */
export function decodeAcknowledgement(message: Message): Acknowledgement {
  const view = viewOf(message.body);
  const errno = -view.getInt32(0, true);
  const requestLength = message.flags & cappedFlag || errno === 0 ? headerLength : view.getUint32(4, true);
  const words = message.flags & extendedFlag
    ? decodeText(decodeAttributes(message.body, 4 + align(requestLength)).get(wordsAttribute)) ?? null
    : null;
  return { sequence: message.sequence, errno, words };
}

/** A view for reading family headers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function align(length: number): number {
  return length + 3 & ~3;
}

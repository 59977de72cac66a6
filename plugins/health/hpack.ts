/**
 * Fields as HTTP/2 writes them (HPACK, RFC 7541): enough to send a request that never changes, and to read every answer.
 * Pure.
 */
import { decodeHuffman } from "./huffman.ts";

export type Fields = readonly (readonly [name: string, value: string])[];

/** RFC 7541 Appendix A, from 1. */
const known: Fields = [
  ":authority",
  ":method: GET",
  ":method: POST",
  ":path: /",
  ":path: /index.html",
  ":scheme: http",
  ":scheme: https",
  ...["200", "204", "206", "304", "400", "404", "500"].map((status) => `:status: ${status}`),
  "accept-charset",
  "accept-encoding: gzip, deflate",
  ..."accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control".split(
    " ",
  ),
  ..."content-disposition content-encoding content-language content-length content-location".split(" "),
  ..."content-range content-type cookie date etag expect expires from host if-match".split(" "),
  ..."if-modified-since if-none-match if-range if-unmodified-since last-modified link location".split(" "),
  ..."max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server".split(" "),
  ..."set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate".split(" "),
].map((line) => {
  const colon = line.indexOf(": ");
  return colon === -1 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 2)];
});

/** What an encoder may keep until it is told otherwise (RFC 9113 §6.5.2). */
const TABLE_BYTES = 4096;
/** Beyond its name and value (RFC 7541 §4.1). */
const ENTRY_BYTES = 32;
const MOST_INTEGER = 2 ** 20;

/** Each field as a literal that is not remembered, without Huffman codes: any decoder reads it, and no state is kept. */
export function encodeFields(fields: Fields): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from(fields.flatMap(([name, value]) => [
    0x00,
    ...text(encoder.encode(name)),
    ...text(encoder.encode(value)),
  ]));
}

function text(bytes: Uint8Array): number[] {
  return [...integer(bytes.length, 7), ...bytes];
}

/** RFC 7541 §5.1, the bits above the prefix zero. */
function integer(value: number, prefix: number): number[] {
  const full = (1 << prefix) - 1;
  if (value < full) return [value];
  const octets = [full];
  for (let rest = value - full;; rest >>= 7) {
    if (rest < 128) return [...octets, rest];
    octets.push(128 | rest & 127);
  }
}

/** Reads the field blocks of one connection, each of which may refer to those before it. */
export class FieldDecoder {
  /** The newest first. */
  readonly #table: (readonly [string, string])[] = [];
  #most = TABLE_BYTES;

  /** @throws {SyntaxError} when the block is not what an encoder writes. */
  decode(block: Uint8Array): Fields {
    const fields: (readonly [string, string])[] = [];
    const cursor = new Cursor(block);
    while (!cursor.done) {
      const octet = cursor.peek();
      if (octet & 0x80) fields.push(this.#entry(cursor.integer(7)));
      else if ((octet & 0xe0) === 0x20) this.#resize(cursor.integer(5));
      else {
        const remembered = (octet & 0xc0) === 0x40;
        const index = cursor.integer(remembered ? 6 : 4);
        const name = index === 0 ? cursor.text() : this.#entry(index)[0];
        const field = [name, cursor.text()] as const;
        fields.push(field);
        if (remembered) this.#remember(field);
      }
    }
    return fields;
  }

  #entry(index: number): readonly [string, string] {
    const entry = known[index - 1] ?? this.#table[index - known.length - 1];
    if (entry === undefined) throw new SyntaxError(`field ${index} is in no table`);
    return entry;
  }

  #remember(field: readonly [string, string]): void {
    this.#table.unshift(field);
    this.#evict();
  }

  #resize(bytes: number): void {
    if (bytes > TABLE_BYTES) throw new SyntaxError(`table of ${bytes} bytes, at most ${TABLE_BYTES}`);
    this.#most = bytes;
    this.#evict();
  }

  #evict(): void {
    let bytes = this.#table.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_BYTES, 0);
    while (bytes > this.#most) {
      const [name, value] = this.#table.pop()!;
      bytes -= name.length + value.length + ENTRY_BYTES;
    }
  }
}

class Cursor {
  #at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  peek(): number {
    if (this.done) throw new SyntaxError("fields are cut off");
    return this.bytes[this.#at];
  }

  integer(prefix: number): number {
    const full = (1 << prefix) - 1;
    let value = this.#next() & full;
    if (value < full) return value;
    for (let shift = 0;; shift += 7) {
      const octet = this.#next();
      value += (octet & 127) * 2 ** shift;
      if (value > MOST_INTEGER || shift > 28) throw new SyntaxError("fields hold a number that is too large");
      if ((octet & 128) === 0) return value;
    }
  }

  text(): string {
    const coded = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const bytes = this.bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new SyntaxError("fields are cut off");
    this.#at += length;
    return coded ? decodeHuffman(bytes) : String.fromCharCode(...bytes);
  }

  #next(): number {
    const octet = this.peek();
    this.#at++;
    return octet;
  }
}

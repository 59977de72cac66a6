/** Bounds-checked reading and writing of big-endian (network order) fields. */
import type { Address } from "./address.ts";

/** Reads fields one after the other; a read past the end throws `RangeError` and moves nothing. */
export class Reader {
  readonly #view: DataView;
  #offset = 0;

  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** A view of the next `length` bytes, not a copy. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** A copy of the next address, so that it outlives the buffer. */
  address(length: 4 | 16): Address {
    return this.take(length).slice();
  }

  skip(length: number): void {
    this.#advance(length);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length < 0 || start + length > this.bytes.length) {
      throw new RangeError(`Cannot read ${length} bytes at offset ${start} of ${this.bytes.length}`);
    }
    this.#offset = start + length;
    return start;
  }
}

/** Writes fields one after the other into a buffer of fixed length; a write past the end throws `RangeError`. */
export class Writer {
  readonly #view: DataView;
  #offset = 0;

  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  /** What has been written so far: a view, not a copy. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.#offset);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#advance(1), value);
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#advance(2), value);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#advance(4), value);
    return this;
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#advance(bytes.length));
    return this;
  }

  /** Leaves `length` bytes as they are: zero in a fresh buffer. */
  skip(length: number): this {
    this.#advance(length);
    return this;
  }

  /** Puts a field that could be known only later (a length, a checksum) at `offset`. */
  patchU16(offset: number, value: number): this {
    this.#view.setUint16(offset, value);
    return this;
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (start + length > this.bytes.length) {
      throw new RangeError(`Cannot write ${length} bytes at offset ${start} of ${this.bytes.length}`);
    }
    this.#offset = start + length;
    return start;
  }
}

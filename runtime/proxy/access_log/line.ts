/** One line as bytes: written in place, escaped while it is written, never longer than its caps add up to. */

/**
 * Longest line with its LF: PIPE_BUF, up to which a pipe takes a write whole or not at all, so that lines of several
 * threads never mix.
 */
export const LONGEST_LINE = 4096;

/** Longest escape of one character. */
const WIDEST = 6;
const LETTERS = new Uint8Array([..."0123456789abcdef"].map((letter) => letter.charCodeAt(0)));
const CAPITALS = new Uint8Array([..."0123456789ABCDEF"].map((letter) => letter.charCodeAt(0)));
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HASH = 0x23;

export class Line {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** ASCII of our own, as it is. */
  plain(text: string): void {
    const { bytes } = this;
    let { at } = this;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.at = at;
  }

  /** A whole number; below 0: "-1". */
  integer(value: number): void {
    if (value < 0) return this.plain("-1");
    let rest = Math.floor(value);
    let digits = 1;
    for (let power = 10; power <= rest; power *= 10) digits++;
    this.at += digits;
    for (let at = this.at - 1; digits > 0; digits--, at--) {
      this.bytes[at] = 0x30 + rest % 10;
      rest = Math.floor(rest / 10);
    }
  }

  /** Milliseconds with one decimal, which is as exact as turns of the loop are; below 0: null. */
  tenths(ms: number): void {
    if (ms < 0) return this.plain("null");
    const tenths = Math.round(ms * 10);
    this.integer(tenths / 10);
    if (tenths % 10 === 0) return;
    this.bytes[this.at++] = 0x2e;
    this.bytes[this.at++] = 0x30 + tenths % 10;
  }

  /** The inside of a JSON string, at most `most` bytes of it. Everything but printable ASCII becomes \\uXXXX. */
  json(text: string, most: number): void {
    const limit = this.at + most - WIDEST;
    for (let i = 0; i < text.length && this.at <= limit; i++) this.#json(text.charCodeAt(i));
  }

  /** As `json`, of octets. */
  jsonOctets(octets: Uint8Array, start: number, end: number, most: number): void {
    const limit = this.at + most - WIDEST;
    for (let i = start; i < end && this.at <= limit; i++) this.#json(octets[i]);
  }

  /** Text as HAProxy logs it (configuration.txt §8.6): what is not printable, `"` and `#` become #XX. */
  hashed(text: string, most: number): void {
    const limit = this.at + most - WIDEST;
    for (let i = 0; i < text.length && this.at <= limit; i++) {
      const code = text.charCodeAt(i);
      this.#hashed(code > 0xff ? 0x3f : code);
    }
  }

  /** As `hashed`, of octets. */
  hashedOctets(octets: Uint8Array, start: number, end: number, most: number): void {
    const limit = this.at + most - WIDEST;
    for (let i = start; i < end && this.at <= limit; i++) this.#hashed(octets[i]);
  }

  #json(code: number): void {
    const { bytes } = this;
    if (code >= 0x20 && code < 0x7f) {
      if (code === QUOTE || code === BACKSLASH) bytes[this.at++] = BACKSLASH;
      bytes[this.at++] = code;
      return;
    }
    bytes[this.at++] = BACKSLASH;
    bytes[this.at++] = 0x75;
    for (let shift = 12; shift >= 0; shift -= 4) bytes[this.at++] = LETTERS[(code >> shift) & 15];
  }

  #hashed(code: number): void {
    const { bytes } = this;
    if (code >= 0x20 && code < 0x7f && code !== QUOTE && code !== HASH) {
      bytes[this.at++] = code;
      return;
    }
    bytes[this.at++] = HASH;
    bytes[this.at++] = CAPITALS[code >> 4];
    bytes[this.at++] = CAPITALS[code & 15];
  }
}

/** Short ASCII text as bytes without allocating: connections keep a string, which is a tenth of a typed array. */

/** Longer than any address. */
const LONGEST = 64;

export class ShortText {
  readonly #bytes = new Uint8Array(LONGEST);
  /** Views of the first n bytes, by n. */
  readonly #views = Array.from({ length: LONGEST + 1 }, (_, length) => this.#bytes.subarray(0, length));

  /** The bytes of `text`, valid until the next call. Text beyond 64 characters is cut. */
  of(text: string): Uint8Array {
    const length = Math.min(text.length, LONGEST);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
    return this.#views[length];
  }
}

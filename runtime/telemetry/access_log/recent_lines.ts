/** The last lines that passed, in bounded memory: pieces as they came, looked into only when somebody asks. */

/** @default bytes kept: some 1000 lines */
const CAPACITY = 256 * 1024;

export class RecentLines {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  constructor(readonly capacity: number = CAPACITY) {}

  /** Keeps a piece of whole lines, which must not change any more. */
  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
    while (this.#size > this.capacity && this.#pieces.length > 1) {
      this.#size -= this.#pieces.shift()?.length ?? 0;
    }
  }

  /** Oldest first. */
  text(): string {
    const decoder = new TextDecoder();
    return this.#pieces.map((piece) => decoder.decode(piece)).join("");
  }
}

/**
 * Lines on their way to whoever keeps them: gathered in memory, written in pieces of whole lines, without ever waiting.
 * Where the reader is slow and the memory full, lines are dropped and counted.
 */
import { Line, LONGEST_LINE } from "./line.ts";

/** As much as a thread gathers while the reader takes nothing: some 200 lines. */
const CAPACITY = 64 * 1024;
/** Age of the oldest line, ms, at which a piece is written that is not full yet. */
const PATIENCE = 5;
const LF = 0x0a;

export interface LinePipePorts {
  /** Writes bytes, all or none of them; false = not now. Pieces are at most LONGEST_LINE long. */
  write(piece: Uint8Array): boolean;
  dropped(): void;
}

export class LinePipe {
  readonly #bytes = new Uint8Array(CAPACITY);
  readonly #line = new Line(this.#bytes);
  readonly #ports: LinePipePorts;
  /** What is before was written. */
  #start = 0;
  #end = 0;
  /** When the oldest line came. */
  #since = Infinity;
  /** The reader took nothing at the last attempt. */
  #stuck = false;

  constructor(ports: LinePipePorts) {
    this.#ports = ports;
  }

  /** Whether something waits to be written. */
  get pending(): boolean {
    return this.#end > this.#start;
  }

  /** A place for one line; `finish` is called behind it. null: there is none, and the line is counted as dropped. */
  begin(): Line | null {
    if (this.#bytes.length - this.#end < LONGEST_LINE) this.#makeRoom();
    if (this.#bytes.length - this.#end < LONGEST_LINE) {
      this.#ports.dropped();
      return null;
    }
    this.#line.at = this.#end;
    return this.#line;
  }

  finish(now: number): void {
    if (this.#start === this.#end) this.#since = now;
    this.#end = this.#line.at;
  }

  /** At the end of a turn: writes what fills a piece or is old enough. */
  turn(now: number): void {
    if (!this.pending) return;
    if (this.#stuck || this.#end - this.#start >= LONGEST_LINE || now - this.#since >= PATIENCE) this.flush();
  }

  /** Writes what the reader takes. */
  flush(): void {
    const bytes = this.#bytes;
    this.#stuck = false;
    while (this.pending) {
      const end = this.#end - this.#start <= LONGEST_LINE
        ? this.#end
        : bytes.lastIndexOf(LF, this.#start + LONGEST_LINE - 1) + 1;
      if (!this.#ports.write(bytes.subarray(this.#start, end))) {
        this.#stuck = true;
        return;
      }
      this.#start = end;
    }
    this.#start = this.#end = 0;
  }

  #makeRoom(): void {
    if (!this.#stuck) this.flush();
    if (this.#start === 0) return;
    this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }
}

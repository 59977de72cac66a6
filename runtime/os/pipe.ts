/** Lines of text over pipes, by system calls alone: for a process that never returns to the event loop. */
import { Errno, errno } from "./errno.ts";
import { libc } from "./libc.ts";

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
/** A line longer than this is not ours. */
const longestLine = 16 << 20;

/** Reads lines from a descriptor that was reported readable. */
export class LineReader {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(64 << 10);
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The whole lines that one read completed. `ended`: the other side is gone, nothing more will come. */
  read(): { readonly lines: readonly string[]; readonly ended: boolean } {
    const length = libc().read(this.#fd, this.#buffer, BigInt(this.#buffer.length));
    if (length < 0) {
      const number = errno();
      return { lines: [], ended: number !== Errno.EAGAIN && number !== Errno.EINTR };
    }
    if (length === 0) return { lines: [], ended: true };
    const lines = (this.#rest + this.#decoder.decode(this.#buffer.subarray(0, length), { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > longestLine) return { lines: [], ended: true };
    return { lines: lines.filter((line) => line !== ""), ended: false };
  }
}

/**
 * Writes lines without ever waiting for the reader: what does not fit into the pipe is written when `flush` is called. A
 * reader that has gone is no error; closing its other pipe is how it says so.
 */
export class LineWriter {
  readonly fd: number;
  readonly #encoder = new TextEncoder();
  readonly #waiting: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;

  constructor(fd: number) {
    this.fd = fd;
    const flags = libc().fcntl(fd, F_GETFL, 0);
    if (flags >= 0) libc().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  }

  /** Everything is in the pipe. */
  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  write(line: string): void {
    // A reader that stopped reading must not fill our memory.
    if (this.#size > longestLine) return;
    const bytes = this.#encoder.encode(line + "\n");
    this.#waiting.push(bytes);
    this.#size += bytes.length;
    this.flush();
  }

  /** Writes as much as the pipe takes now; call it when the pipe is writable and this is not `idle`. */
  flush(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0];
      const written = libc().write(this.fd, bytes, BigInt(bytes.length));
      if (written < 0) {
        const number = errno();
        if (number === Errno.EINTR) continue;
        if (number !== Errno.EAGAIN) this.#forget();
        return;
      }
      this.#size -= written;
      if (written === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(written);
    }
  }

  #forget(): void {
    this.#waiting.length = 0;
    this.#size = 0;
  }
}

const POLLOUT = 4;
/** What a pipe that is writable takes without waiting (PIPE_BUF). */
const certain = 4096;
const mostWaiting = 1000;

/**
 * Writes lines to a descriptor that others share, so that it cannot be made non-blocking: whether it takes a line is asked
 * before. Lines wait, up to a number, while it does not; the last ones are lost then, and how many is told.
 */
export class CautiousWriter {
  readonly #fd: number;
  readonly #encoder = new TextEncoder();
  readonly #poll = new Int32Array(2);
  readonly #waiting: string[] = [];
  #lost = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `line` ends with a line feed; what is longer than a pipe takes at once is cut. */
  write(line: string): void {
    if (this.#waiting.length < mostWaiting) this.#waiting.push(line);
    else this.#lost++;
    while (this.#waiting.length > 0 && this.#isWritable()) {
      this.#put(this.#waiting.shift() ?? "");
      if (this.#lost === 0 || this.#waiting.length > 0) continue;
      this.#waiting.push(`${this.#lost} lines are missing here: nobody read them\n`);
      this.#lost = 0;
    }
  }

  #put(line: string): void {
    const bytes = this.#encoder.encode(line);
    const piece = bytes.length <= certain ? bytes : bytes.subarray(0, certain);
    if (piece !== bytes) piece[certain - 1] = 0x0a;
    libc().write(this.#fd, piece, BigInt(piece.length));
  }

  #isWritable(): boolean {
    this.#poll[0] = this.#fd;
    this.#poll[1] = POLLOUT;
    return libc().poll(this.#poll, 1n, 0) > 0;
  }
}

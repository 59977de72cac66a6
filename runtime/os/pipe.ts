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
 * Writes lines without ever waiting for the reader: what does not fit into the pipe is written with the next line. A
 * reader that has gone is no error; closing its other pipe is how it says so.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;

  constructor(fd: number) {
    this.#fd = fd;
    const flags = libc().fcntl(fd, F_GETFL, 0);
    if (flags >= 0) libc().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  }

  write(line: string): void {
    // A reader that stopped reading must not fill our memory: the newest status is as good as all before it.
    if (this.#size < longestLine) {
      const bytes = this.#encoder.encode(line + "\n");
      this.#waiting.push(bytes);
      this.#size += bytes.length;
    }
    this.flush();
  }

  /** Writes as much as the pipe takes now. */
  flush(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0];
      const written = libc().write(this.#fd, bytes, BigInt(bytes.length));
      if (written < 0) {
        if (errno() === Errno.EINTR) continue;
        return;
      }
      this.#size -= written;
      if (written === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(written);
    }
  }
}

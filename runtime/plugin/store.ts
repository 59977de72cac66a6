/**
 * A plugin's memory on this node: keys and values in one file, of no more bytes than were granted. What changes is appended,
 * at most once a second, so that a large memory costs no more than what changes of it:
 *
 *     ["key","value"]      set
 *     ["key",null]         removed
 *
 * A file of which most has been replaced is written anew, beside its place and then renamed, so that a crash leaves the old or
 * the new. A line that a crash cut off is the last, and forgotten.
 */
import { type Clock, systemClock } from "../os/clock.ts";

export interface PluginStore {
  get(key: string): string | null;
  /**
   * null removes. On the disk within a second.
   *
   * @throws {RangeError} when the grant would be exceeded
   * @throws {Error} when the disk did not take what was set before
   */
  set(key: string, value: string | null): Promise<void>;
  /** Granted now, for keys and values together, as JSON. What is there stays. */
  limit(bytes: number): void;
  /** Resolves when all that was set is written, or cannot be. */
  flush(): Promise<void>;
}

const MOST_KEYS = 10_000;
/** ms between the beginnings of two writes. */
const PAUSE = 1000;
/** Bytes that are made and written at a time: in between, others have their turn. */
const PIECE = 128 * 1024;
/** The file may be this many times as large as what it says, and this many bytes in any case. */
const SLACK = 2, LEAST = 64 * 1024;
const encoder = new TextEncoder();

/**
 * Opens the store in `path`, which need not exist. A file that cannot be read as one begins empty: what a plugin remembers is
 * never worth a plugin that does not start.
 *
 * @param bytes granted
 */
export function openStore(path: string, bytes: number, clock: Clock = systemClock): PluginStore {
  return new FileStore(path, bytes, clock);
}

class FileStore implements PluginStore {
  readonly #entries: Map<string, string>;
  /** Keys whose entry the file does not have yet. */
  readonly #changed = new Set<string>();
  #used: number;
  /** Bytes of the file. */
  #written: number;
  /** The file is not what it should be, and must be written anew. */
  #broken: boolean;
  #failure: Error | null = null;
  #writing: Promise<void> | null = null;
  #began = -Infinity;
  #pause: Disposable | null = null;

  constructor(private readonly path: string, private bytes: number, private readonly clock: Clock) {
    const { entries, size, whole } = load(path);
    this.#entries = entries;
    this.#used = [...entries].reduce((sum, [key, value]) => sum + sizeOf(key, value), 0);
    this.#written = size;
    this.#broken = !whole;
  }

  get(key: string): string | null {
    return this.#entries.get(key) ?? null;
  }

  // deno-lint-ignore require-await
  async set(key: string, value: string | null): Promise<void> {
    const before = this.#entries.get(key);
    const freed = before === undefined ? 0 : sizeOf(key, before);
    const next = this.#used - freed + (value === null ? 0 : sizeOf(key, value));
    if (value !== null && next > this.bytes) {
      throw new RangeError(`The store is full: ${next} bytes wanted, ${this.bytes} granted`);
    }
    if (value !== null && before === undefined && this.#entries.size >= MOST_KEYS) {
      throw new RangeError(`The store is full: it holds ${MOST_KEYS} keys`);
    }
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, value);
    this.#used = next;
    this.#changed.add(key);
    this.#schedule();
    if (this.#failure !== null) throw this.#failure;
  }

  limit(bytes: number): void {
    this.bytes = bytes;
  }

  async flush(): Promise<void> {
    await this.#writing;
    if (this.#changed.size > 0) await this.#begin();
  }

  /** One write for all that is set in a second. */
  #schedule(): void {
    if (this.#writing !== null || this.#pause !== null) return;
    const wait = this.#began + PAUSE - this.clock.monotonic();
    if (wait <= 0) void this.#begin();
    else {
      this.#pause = this.clock.after(wait, () => {
        this.#pause = null;
        void this.#begin();
      });
    }
  }

  #begin(): Promise<void> {
    this.#pause?.[Symbol.dispose]();
    this.#pause = null;
    this.#began = this.clock.monotonic();
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
      if (this.#changed.size > 0) this.#schedule();
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const isWhole = this.#broken || this.#written > LEAST + SLACK * this.#used;
    // Taken before anything is awaited: what changes in the meantime is for the next time, also where it gets into this one.
    const keys = isWhole ? [...this.#entries.keys()] : [...this.#changed];
    this.#changed.clear();
    const path = isWhole ? `${this.path}.new` : this.path;
    try {
      const size = await this.#lines(path, isWhole, keys);
      if (isWhole) await Deno.rename(path, this.path);
      this.#written = (isWhole ? 0 : this.#written) + size;
      this.#broken = false;
      this.#failure = null;
    } catch (error) {
      this.#broken = true;
      for (const key of keys) this.#changed.add(key);
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Writes the entries of `keys` to the file at `path`, and answers how many bytes they were. */
  async #lines(path: string, isWhole: boolean, keys: readonly string[]): Promise<number> {
    using file = await Deno.open(path, { create: true, write: true, truncate: isWhole, append: !isWhole, mode: 0o600 });
    let size = 0;
    let piece = "";
    for (const [at, key] of keys.entries()) {
      piece += `${JSON.stringify([key, this.get(key)])}\n`;
      if (piece.length < PIECE && at < keys.length - 1) continue;
      const bytes = encoder.encode(piece);
      for (let sent = 0; sent < bytes.length;) sent += await file.write(bytes.subarray(sent));
      size += bytes.length;
      piece = "";
    }
    return size;
  }
}

/** As the file holds them, without the marks that every key and value has. */
function sizeOf(key: string, value: string): number {
  return encoder.encode(JSON.stringify(key)).length + encoder.encode(JSON.stringify(value)).length - 4;
}

interface Held {
  readonly entries: Map<string, string>;
  readonly size: number;
  /** The file can be appended to. */
  readonly whole: boolean;
}

function load(path: string): Held {
  const entries = new Map<string, string>();
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return { entries, size: 0, whole: false };
  }
  if (text.startsWith("{")) return { entries: earlier(text), size: text.length, whole: false };
  const lines = text.split("\n");
  // The last is empty, unless a crash cut it off.
  let whole = lines.pop() === "";
  for (const line of lines) {
    const entry = parse(line);
    if (entry === null) whole = false;
    else if (entry[1] === null) entries.delete(entry[0]);
    else entries.set(entry[0], entry[1]);
  }
  return { entries, size: text.length, whole };
}

/** Earlier versions wrote one object. */
function earlier(text: string): Map<string, string> {
  try {
    const entries = Object.entries(JSON.parse(text));
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch {
    return new Map();
  }
}

function parse(line: string): readonly [string, string | null] | null {
  try {
    const value: unknown = JSON.parse(line);
    if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== "string") return null;
    return value[1] === null || typeof value[1] === "string" ? [value[0], value[1]] : null;
  } catch {
    return null;
  }
}

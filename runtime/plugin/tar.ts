/**
 * The regular files of a tar archive, for packages that strangers made: read here and not by tar(1), which as root makes
 * whatever the archive says, devices too, and as much of it as the disk holds.
 *
 *     0       100   108   116   124     136     148     156    157        257     263   345      500  512
 *     ┌───────┬─────┬─────┬─────┬───────┬───────┬───────┬──────┬──────────┬───────┬─────┬────────┬────┐
 *     │ name  │ mode│ uid │ gid │ size  │ mtime │ sum   │ kind │ link     │ ustar │ …   │ prefix │    │ content, to 512
 *     └───────┴─────┴─────┴─────┴───────┴───────┴───────┴──────┴──────────┴───────┴─────┴────────┴────┘
 *
 * Longer names stand before it, as pax records (kind `x`: "30 path=package/…\n") or as GNU writes them (kind `L`).
 * Pure.
 */
import { isInside, MOST_BYTES, MOST_FILES } from "./pack.ts";

const BLOCK = 512;
/** Content of an entry that only describes the next. */
const MOST_NOTES = 64 * 1024;
/** All of the archive: files, and a header with its padding for each, described by a pax entry and in a directory. */
const MOST_UNPACKED = MOST_BYTES + MOST_FILES * 8 * BLOCK;

const REGULAR = new Set(["", "0", "7"]);
const KINDS: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a character device",
  "4": "a block device",
  "6": "a FIFO",
};

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly size: number;
}

/**
 * The files of `archive`, without the one directory that everything is in; npm calls it package/. Hidden files are counted
 * and left out: they are not part of a plugin.
 *
 * @throws {SyntaxError} when it is no tar archive, holds anything but directories and files inside of it, or too much.
 */
export async function readTar(archive: ReadableStream<Uint8Array>): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await using bytes = new Bytes(archive);
  let count = 0;
  let longName: string | null = null;
  for (let block = await bytes.take(BLOCK); block !== null; block = await bytes.take(BLOCK)) {
    if (block.every((byte) => byte === 0)) break;
    const { name: short, kind, size } = header(block);
    const isNote = kind === "x" || kind === "g" || kind === "L";
    if (isNote && size > MOST_NOTES) throw new SyntaxError(`describes a file in more than ${MOST_NOTES} bytes`);
    if (size > MOST_BYTES) throw tooMuch();
    const name: string = isNote ? short : longName ?? short;
    const content = await bytes.content(size, name);
    if (isNote) {
      if (kind !== "g") longName = kind === "L" ? text(content) : pax(content).get("path") ?? longName;
      continue;
    }
    longName = null;
    if (++count > MOST_FILES * 2) throw tooMuch();
    const path = placeOf({ name, kind, size });
    if (path === null) continue;
    if (files.has(path)) throw new SyntaxError(`holds "${path}" twice`);
    files.set(path, content);
    if (files.size > MOST_FILES) throw tooMuch();
  }
  return files;
}

/** Where a file belongs; null for what is only counted. */
function placeOf({ name, kind }: Entry): string | null {
  const shown = JSON.stringify(name);
  const isDirectory = kind === "5" || (REGULAR.has(kind) && name.endsWith("/"));
  if (!isDirectory && !REGULAR.has(kind)) {
    const what = KINDS[kind] ?? `of kind ${JSON.stringify(kind)}`;
    throw new SyntaxError(`holds ${shown}, which is ${what}: a plugin is files and nothing else`);
  }
  const [first, ...steps] = name.replace(/\/+$/, "").split("/");
  const path = steps.join("/");
  // Without the leading dots that hide a file it must be a path like any other.
  const plain = [first, ...steps].map((step, at) => at === 0 && step === "." ? "top" : step.replace(/^\.(?=[^.])/, ""));
  if (!isInside(plain.join("/"))) throw new SyntaxError(`holds ${shown}, which is no path inside of a plugin`);
  if (isDirectory) return null;
  if (steps.length === 0) throw new SyntaxError(`holds ${shown} beside the one directory that everything must be in`);
  return isInside(path) ? path : null;
}

/** @throws {SyntaxError} when it is none. */
function header(block: Uint8Array): Entry {
  const field = (from: number, to: number) => text(block.subarray(from, to));
  const sum = block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (octal(field(148, 156)) !== sum) throw new SyntaxError("is no tar archive");
  // Only POSIX has a prefix there; GNU has times.
  const prefix = field(257, 263) === "ustar" && block[262] === 0 ? field(345, 500) : "";
  const name = field(0, 100);
  return { name: prefix === "" ? name : `${prefix}/${name}`, kind: field(156, 157), size: octal(field(124, 136)) };
}

/** Larger numbers are written otherwise, and of no file here. */
function octal(digits: string): number {
  if (!/^ *[0-7]*[ ]*$/.test(digits)) throw new SyntaxError("is no tar archive, or has a file of 8 GiB and more");
  return Number.parseInt(digits.trim() || "0", 8);
}

/** Up to the first NUL. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** @throws {SyntaxError} when a record gives the size of a file: it would be read as other than its header says. */
function pax(content: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const length = Number(/^\d+(?= )/.exec(text(content.subarray(at, at + 8)))?.[0]);
    if (!(length > 0)) throw new SyntaxError("describes a file in a record without a length");
    const [, key, value] = /^\d+ ([^=]+)=([^]*)\n$/.exec(text(content.subarray(at, at + length))) ?? [];
    if (key === undefined || key === "size") throw new SyntaxError("describes a file in a way that is not understood");
    records.set(key, value);
    at += length;
  }
  return records;
}

function tooMuch(): SyntaxError {
  return new SyntaxError(`has more than ${MOST_FILES} files or ${MOST_BYTES / 2 ** 20} MiB`);
}

/** Takes pieces of any length from a stream, and no more than an archive may have. */
class Bytes implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #seen = 0;
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** null at the end of the stream, also where it comes too early. */
  async take(length: number): Promise<Uint8Array | null> {
    const taken = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) return null;
        this.#seen += value.length;
        if (this.#seen > MOST_UNPACKED) throw tooMuch();
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, length - filled);
      taken.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return taken;
  }

  /** @throws {SyntaxError} when the stream ends before. */
  async content(size: number, name: string): Promise<Uint8Array> {
    const padded = await this.take(Math.ceil(size / BLOCK) * BLOCK);
    if (padded === null) throw new SyntaxError(`is cut off in ${JSON.stringify(name)}`);
    return padded.subarray(0, size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}

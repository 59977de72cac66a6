/**
 * A plugin as one file: the same files give the same bytes, everywhere and always.
 *
 *     "TANDEM-PLUGIN 1\n"
 *     for each file, in the order of the paths:
 *       one line of JSON: {"path":"main.ts","bytes":1234}
 *       the bytes, then "\n"
 *
 * Pure. Readable with any pager, without any packer.
 */

const MAGIC = "TANDEM-PLUGIN 1\n";
/** What a plugin may hold, however it comes. */
export const MOST_FILES = 512, MOST_BYTES = 16 * 2 ** 20;

export function pack(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [encoder.encode(MAGIC)];
  for (const path of [...files.keys()].sort()) {
    const bytes = files.get(path)!;
    parts.push(encoder.encode(JSON.stringify({ path, bytes: bytes.length }) + "\n"), bytes, encoder.encode("\n"));
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @throws {SyntaxError} when `packed` is not what {@linkcode pack} makes, or names a file outside of the plugin.
 */
export function unpack(packed: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  if (!isPacked(packed)) throw new SyntaxError("is not a packed plugin");
  if (packed.length > MOST_BYTES) throw new SyntaxError(`is larger than ${MOST_BYTES / 2 ** 20} MiB`);
  for (let at = MAGIC.length; at < packed.length;) {
    const end = packed.indexOf(0x0a, at);
    const { path, bytes } = header(packed.subarray(at, end < 0 ? at : end));
    const start = end + 1;
    if (packed[start + bytes] !== 0x0a) throw new SyntaxError(`is cut off in "${path}"`);
    if (files.has(path) || files.size >= MOST_FILES) throw new SyntaxError(`holds "${path}" twice, or too many files`);
    files.set(path, packed.slice(start, start + bytes));
    at = start + bytes + 1;
  }
  return files;
}

function header(line: Uint8Array): { path: string; bytes: number } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch (cause) {
    throw new SyntaxError("has a header that is not JSON", { cause });
  }
  const { path, bytes } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof path !== "string" || !isInside(path)) {
    throw new SyntaxError(`names a file "${path}" outside of the plugin`);
  }
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw new SyntaxError(`has no length for "${path}"`);
  return { path, bytes: bytes as number };
}

/** Whether it begins as {@linkcode pack} begins. */
export function isPacked(bytes: Uint8Array): boolean {
  return new TextEncoder().encode(MAGIC).every((byte, index) => bytes[index] === byte);
}

/** A relative path without `.`, `..`, empty steps, or characters that mean something to anyone. */
export function isInside(path: string): boolean {
  return path.split("/").every((step) => /^[\w@+-][\w@+.-]*$/.test(step));
}

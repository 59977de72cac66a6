/** Bytes and text, for heads: Latin-1 one to one, so that a string made of a field is the field. */

import { lowerCase } from "./octet.ts";

/** Latin-1 text as bytes, for constants. @throws {RangeError} on a character above U+00FF. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) throw new RangeError(`Cannot encode "${text}" as Latin-1: U+${code.toString(16)} at ${i}`);
    bytes[i] = code;
  }
  return bytes;
}

/** Bytes `[start, end)` as Latin-1 text; the only place where this directory makes strings. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** Whether `bytes[start, end)` is `lower`, case-insensitively; `lower` is lower-case. */
export function equalsIgnoreCase(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) if (lowerCase(bytes[start + i]) !== lower[i]) return false;
  return true;
}

/**
 * Copies `from[start, end)` to `to` at `at` and returns the offset behind it. The caller has checked the room.
 * Short runs are cheaper in a loop than through a view object.
 */
export function copy(to: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  if (end - start > COPY_BY_VIEW) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  while (start < end) to[at++] = from[start++];
  return at;
}

const COPY_BY_VIEW = 384;

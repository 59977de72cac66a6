/** A file as text: UTF-8, or the reason why it is none. Letters that cannot be read must not silently become others. */
import type { Parsed } from "./values.ts";

export function decodeText(bytes: Uint8Array): Parsed<string> {
  if (isUtf16(bytes)) return { ok: false, reason: "it is UTF-16; save it as UTF-8" };
  try {
    return { ok: true, value: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    const at = firstWrong(bytes);
    const before = bytes.subarray(0, at);
    const line = before.reduce((lines, byte) => byte === newline ? lines + 1 : lines, 1);
    const place = `line ${line}, byte ${at - before.lastIndexOf(newline)} of it`;
    return { ok: false, reason: `it is not UTF-8 at ${place}; save it as UTF-8` };
  }
}

const newline = 0x0a;

/** By its mark, or by what half of every letter is where most are Latin. UTF-8 text has no NUL. */
function isUtf16([first, second]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return (first === 0) !== (second === 0) && second !== undefined;
}

/** Where the decoder stops: at the byte that goes with nothing before it, or at the end of a letter that breaks off. */
function firstWrong(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at;
    }
  }
  return bytes.length - 1;
}

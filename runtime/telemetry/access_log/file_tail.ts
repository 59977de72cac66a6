/** The last lines of a file, read from its end. */

/** Most bytes looked at. */
const REACH = 8 << 20;
const LF = 0x0a;

/** Whole lines within the last 8 MiB of `path`, oldest first; "" where there is no such file. */
export async function tailOf(path: string, reach: number = REACH): Promise<string> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "";
    throw cause;
  }
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - reach);
    await file.seek(from, Deno.SeekMode.Start);
    const bytes = new Uint8Array(size - from);
    let length = 0;
    while (length < bytes.length) {
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    const start = from === 0 ? 0 : bytes.indexOf(LF) + 1;
    const end = bytes.lastIndexOf(LF, length - 1) + 1;
    return new TextDecoder().decode(bytes.subarray(start, Math.max(start, end)));
  } finally {
    file.close();
  }
}

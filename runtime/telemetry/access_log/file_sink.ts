/**
 * Lines in a file, rotated by size, or by others: a file that was renamed or removed is noticed within a second of lines,
 * and at once by `reopen`. Lines are written whole before and behind a rotation, so none is lost or cut.
 */
import type { Sink, SinkOptions } from "./sink.ts";

/** How often it is looked whether the file is still where it was, ms. */
const LOOK = 1000;

export type FileSinkOptions = Omit<Extract<SinkOptions, { readonly type: "file" }>, "type">;

/**
 * @param monotonic ms
 * @throws {Error} when the file cannot be had
 */
export async function openFileSink(
  { path, rotate }: FileSinkOptions,
  monotonic: () => number = () => performance.now(),
): Promise<Sink> {
  let { file, size, inode } = await open(path);
  let looked = monotonic();

  const reopen = async () => {
    const next = await open(path);
    file.close();
    ({ file, size, inode } = next);
  };

  return {
    async write(lines) {
      const now = monotonic();
      if (now - looked >= LOOK) {
        looked = now;
        if (await inodeOf(path) !== inode) await reopen();
      }
      if (rotate !== null && size > 0 && size + lines.length > rotate.size) {
        await shift(path, rotate.keep);
        await reopen();
      }
      for (let sent = 0; sent < lines.length;) sent += await file.write(lines.subarray(sent));
      size += lines.length;
      return null;
    },
    reopen,
    [Symbol.asyncDispose]() {
      file.close();
      return Promise.resolve();
    },
  };
}

async function open(path: string) {
  try {
    const file = await Deno.open(path, { append: true, create: true, mode: 0o640 });
    const { size, ino } = await file.stat();
    return { file, size, inode: ino };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/ \(os error \d+\).*$/, "") : String(cause);
    throw new Error(`Cannot open the access log "${path}": ${reason}`, { cause });
  }
}

async function inodeOf(path: string): Promise<number | null> {
  return (await Deno.stat(path).catch(() => null))?.ino ?? null;
}

/** PATH.2 → PATH.3, PATH.1 → PATH.2, PATH → PATH.1; what is beyond `keep` goes. */
async function shift(path: string, keep: number): Promise<void> {
  if (keep === 0) return await Deno.remove(path);
  for (let number = keep - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`;
    // A gap in the numbers is nothing to stop at.
    await Deno.rename(from, `${path}.${number + 1}`).catch((cause) => {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    });
  }
}

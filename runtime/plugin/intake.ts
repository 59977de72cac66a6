/**
 * What a plugin's process sends, taken in no faster than it may speak: a flood waits in its pipe and costs only its sender.
 */
import type { Clock } from "../os/clock.ts";
import { FrameDecoder } from "./frame.ts";
import { Bucket, LineSplitter } from "./output.ts";

const FRAMES_PER_SECOND = 4000, BYTES_PER_SECOND = 4 * 2 ** 20, STDERR_BYTES_PER_SECOND = 64 * 1024;
/** A process that is held back this long, ms, without a break floods on purpose. */
const FLOOD_LIMIT = 3000;
const READ_SIZE = 64 * 1024;

type Stream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** More than may be sent, for longer than an accident lasts. */
export class Flood extends Error {
  override readonly name = "Flood";
  constructor() {
    super(`It sends more than ${FRAMES_PER_SECOND} messages or ${BYTES_PER_SECOND} bytes a second`);
  }
}

export interface IntakeOptions {
  readonly clock: Clock;
  /** Once true nothing waits any more: the last words of a process that was killed are read to their end. */
  readonly over: () => boolean;
}

/**
 * Gives the value of each frame to `receive`, until the end of the stream.
 *
 * @throws {Flood} when more comes than may
 * @throws {ProtocolViolation} of the decoder or of `receive`
 */
export async function readFrames(stream: Stream, receive: (value: unknown) => void, options: IntakeOptions) {
  const decoder = new FrameDecoder();
  const frames = new Bucket(FRAMES_PER_SECOND, FRAMES_PER_SECOND, options.clock.monotonic());
  const pace = new Pace(options, BYTES_PER_SECOND);
  await eachPiece(stream, async (bytes) => {
    let received = 0;
    decoder.push(bytes, (value) => (received++, receive(value)));
    const wait = frames.charge(received, options.clock.monotonic());
    if (await pace.keep(bytes.length, wait) > FLOOD_LIMIT) throw new Flood();
  });
}

/** Gives each line to `receive`, until the end of the stream. Never fails: what prints too much waits. */
export async function readLines(stream: Stream, receive: (line: string) => void, options: IntakeOptions) {
  const lines = new LineSplitter();
  const pace = new Pace(options, STDERR_BYTES_PER_SECOND);
  try {
    await eachPiece(stream, async (bytes) => {
      for (const line of lines.push(bytes)) receive(line);
      await pace.keep(bytes.length, 0);
    });
  } catch {
    // The pipe broke with its process.
  }
  for (const line of lines.end()) receive(line);
}

/** Reads on only when the allowance of bytes permits. */
class Pace {
  readonly #bytes: Bucket;
  #heldBackSince: number | null = null;
  constructor(private readonly options: IntakeOptions, perSecond: number) {
    this.#bytes = new Bucket(perSecond, perSecond, options.clock.monotonic());
  }

  /** Waits as long as the bytes and `otherwise`, ms, ask for, and tells for how long there has been no break. */
  async keep(bytes: number, otherwise: number): Promise<number> {
    const { clock, over } = this.options;
    const now = clock.monotonic();
    const wait = Math.max(otherwise, this.#bytes.charge(bytes, now));
    if (wait <= 0 || over()) {
      this.#heldBackSince = null;
      return 0;
    }
    this.#heldBackSince ??= now;
    await new Promise<void>((resolve) => clock.after(wait, resolve));
    return clock.monotonic() - this.#heldBackSince;
  }
}

async function eachPiece(stream: Stream, take: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (let at = 0; at < value.length; at += READ_SIZE) await take(value.subarray(at, at + READ_SIZE));
    }
  } finally {
    reader.releaseLock();
    // After a mistake nobody reads the rest; a process that still writes must not wait for us before it dies.
    await stream.cancel().catch(() => {});
  }
}

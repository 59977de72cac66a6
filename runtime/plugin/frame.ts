/**
 * Frames between control and a plugin's process: a length, then JSON.
 *
 *     0        4
 *     ┌────────┬───────────────────────────┐
 *     │ length │ one JSON value, UTF-8     │   length: big-endian, bytes of the value, 1 to 262,144
 *     └────────┴───────────────────────────┘
 *
 * Pure. Whatever does not fit is a violation with its reason: the other side is code that nobody trusts.
 */

/** Most bytes of one JSON value. */
export const FRAME_LIMIT = 256 * 1024;
const HEADER = 4;
/** How deep values may nest; JSON.parse itself would go far deeper, and what walks the value later recurses. */
const DEPTH_LIMIT = 64;

/** What a process sent that the protocol does not allow; the process is killed for it. */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation";
}

const encoder = new TextEncoder();

/**
 * @throws {RangeError} when the value does not fit a frame, or nests too deeply for whoever decodes it.
 */
export function encodeFrame(value: unknown): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify(value);
  // At most 3 bytes of UTF-8 a UTF-16 unit, so the buffer always suffices.
  const frame = new Uint8Array(HEADER + text.length * 3);
  const { written } = encoder.encodeInto(text, frame.subarray(HEADER));
  if (written > FRAME_LIMIT) {
    throw new RangeError(`Cannot send a message of ${written} bytes: the limit is ${FRAME_LIMIT}`);
  }
  if (depth(frame.subarray(HEADER, HEADER + written)) > DEPTH_LIMIT) {
    throw new RangeError(`Cannot send values nested deeper than ${DEPTH_LIMIT}`);
  }
  new DataView(frame.buffer).setUint32(0, written);
  return frame.subarray(0, HEADER + written);
}

/** Takes bytes as they arrive and gives the values of complete frames. Holds at most one frame. */
export class FrameDecoder {
  private pending = new Uint8Array(HEADER);
  private filled = 0;
  /** Bytes of the value being received; null while its length is. */
  private wanted: number | null = null;
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });

  /**
   * @throws {ProtocolViolation} on a frame that is empty, too long, not UTF-8, not JSON, or nested too deeply. Values
   * before it have been given to `receive`.
   */
  push(bytes: Uint8Array, receive: (value: unknown) => void): void {
    let at = 0;
    while (at < bytes.length) {
      const take = Math.min(this.pending.length - this.filled, bytes.length - at);
      this.pending.set(bytes.subarray(at, at + take), this.filled);
      this.filled += take;
      at += take;
      if (this.filled < this.pending.length) return;
      if (this.wanted === null) this.expect(new DataView(this.pending.buffer).getUint32(0));
      else receive(this.complete());
    }
  }

  private expect(length: number): void {
    if (length === 0) throw new ProtocolViolation("Sent an empty frame");
    if (length > FRAME_LIMIT) {
      throw new ProtocolViolation(`Sent a frame of ${length} bytes, the limit is ${FRAME_LIMIT}`);
    }
    this.wanted = length;
    this.pending = new Uint8Array(length);
    this.filled = 0;
  }

  private complete(): unknown {
    const bytes = this.pending;
    this.pending = new Uint8Array(HEADER);
    this.filled = 0;
    this.wanted = null;
    if (depth(bytes) > DEPTH_LIMIT) throw new ProtocolViolation(`Sent JSON nested deeper than ${DEPTH_LIMIT}`);
    try {
      return JSON.parse(this.decoder.decode(bytes));
    } catch (cause) {
      throw new ProtocolViolation("Sent a frame that is not JSON", { cause });
    }
  }
}

/** How deep brackets nest, strings left out. */
function depth(bytes: Uint8Array): number {
  let now = 0, most = 0, inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++; // a backslash hides the next byte
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) most = Math.max(most, ++now);
    else if (byte === 0x5d || byte === 0x7d) now--;
  }
  return most;
}

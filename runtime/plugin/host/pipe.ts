/** The two pipes to control, seen from the plugin's process. */
import { encodeFrame, FrameDecoder } from "../frame.ts";
import type { FromPlugin, ToPlugin } from "../protocol.ts";

export interface Pipe {
  /** Queues one message; they leave in order. @throws {RangeError} when it does not fit a frame */
  send(message: FromPlugin): void;
  /** Gives each message of control to `receive`, until control closes the pipe. */
  run(receive: (message: ToPlugin) => void): Promise<void>;
}

/**
 * Takes stdin and stdout for the protocol. What plugin code writes to them from then on goes to stderr, which is its log: a
 * stray `console.log` of a library must not break the frames.
 */
export function claimPipe(): Pipe {
  const read = Deno.stdin.read.bind(Deno.stdin);
  const write = Deno.stdout.write.bind(Deno.stdout);
  Object.assign(Deno.stdout, {
    write: (bytes: Uint8Array) => Deno.stderr.write(bytes),
    writeSync: (bytes: Uint8Array) => Deno.stderr.writeSync(bytes),
  });
  Object.assign(Deno.stdin, { read: () => Promise.resolve(null), readSync: () => null });
  let queue: Uint8Array[] = [];
  let writing: Promise<void> | null = null;
  const drain = async () => {
    // One write for all that was queued in the same turn: a check of a hundred targets answers in a burst.
    while (queue.length > 0) {
      const bytes = concatenate(queue);
      queue = [];
      for (let sent = 0; sent < bytes.length;) sent += await write(bytes.subarray(sent));
    }
    writing = null;
  };
  return {
    send(message) {
      queue.push(encodeFrame(message));
      writing ??= Promise.resolve().then(drain);
    },
    async run(receive) {
      const decoder = new FrameDecoder();
      const buffer = new Uint8Array(64 * 1024);
      for (;;) {
        const length = await read(buffer);
        if (length === null) return;
        decoder.push(buffer.subarray(0, length), (message) => receive(message as ToPlugin));
      }
    },
  };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

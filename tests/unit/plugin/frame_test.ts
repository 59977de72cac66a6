import assert from "node:assert/strict";
import { encodeFrame, FRAME_LIMIT, FrameDecoder, ProtocolViolation } from "../../../runtime/plugin/frame.ts";

function decodeAll(pieces: readonly Uint8Array[]): unknown[] {
  const values: unknown[] = [];
  const decoder = new FrameDecoder();
  for (const piece of pieces) decoder.push(piece, (value) => values.push(value));
  return values;
}

function raw(length: number, body: string | Uint8Array = ""): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, length);
  frame.set(bytes, 4);
  return frame;
}

Deno.test("encodeFrame() writes a big-endian length and UTF-8", () => {
  assert.deepEqual([...encodeFrame("é")], [0, 0, 0, 4, 0x22, 0xc3, 0xa9, 0x22]);
});

Deno.test("encodeFrame() takes a value that fills the frame, and no more", () => {
  assert.equal(encodeFrame("x".repeat(FRAME_LIMIT - 2)).length, FRAME_LIMIT + 4);
  assert.throws(() => encodeFrame("x".repeat(FRAME_LIMIT - 1)), /Cannot send a message of 262145 bytes/);
});

Deno.test("encodeFrame() refuses what the decoder would take for a violation", () => {
  const nested = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth));
  assert.deepEqual(decodeAll([encodeFrame(nested(64))]), [nested(64)]);
  assert.throws(() => encodeFrame(nested(65)), { name: "RangeError", message: /nested deeper than 64/ });
});

const frames = new Uint8Array([...encodeFrame({ a: "…" }), ...encodeFrame([1]), ...encodeFrame(null)]);
for (const size of [1, 2, 3, 5, 7, 1000]) {
  Deno.test(`FrameDecoder gives the same values from pieces of ${size} bytes`, () => {
    const pieces = [];
    for (let at = 0; at < frames.length; at += size) pieces.push(frames.subarray(at, at + size));
    assert.deepEqual(decodeAll(pieces), [{ a: "…" }, [1], null]);
  });
}

const violations: [name: string, bytes: Uint8Array, message: RegExp][] = [
  ["an empty frame", raw(0), /empty frame/],
  ["one byte too many", raw(FRAME_LIMIT + 1), /frame of 262145 bytes, the limit is 262144/],
  ["the largest length there is", raw(0xffffffff), /frame of 4294967295 bytes/],
  ["text that is not JSON", raw(5, "hello"), /not JSON/],
  ["bytes that are not UTF-8", raw(3, new Uint8Array([0x22, 0xff, 0x22])), /not JSON/],
  ["65 arrays in each other", raw(130, "[".repeat(65) + "]".repeat(65)), /nested deeper than 64/],
];
for (const [name, bytes, message] of violations) {
  Deno.test(`FrameDecoder refuses ${name}`, () => {
    assert.throws(
      () => decodeAll([bytes]),
      (error) => error instanceof ProtocolViolation && message.test(error.message),
    );
  });
}

Deno.test("FrameDecoder counts brackets in text for nothing", () => {
  const value = ["[".repeat(500), '\\"['.repeat(200)];
  assert.deepEqual(decodeAll([encodeFrame(value)]), [value]);
});

Deno.test("FrameDecoder gives what came before a violation", () => {
  const values: unknown[] = [];
  const decoder = new FrameDecoder();
  assert.throws(() => decoder.push(new Uint8Array([...encodeFrame(1), ...raw(0)]), (value) => values.push(value)));
  assert.deepEqual(values, [1]);
});

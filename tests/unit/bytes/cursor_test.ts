import { deepEqual, equal, throws } from "node:assert/strict";
import { Reader, Writer } from "../../../runtime/bytes/cursor.ts";

Deno.test("Writer writes big-endian fields and Reader reads them back", () => {
  const writer = new Writer(new Uint8Array(16));
  writer.u8(0xfe).u16(0x1234).u32(0xdeadbeef).put(Uint8Array.of(10, 0, 0, 1)).skip(1).patchU16(1, 0x4321);
  deepEqual([...writer.written], [0xfe, 0x43, 0x21, 0xde, 0xad, 0xbe, 0xef, 10, 0, 0, 1, 0]);

  const reader = new Reader(writer.written);
  equal(reader.u8(), 0xfe);
  equal(reader.u16(), 0x4321);
  equal(reader.u32(), 0xdeadbeef);
  deepEqual([...reader.address(4)], [10, 0, 0, 1]);
  equal(reader.remaining, 1);
  reader.skip(1);
  equal(reader.remaining, 0);
});

Deno.test("Reader and Writer refuse to leave their bytes", () => {
  const reader = new Reader(new Uint8Array(8).subarray(2, 5));
  reader.u16();
  throws(() => reader.u16(), new RangeError("Cannot read 2 bytes at offset 2 of 3"));
  equal(reader.offset, 2);
  throws(() => reader.take(-1), RangeError);

  const writer = new Writer(new Uint8Array(3));
  throws(() => writer.u32(1), new RangeError("Cannot write 4 bytes at offset 0 of 3"));
  throws(() => writer.put(new Uint8Array(4)), RangeError);
  equal(writer.offset, 0);
});

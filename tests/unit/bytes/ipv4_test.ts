import { deepEqual, equal } from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { decodeIPv4, encodeIPv4 } from "../../../runtime/bytes/ipv4.ts";

// keepalived 2.2.7, version 2, without the Ethernet header.
const captured = Uint8Array.fromHex(
  "45c0002800010000ff701890c0000202e0000012" + "2133640101015503c00002643131313100000000",
);

Deno.test("decodeIPv4() reads a captured packet and leaves Ethernet padding out", () => {
  const padded = new Uint8Array(46);
  padded.set(captured);
  padded.fill(0xee, captured.length);
  const packet = decodeIPv4(padded);
  equal(packet && formatAddress(packet.source), "192.0.2.2");
  equal(packet && formatAddress(packet.destination), "224.0.0.18");
  equal(packet?.hopLimit, 255);
  equal(packet?.payload.toHex(), "2133640101015503c00002643131313100000000");
});

Deno.test("decodeIPv4() skips options", () => {
  const withOptions = Uint8Array.of(0x46, ...captured.subarray(1, 20), 1, 1, 1, 1, ...captured.subarray(20));
  withOptions[3] += 4;
  equal(decodeIPv4(withOptions)?.payload[0], 0x21);
});

Deno.test("decodeIPv4() refuses what is cut short or no IPv4", () => {
  const patched = (offset: number, value: number) => {
    const bytes = captured.slice();
    bytes[offset] = value;
    return bytes;
  };
  const rows: [string, Uint8Array<ArrayBuffer>][] = [
    ["empty", new Uint8Array(0)],
    ["shorter than a header", captured.subarray(0, 19)],
    ["shorter than it says", captured.subarray(0, 39)],
    ["version 6", patched(0, 0x65)],
    ["header of 16 bytes", patched(0, 0x44)],
    ["length below the header's", patched(3, 10)],
  ];
  for (const [name, bytes] of rows) equal(decodeIPv4(bytes), undefined, name);
});

Deno.test("encodeIPv4() leaves identification and checksum to the kernel", () => {
  const header = {
    source: parseAddress("192.0.2.2"),
    destination: parseAddress("224.0.0.18"),
    protocol: 112,
    hopLimit: 255,
    tos: 0xc0,
  };
  const wanted = captured.slice();
  wanted.set([0, 0], 4);
  wanted.set([0, 0], 10);
  deepEqual(encodeIPv4(header, captured.subarray(20)), wanted);
});

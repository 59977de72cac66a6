import { equal } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { add, finish, pseudoHeader } from "../../../runtime/bytes/checksum.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));

Deno.test("finish() gives the complement of the sum of RFC 1071 §3", () => {
  equal(finish(add(0, bytes("0001 f203 f4f5 f6f7"))), ~0xddf2 & 0xffff);
});

Deno.test("add() continues a sum and pads an odd end", () => {
  const whole = bytes("4500 0028 0000 0000 ff70");
  equal(finish(add(add(0, whole.subarray(0, 4)), whole.subarray(4))), finish(add(0, whole)));
  equal(finish(add(0, bytes("0102 03"))), finish(add(0, bytes("0102 0300"))));
});

Deno.test("finish() folds carries until none is left", () => {
  equal(finish(add(0, new Uint8Array(65536).fill(0xff))), 0);
});

// FRR 8.4: version 3, virtual router 51, priority 100, 1 s, 192.0.2.100, from 192.0.2.2.
Deno.test("pseudoHeader() makes FRR's checksum 0x0571, its absence RFC 9568's 0xa802", () => {
  const message = bytes("3133 6401 0064 0000 c000 0264");
  const pseudo = pseudoHeader(parseAddress("192.0.2.2"), parseAddress("224.0.0.18"), 112, message.length);
  equal(finish(add(pseudo, message)), 0x0571);
  equal(finish(add(0, message)), 0xa802);
  equal(finish(add(pseudo, bytes("3133 6401 0064 0571 c000 0264"))), 0);
});

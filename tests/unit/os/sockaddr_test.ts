import { deepEqual, equal } from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { decodeSockaddr, encodeSockaddr } from "../../../runtime/os/sockaddr.ts";

Deno.test("encodeSockaddr() writes struct sockaddr_in", () => {
  deepEqual([...encodeSockaddr(parseAddress("192.0.2.1"), 9112)], [
    ...[2, 0, 0x23, 0x98, 192, 0, 2, 1],
    ...Array(8).fill(0),
  ]);
});

Deno.test("encodeSockaddr() writes struct sockaddr_in6 with its scope", () => {
  const bytes = encodeSockaddr(parseAddress("fe80::1"), 80, 7);
  deepEqual([...bytes.subarray(0, 8)], [10, 0, 0, 80, 0, 0, 0, 0]);
  deepEqual([...bytes.subarray(24)], [7, 0, 0, 0]);
});

Deno.test("decodeSockaddr() reads both families back and no other", () => {
  for (const text of ["192.0.2.1", "fe80::1"]) {
    const decoded = decodeSockaddr(encodeSockaddr(parseAddress(text), 65535));
    equal(decoded && formatAddress(decoded.address), text);
    equal(decoded?.port, 65535);
  }
  equal(decodeSockaddr(Uint8Array.of(17, 0, 0, 0)), undefined);
});

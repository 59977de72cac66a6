import { deepEqual, equal } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { ArpOperation, decodeArp, encodeGratuitousArp } from "../../../runtime/vip/arp.ts";
import { encodeNeighbourAdvertisement } from "../../../runtime/vip/ndp.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));
const mac = bytes("ca58 1846 edfd");

/** Captured from keepalived 2.2.7 as it took 192.0.2.100. */
const request =
  "ffff ffff ffff ca58 1846 edfd 0806 0001 0800 0604 0001 ca58 1846 edfd c000 0264 ffff ffff ffff c000 0264";

Deno.test("encodeGratuitousArp() is keepalived's frame, as request and as reply", () => {
  const address = parseAddress("192.0.2.100");
  deepEqual(encodeGratuitousArp(ArpOperation.request, address, mac), bytes(request));
  deepEqual(encodeGratuitousArp(ArpOperation.reply, address, mac), bytes(request.replace("0604 0001", "0604 0002")));
});

Deno.test("decodeArp() reads RFC 826 over Ethernet, padding or not", () => {
  const message = decodeArp(bytes(request + "00".repeat(18)));
  deepEqual(message, {
    operation: 1,
    senderMac: mac,
    sender: parseAddress("192.0.2.100"),
    targetMac: bytes("ffff ffff ffff"),
    target: parseAddress("192.0.2.100"),
  });
});

Deno.test("decodeArp() says why a frame is none", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["a byte short", request.slice(0, -2), "length"],
    ["IPv4", request.replace("0806", "0800"), "etherType"],
    ["hardware 6", request.replace("0806 0001", "0806 0006"), "hardware"],
    ["protocol IPv6", request.replace("0800 0604", "86dd 0604"), "protocol"],
    ["addresses of 8 bytes", request.replace("0800 0604", "0800 0804"), "protocol"],
  ];
  for (const [name, hex, drop] of rows) deepEqual(decodeArp(bytes(hex)), { drop }, name);
});

Deno.test("encodeNeighbourAdvertisement() is Linux's unsolicited advertisement, checksum included", () => {
  // Captured from Linux 6.18 (ndisc_notify) as the MAC of fe80::100 changed.
  const captured = "3333 0000 0001 ca58 1846 edfe 86dd 6000 0000 0020 3aff fe80 0000 0000 0000 0000 0000 0000 0100 " +
    "ff02 0000 0000 0000 0000 0000 0000 0001 8800 8700 2000 0000 fe80 0000 0000 0000 0000 0000 0000 0100 0201 " +
    "ca58 1846 edfe";
  const frame = encodeNeighbourAdvertisement(parseAddress("fe80::100"), bytes("ca58 1846 edfe"));
  equal(frame.toHex(), bytes(captured).toHex());
});

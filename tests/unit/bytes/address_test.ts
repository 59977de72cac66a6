import { deepEqual, equal, throws } from "node:assert/strict";
import {
  compareAddresses,
  contains,
  formatAddress,
  formatCidr,
  isLinkLocal,
  isMulticast,
  parseAddress,
  parseCidr,
} from "../../../runtime/bytes/address.ts";

const addresses: [text: string, bytes: number[], canonical?: string][] = [
  ["0.0.0.0", [0, 0, 0, 0]],
  ["192.0.2.100", [192, 0, 2, 100]],
  ["255.255.255.255", [255, 255, 255, 255]],
  ["::", Array(16).fill(0)],
  ["::1", [...Array(15).fill(0), 1]],
  ["1::", [0, 1, ...Array(14).fill(0)]],
  ["ff02::12", [0xff, 2, ...Array(13).fill(0), 0x12]],
  ["2001:DB8:0:0:0:0:0:1", [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1], "2001:db8::1"],
  ["2001:db8::1:0:0:1", [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1], "2001:db8::1:0:0:1"],
  ["1:0:2:3:4:5:6:7", [0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7]], // one zero group is not shortened
  ["1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0], "1:2:3:4:5:6:7:0"],
  ["::ffff:192.0.2.1", [...Array(10).fill(0), 255, 255, 192, 0, 2, 1], "::ffff:c000:201"],
];

Deno.test("parseAddress() and formatAddress() follow RFC 4291 §2.2 and RFC 5952", () => {
  for (const [text, bytes, canonical] of addresses) {
    deepEqual([...parseAddress(text)], bytes, text);
    equal(formatAddress(parseAddress(text)), canonical ?? text);
  }
});

Deno.test("parseAddress() refuses what is no address", () => {
  const wrong = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4 ",
    "1..3.4",
    "0x1.2.3.4",
    "host",
    ":",
    ":::",
    "1:2",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8::",
    "1:2:3:4::5:6:7:8",
    "fe80::1%eth0",
    "::1.2.3",
    "1.2.3.4::",
  ];
  for (const text of wrong) throws(() => parseAddress(text), SyntaxError, text);
});

Deno.test("compareAddresses() is unsigned and in network order", () => {
  const ascending = ["0.0.0.1", "10.0.0.2", "10.0.1.1", "127.255.255.255", "128.0.0.0", "255.0.0.0", "::", "fe80::1"];
  for (const [i, one] of ascending.entries()) {
    for (const [j, other] of ascending.entries()) {
      equal(Math.sign(compareAddresses(parseAddress(one), parseAddress(other))), Math.sign(i - j), `${one} ${other}`);
    }
  }
});

Deno.test("contains() compares the prefix only", () => {
  const rows: [string, string, boolean][] = [
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["192.0.2.128/25", "192.0.2.200", true],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["0.0.0.0/0", "::1", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.2", false],
    ["fe80::/10", "febf::1", true],
    ["fe80::/10", "fec0::1", false],
  ];
  for (const [network, address, inside] of rows) {
    equal(contains(parseCidr(network), parseAddress(address)), inside, `${network} ${address}`);
  }
});

Deno.test("parseCidr() bounds the prefix length", () => {
  equal(formatCidr(parseCidr("192.0.2.1/24")), "192.0.2.1/24");
  equal(formatCidr(parseCidr("::1")), "::1/128");
  for (const text of ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0/8"]) {
    throws(() => parseCidr(text), SyntaxError, text);
  }
});

Deno.test("isLinkLocal() and isMulticast() know both families", () => {
  const rows: [string, linkLocal: boolean, multicast: boolean][] = [
    ["169.254.1.1", true, false],
    ["192.0.2.1", false, false],
    ["224.0.0.18", false, true],
    ["fe80::1", true, false],
    ["ff02::12", false, true],
    ["2001:db8::1", false, false],
  ];
  for (const [text, linkLocal, multicast] of rows) {
    equal(isLinkLocal(parseAddress(text)), linkLocal, text);
    equal(isMulticast(parseAddress(text)), multicast, text);
  }
});

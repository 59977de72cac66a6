/** The PROXY protocol by its specification (haproxy.org, proxy-protocol.txt): §2.1 lines, §2.2 binary headers, TLVs. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import {
  MOST_V2,
  type ProxyPeers,
  readProxyHeader,
  type TcpEndpoint,
  writeProxyHeader,
} from "../../../runtime/proxy/proxy_protocol.ts";

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const at = (address: string, port: number): TcpEndpoint => ({ address: parseAddress(address), port });
const peers = (source: TcpEndpoint, destination: TcpEndpoint): ProxyPeers => ({ source, destination });
const four = peers(at("192.0.2.1", 56324), at("198.51.100.1", 443));
const six = peers(at("2001:db8::1", 65535), at("2001:db8::2", 0));
const addresses4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 1, 0xbb];

const line = (text: string) => new TextEncoder().encode(text);
function binary(
  command: number,
  kind: number,
  content: readonly number[],
  length = content.length,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...signature, command, kind, length >> 8, length & 255, ...content]);
}
const read = (bytes: Uint8Array<ArrayBuffer>) => readProxyHeader(bytes, 0, bytes.length);

Deno.test("readProxyHeader() takes what the specification allows", () => {
  const rows: readonly [string, Uint8Array<ArrayBuffer>, ProxyPeers | null][] = [
    ["2.1 TCP4", line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), four],
    ["2.1 TCP6", line("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), six],
    ["2.1 UNKNOWN, short form", line("PROXY UNKNOWN\r\n"), null],
    [
      "2.1 UNKNOWN, worst case",
      line(`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
      null,
    ],
    ["2.2 TCP over IPv4", binary(0x21, 0x11, addresses4), four],
    [
      "2.2 TCP over IPv6",
      binary(0x21, 0x21, [...parseAddress("2001:db8::1"), ...parseAddress("2001:db8::2"), 255, 255, 0, 0]),
      six,
    ],
    ["2.2 LOCAL", binary(0x20, 0x00, []), null],
    ["2.2 LOCAL: addresses are discarded", binary(0x20, 0x11, addresses4), null],
    ["2.2 LOCAL: so is anything else", binary(0x20, 0x00, [1, 2, 3]), null],
    ["2.2 UNSPEC", binary(0x21, 0x00, []), null],
    ["2.2 UNSPEC with a TLV", binary(0x21, 0x00, [4, 0, 1, 9]), null],
    ["2.2 UDP over IPv4 is nobody's TCP address", binary(0x21, 0x12, addresses4), null],
    ["2.2 Unix sockets", binary(0x21, 0x31, new Array(216).fill(0)), null],
    ["2.2.1 ALPN and NOOP", binary(0x21, 0x11, [...addresses4, 1, 0, 2, 0x68, 0x32, 4, 0, 0]), four],
    ["2.2.4 an unknown TLV", binary(0x21, 0x11, [...addresses4, 0xee, 0, 3, 1, 2, 3]), four],
  ];
  for (const [what, bytes, expected] of rows) {
    const whole = { type: "header", length: bytes.length, peers: expected };
    assert.deepEqual(read(bytes), whole, what);
    assert.deepEqual(read(Uint8Array.from([...bytes, 0x47, 0x45])), whole, `${what}, and more behind it`);
    for (let length = 0; length < bytes.length; length++) {
      assert.deepEqual(read(bytes.slice(0, length)), { type: "more" }, `${what}, first ${length} octets`);
    }
  }
});

Deno.test("readProxyHeader() refuses the rest, and says why", () => {
  const rows: readonly [string, Uint8Array<ArrayBuffer>, string][] = [
    ["no header at all", line("GET / HTTP/1.1\r\n"), "signature"],
    ["lower case", line("proxy TCP4"), "signature"],
    ["a TLS hello", Uint8Array.of(22, 3, 1), "signature"],
    ["another 0D first", Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0d), "signature"],
    ["bare LF", line("PROXY UNKNOWN\n"), "line"],
    ["no end within 107 octets", line(`PROXY UNKNOWN ${" ".repeat(93)}`), "line"],
    ["the end behind 107 octets", line(`PROXY UNKNOWN${"x".repeat(93)}\r\n`), "line"],
    ["TCP5", line("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), "family"],
    ["UDP4", line("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), "family"],
    ["no family", line("PROXY \r\n"), "family"],
    ["a port is missing", line("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), "line"],
    ["something behind the ports", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), "line"],
    ["two spaces", line("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), "line"],
    ["IPv6 as TCP4", line("PROXY TCP4 ::1 ::2 1 2\r\n"), "address"],
    ["IPv4 as TCP6", line("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), "address"],
    ["an octet over 255", line("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), "address"],
    ["leading zeros in an address", line("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n"), "address"],
    ["leading zeros in a port", line("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), "port"],
    ["a port over 65535", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), "port"],
    ["a negative port", line("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"), "port"],
    ["version 1 in binary", binary(0x11, 0x11, addresses4), "version"],
    ["version 3", binary(0x31, 0x11, addresses4), "version"],
    ["an unassigned command", binary(0x22, 0x11, addresses4), "command"],
    ["an unassigned family", binary(0x21, 0x41, addresses4), "family"],
    ["an unassigned transport", binary(0x21, 0x13, addresses4), "family"],
    ["addresses cut off", binary(0x21, 0x11, addresses4.slice(1)), "length"],
    ["IPv6 in IPv4's length", binary(0x21, 0x21, addresses4), "length"],
    ["more than anybody needs", binary(0x21, 0x11, [], MOST_V2 + 1), "length"],
    ["a TLV without length", binary(0x21, 0x11, [...addresses4, 4]), "tlv"],
    ["a TLV beyond the end", binary(0x21, 0x11, [...addresses4, 4, 0, 2, 9]), "tlv"],
    ["a TLV beyond the end of UNSPEC", binary(0x21, 0x00, [4, 0, 2, 9]), "tlv"],
  ];
  for (const [what, bytes, reason] of rows) assert.deepEqual(read(bytes), { type: "refused", reason }, what);
});

Deno.test("writeProxyHeader() writes what the specification draws, and what it reads back", () => {
  const text = (value: Uint8Array) => new TextDecoder().decode(value);
  assert.equal(text(writeProxyHeader("v1", four)), "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n");
  assert.equal(text(writeProxyHeader("v1", six)), "PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n");
  assert.equal(text(writeProxyHeader("v1", null)), "PROXY UNKNOWN\r\n");
  assert.deepEqual(writeProxyHeader("v2", four), binary(0x21, 0x11, addresses4));
  assert.deepEqual(writeProxyHeader("v2", null), binary(0x20, 0x00, []));
  const both = peers(at("192.0.2.1", 1), at("2001:db8::2", 2));
  assert.equal(text(writeProxyHeader("v1", both)), "PROXY TCP6 ::ffff:c000:201 2001:db8::2 1 2\r\n");
  for (const version of ["v1", "v2"] as const) {
    for (const one of [four, six, null]) {
      const bytes = writeProxyHeader(version, one);
      assert.deepEqual(read(bytes), { type: "header", length: bytes.length, peers: one });
    }
  }
});

Deno.test("readProxyHeader() never throws, nor takes a longer header than there is, on any mutation", () => {
  let seed = 11;
  const random = (most: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % most;
  const originals = [
    line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"),
    binary(0x21, 0x11, [...addresses4, 1, 0, 2, 0x68, 0x32, 4, 0, 0]),
    binary(0x21, 0x21, [...six.source.address, ...six.destination.address, 1, 2, 3, 4, 0x20, 0, 1, 0]),
  ];
  for (let round = 0; round < 20_000; round++) {
    const bytes = originals[round % originals.length].slice();
    for (let i = 0; i <= random(3); i++) bytes[random(bytes.length)] = random(256);
    const reading = read(bytes);
    if (reading.type === "header") assert.ok(reading.length <= bytes.length);
  }
});

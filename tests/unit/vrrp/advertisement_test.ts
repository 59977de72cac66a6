import { deepEqual, equal, match } from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { advertisable, decode, encode, sameAddresses } from "../../../runtime/vrrp/advertisement.ts";
import type { Inspection } from "../../../runtime/vrrp/inspection.ts";
import { type ChecksumForm, checksumOf } from "../../../runtime/vrrp/message.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));
const addresses = (list: readonly string[]) => list.map(parseAddress);

/** A message on the wire: from, to and bytes. */
interface Capture {
  readonly by: string;
  readonly hex: string;
  readonly source?: string;
  readonly destination?: string;
  readonly version: 2 | 3;
  readonly priority: number;
  readonly interval: number;
  readonly addresses: readonly string[];
  readonly password?: string;
  readonly checksum?: ChecksumForm;
}

// Captured from keepalived 2.2.7 and FRR 8.4.4; virtual router 51.
const captures: readonly Capture[] = [
  {
    by: "keepalived v2 password",
    hex: "2133 6401 0101 5503 c000 0264 3131 3131 0000 0000",
    version: 2,
    priority: 100,
    interval: 1000,
    addresses: ["192.0.2.100"],
    password: "1111",
  },
  {
    by: "keepalived v2 password, giving up",
    hex: "2133 0001 0101 b903 c000 0264 3131 3131 0000 0000",
    version: 2,
    priority: 0,
    interval: 1000,
    addresses: ["192.0.2.100"],
    password: "1111",
  },
  {
    by: "keepalived v2 two addresses",
    hex: "2133 6402 0001 f5fe c000 0264 c000 0265 0000 0000 0000 0000",
    version: 2,
    priority: 100,
    interval: 1000,
    addresses: ["192.0.2.100", "192.0.2.101"],
  },
  {
    by: "FRR v3",
    hex: "3133 6401 0064 0571 c000 0264",
    version: 3,
    priority: 100,
    interval: 1000,
    addresses: ["192.0.2.100"],
  },
  {
    by: "RFC 9568 §5.2.8, no pseudo-header",
    hex: "3133 6401 0064 a802 c000 0264",
    version: 3,
    priority: 100,
    interval: 1000,
    addresses: ["192.0.2.100"],
    checksum: "plain",
  },
  {
    by: "keepalived v3 100 ms",
    hex: "3133 6401 000a 05cb c000 0264",
    version: 3,
    priority: 100,
    interval: 100,
    addresses: ["192.0.2.100"],
  },
  {
    by: "keepalived v3 unicast",
    hex: "3133 6401 000a 23dc c000 0264",
    destination: "192.0.2.1",
    version: 3,
    priority: 100,
    interval: 100,
    addresses: ["192.0.2.100"],
  },
  {
    by: "keepalived v3 IPv6",
    hex: "3133 6402 000a c20d fe80 0000 0000 0000 0000 0000 0000 0100 2001 0db8 0000 0000 0000 0000 0000 0100",
    source: "fe80::10a2:18ff:fef5:53b3",
    destination: "ff02::12",
    version: 3,
    priority: 100,
    interval: 100,
    addresses: ["fe80::100", "2001:db8::100"],
  },
];

function envelopeOf(capture: Capture, hopLimit = 255) {
  const source = parseAddress(capture.source ?? "192.0.2.2");
  const destination = parseAddress(capture.destination ?? "224.0.0.18");
  return { source, destination, hopLimit };
}

function inspectionOf(capture: Capture): Inspection {
  return {
    version: capture.version,
    virtualRouterId: 51,
    interval: capture.interval,
    passwords: capture.password === undefined ? null : [capture.password],
    checksum: "auto",
    unicast: capture.destination?.startsWith("192") ? { peers: [parseAddress("192.0.2.2")], minTtl: 255 } : null,
    addresses: addresses(capture.addresses),
  };
}

Deno.test("decode() reads what peers send", () => {
  for (const capture of captures) {
    const decoded = decode(bytes(capture.hex), envelopeOf(capture), inspectionOf(capture));
    if (decoded.type === "drop") throw new Error(`${capture.by}: ${decoded.text}`);
    const { version, priority, interval } = decoded.advertisement;
    deepEqual(
      { version, priority, interval, addresses: decoded.advertisement.addresses.map(formatAddress) },
      {
        version: capture.version,
        priority: capture.priority,
        interval: capture.interval,
        addresses: capture.addresses,
      },
      capture.by,
    );
  }
});

Deno.test("encode() writes the bytes that peers send", () => {
  for (const capture of captures) {
    const { version, priority, interval, checksum } = capture;
    const advertisement = { version, virtualRouterId: 51, priority, interval, addresses: addresses(capture.addresses) };
    const options = { password: capture.password ?? null, checksum: checksum ?? "pseudo", ...envelopeOf(capture) };
    equal(encode(advertisement, options).toHex(), bytes(capture.hex).toHex(), capture.by);
  }
});

const [password, , , frr, plain, , unicast, ipv6] = captures;

interface Row {
  readonly name: string;
  readonly given: Capture;
  /** [offset, value] */
  readonly patch?: readonly [number, number][];
  readonly cut?: number;
  readonly grow?: number;
  readonly hopLimit?: number;
  readonly inspection?: Partial<Inspection>;
  readonly reason: string;
  readonly text: RegExp;
  readonly setting?: string;
}

// The checksum is made right again after a patch unless it is the checksum that was patched.
const drops: readonly Row[] = [
  { name: "shorter than a header", given: frr, cut: 5, reason: "length", text: /has 7 bytes, the header alone has 8/ },
  { name: "foreign router", given: frr, patch: [[1, 52]], reason: "vrid", text: /ID is 52, ours is 51/ },
  { name: "routed", given: frr, hopLimit: 254, reason: "ttl", text: /TTL is 254, must be 255/ },
  {
    name: "routed too far",
    given: unicast,
    hopLimit: 250,
    inspection: { unicast: { peers: addresses(["192.0.2.2"]), minTtl: 251 } },
    reason: "ttl",
    text: /at least 251/,
  },
  { name: "version 4", given: frr, patch: [[0, 0x41]], reason: "version", text: /Version is 4, ours is 3/ },
  {
    name: "v2 to v3",
    given: password,
    inspection: { version: 3 },
    reason: "version",
    text: /2, ours/,
    setting: "version",
  },
  { name: "v3 to v2", given: frr, inspection: { version: 2 }, reason: "version", text: /3, ours/, setting: "version" },
  {
    name: "v3 to v2, plain checksum",
    given: plain,
    inspection: { version: 2 },
    reason: "version",
    text: /3, ours is 2/,
    setting: "version",
  },
  {
    name: "v2 to v3, another cluster",
    given: password,
    inspection: { version: 3, addresses: addresses(["192.0.2.7"]) },
    reason: "version",
    text: /2, ours is 3/,
  },
  { name: "v2 to v3, broken", given: password, cut: 1, inspection: { version: 3 }, reason: "version", text: /2, ours/ },
  {
    name: "v2 to v3, broken checksum",
    given: password,
    patch: [[6, 0]],
    inspection: { version: 3 },
    reason: "version",
    text: /2, ours/,
  },
  {
    name: "no password",
    given: captures[2],
    inspection: { passwords: ["1111"] },
    reason: "auth",
    text: /Sent with no authentication, ours is a simple password/,
    setting: "authentication",
  },
  {
    name: "unwanted password",
    given: password,
    inspection: { passwords: null },
    reason: "auth",
    text: /with a simple password, ours is no authentication/,
    setting: "authentication",
  },
  {
    name: "type 2 authentication",
    given: password,
    patch: [[4, 2]],
    reason: "auth",
    text: /authentication type 2/,
    setting: "authentication",
  },
  {
    name: "wrong password",
    given: password,
    patch: [[12, 0x32]],
    reason: "auth",
    text: /not ours/,
    setting: "password",
  },
  {
    name: "wrong password, foreign cluster",
    given: password,
    patch: [[12, 0x32], [11, 9]],
    reason: "auth",
    text: /not ours/,
  },
  {
    name: "v2 other interval",
    given: password,
    patch: [[5, 2]],
    reason: "interval",
    text: /is 2 s, ours is 1 s/,
    setting: "advert_int",
  },
  { name: "v2 interval 0", given: password, patch: [[5, 0]], reason: "interval", text: /is 0 s/ },
  { name: "v3 interval 0", given: frr, patch: [[5, 0]], reason: "interval", text: /interval is 0/ },
  { name: "type 2", given: frr, patch: [[0, 0x32]], reason: "type", text: /Type is 2, must be 1/ },
  { name: "one byte short", given: frr, cut: 1, reason: "length", text: /11 bytes, 1 addresses at version 3 make 12/ },
  { name: "four bytes long", given: frr, grow: 4, reason: "length", text: /16 bytes/ },
  { name: "count beyond the bytes", given: frr, patch: [[3, 2]], reason: "length", text: /2 addresses/ },
  { name: "v2 without its trailer", given: captures[2], cut: 8, reason: "length", text: /16 bytes/ },
  { name: "bad checksum", given: frr, patch: [[6, 0xff]], reason: "checksum", text: /pseudo and plain form tried/ },
  { name: "bad v2 checksum", given: password, patch: [[7, 0xff]], reason: "checksum", text: /plain form tried/ },
  {
    name: "plain where pseudo is asked",
    given: plain,
    inspection: { checksum: "pseudo" },
    reason: "checksum",
    text: /pseudo/,
  },
  {
    name: "pseudo where plain is asked",
    given: frr,
    inspection: { checksum: "plain" },
    reason: "checksum",
    text: /plain/,
  },
  { name: "IPv6 has one form", given: ipv6, patch: [[6, 0]], reason: "checksum", text: /\(pseudo form/ },
  { name: "no addresses", given: frr, patch: [[3, 0]], cut: 4, reason: "count", text: /names no address/ },
  { name: "no addresses, but bytes of one", given: frr, patch: [[3, 0]], reason: "count", text: /names no address/ },
  { name: "v2 password, one byte short", given: password, cut: 1, reason: "length", text: /19 bytes/ },
  {
    name: "unicast to a multicast router",
    given: unicast,
    inspection: { unicast: null },
    reason: "source",
    text: /by unicast/,
  },
  {
    name: "multicast to a unicast router",
    given: frr,
    inspection: { unicast: { peers: addresses(["192.0.2.2"]), minTtl: 255 } },
    reason: "source",
    text: /by multicast/,
  },
  {
    name: "unicast from a stranger",
    given: unicast,
    inspection: { unicast: { peers: addresses(["192.0.2.9"]), minTtl: 255 } },
    reason: "source",
    text: /192\.0\.2\.2 is not among/,
  },
  { name: "IPv6 first address global", given: ipv6, patch: [[8, 0x20]], reason: "count", text: /must be link-local/ },
];

Deno.test("decode() names what is wrong with an advertisement", () => {
  for (const row of drops) {
    const envelope = envelopeOf(row.given, row.hopLimit);
    const original = bytes(row.given.hex);
    const message = new Uint8Array(original.length - (row.cut ?? 0) + (row.grow ?? 0));
    message.set(original.subarray(0, message.length));
    for (const [offset, value] of row.patch ?? []) message[offset] = value;
    const checksumPatched = row.patch?.some(([offset]) => offset === 6 || offset === 7);
    if (!checksumPatched && row.given !== plain && message.length >= 8) {
      message.set([0, 0], 6);
      const sum = checksumOf(message, envelope, message[0] >> 4 === 2 ? "plain" : "pseudo");
      message.set([sum >> 8, sum & 0xff], 6);
    }
    const decoded = decode(message, envelope, { ...inspectionOf(row.given), ...row.inspection });
    if (decoded.type !== "drop") throw new Error(`${row.name}: taken`);
    equal(decoded.reason, row.reason, row.name);
    match(decoded.text, row.text, row.name);
    equal(decoded.incompatible?.setting, row.setting, row.name);
  }
});

Deno.test("decode() takes the passwords of a rollover", () => {
  const inspection = { ...inspectionOf(password), passwords: ["new", "1111"] };
  equal(decode(bytes(password.hex), envelopeOf(password), inspection).type, "advertisement");
});

Deno.test("decode() ignores the reserved bits of version 3", () => {
  const decoded = decode(bytes("3133 6401 f064 b801 c000 0264"), envelopeOf(frr), inspectionOf(frr));
  equal(decoded.type === "advertisement" && decoded.advertisement.interval, 1000);
});

Deno.test("decode() survives any bytes", () => {
  let seed = 1;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16;
  for (let i = 0; i < 20_000; i++) {
    const capture = captures[random() % captures.length];
    const message = bytes(capture.hex).subarray(0, random() % 64);
    for (let n = random() % 4; n > 0; n--) message[random() % 16 % Math.max(1, message.length)] = random();
    decode(message, envelopeOf(capture), inspectionOf(captures[random() % captures.length]));
  }
});

Deno.test("advertisable() leaves out the other family and what does not fit", () => {
  const many = Array.from({ length: 300 }, (_, i) => Uint8Array.of(10, 0, i >> 8, i & 0xff));
  equal(advertisable(many, 4).length, 255);
  deepEqual(advertisable(addresses(["fe80::1", "10.0.0.1"]), 4), addresses(["10.0.0.1"]));
  equal(advertisable(Array.from({ length: 100 }, () => parseAddress("fe80::1")), 16).length, 90);
});

Deno.test("sameAddresses() ignores the order only", () => {
  const rows: [string[], string[], boolean][] = [
    [["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"], true],
    [["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], false],
    [["10.0.0.1", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"], false],
    [["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.1"], false],
  ];
  for (const [one, other, same] of rows) equal(sameAddresses(addresses(one), addresses(other)), same);
});

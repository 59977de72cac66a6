import { deepEqual, equal } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { decodeAcknowledgement, decodeAttributes, decodeMessages, MessageWriter } from "../../../runtime/os/netlink.ts";
import {
  type AddressLease,
  addressProtocol,
  decodeInterfaceAddress,
  decodeLink,
  type InterfaceAddress,
  isNews,
  keepsProtocol,
  type NetworkEvent,
  RouteMessage,
  writeAddressKey,
  writeAddressLease,
} from "../../../runtime/os/rtnetlink.ts";
import { decodeNeighbour } from "../../../runtime/os/rtnetlink_topology.ts";
import { encodeLocalAddressFilter } from "../../../runtime/os/sock_diag.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replaceAll(" ", ""));

/** Header and attributes of the one message; attributes in any order, without those in `but`. */
function parts(datagram: Uint8Array<ArrayBuffer>, skip: number, but: readonly number[] = []) {
  const [message] = decodeMessages(datagram);
  const attributes = [...decodeAttributes(message.body, skip)].filter(([type]) => !but.includes(type));
  return {
    type: message.type,
    header: message.body.subarray(0, skip).toHex(),
    attributes: Object.fromEntries(attributes.map(([type, value]) => [type, value.toHex()])),
  };
}

// Sent by `ip` (iproute2 6.1) for the same address, captured by strace.
const leases: readonly (readonly [string, AddressLease, string])[] = [
  [
    "ip address add 192.168.219.100/24 dev v0 valid_lft 3 preferred_lft 3",
    { index: 3, address: "192.168.219.100", prefix: 24, lease: 3000 },
    "3c000000 1400 0506 13b8026b00000000 02180000 03000000 08000200c0a8db64 08000100c0a8db64 14000600 03000000 03000000 00000000 00000000",
  ],
  [
    "… label v0:vip",
    { index: 3, address: "192.168.219.101", prefix: 24, label: "v0:vip", lease: 2001 },
    "48000000 1400 0505 13b8026b00000000 02180000 03000000 08000200c0a8db65 0b00030076303a7669700000 08000100c0a8db65 14000600 03000000 03000000 00000000 00000000",
  ],
  [
    "… dev lo scope host",
    { index: 1, address: "192.168.219.102", prefix: 32, lease: 3000, hostScope: true },
    "3c000000 1400 0506 13b8026b00000000 022000fe 01000000 08000200c0a8db66 08000100c0a8db66 14000600 03000000 03000000 00000000 00000000",
  ],
  [
    "ip address add 192.168.219.103/24 dev v0",
    { index: 3, address: "192.168.219.103", prefix: 24, lease: null },
    "28000000 1400 0506 13b8026b00000000 02180000 03000000 08000200c0a8db67 08000100c0a8db67",
  ],
];

const IFA_FLAGS = 8;
const IFA_PROTO = 11;

for (const [command, lease, hex] of leases) {
  Deno.test(`writeAddressLease() is what ip sends for ${command}`, () => {
    const writer = new MessageWriter().begin(RouteMessage.newAddress, 0);
    const sent = writeAddressLease(writer, lease).end().written;
    // `ip` of that version cannot say who configured the address.
    deepEqual(parts(sent, 8, [IFA_PROTO]), parts(bytes(hex), 8));
    equal(parts(sent, 8).attributes[IFA_PROTO], "54");
  });
}

Deno.test("writeAddressLease() skips duplicate detection of IPv6, as ip's nodad", () => {
  const writer = new MessageWriter().begin(RouteMessage.newAddress, 0);
  const lease = { index: 3, address: "2001:db8::100", prefix: 64, lease: 3000 };
  const sent = writeAddressLease(writer, lease).end().written;
  const captured = bytes(
    "54000000 1400 0506 13b8026b00000000 0a400200 03000000 14000200 20010db8000000000000000000000100 " +
      "14000100 20010db8000000000000000000000100 14000600 03000000 03000000 00000000 00000000",
  );
  const ours = parts(sent, 8, [IFA_FLAGS, IFA_PROTO]);
  deepEqual(ours.attributes, parts(captured, 8).attributes);
  // `ip` says it in the header, where old kernels read it; both read the attribute.
  equal(parts(sent, 8).attributes[IFA_FLAGS], "02000000");
});

Deno.test("writeAddressKey() is what ip sends to delete", () => {
  const writer = new MessageWriter().begin(RouteMessage.deleteAddress, 0);
  const sent = writeAddressKey(writer, { index: 3, address: "192.168.219.100", prefix: 24 }).end().written;
  const captured = bytes("28000000 1500 0500 feb7026b00000000 02180000 03000000 08000200c0a8db64 08000100c0a8db64");
  deepEqual(parts(sent, 8), parts(captured, 8));
});

Deno.test("decodeInterfaceAddress() reads the kernel's announcement", () => {
  // RTM_DELADDR of a secondary address, captured by strace of `ip monitor`.
  const [message] = decodeMessages(bytes(
    "4c0000001500000014b8026b57690000 02188100 03000000 08000100c0a8db67 08000200c0a8db67 0700030076300000 " +
      "0800080081000000 14000600ffffffffffffffff8803040088030400",
  ));
  deepEqual(decodeInterfaceAddress(message), {
    family: 4,
    index: 3,
    address: "192.168.219.103",
    prefix: 24,
    label: "v0",
    flags: 0x81,
    validFor: null,
    protocol: 0,
  });
});

Deno.test("isNews() leaves out renewals only, of whatever lifetime", () => {
  const lease: InterfaceAddress = {
    family: 4,
    index: 2,
    address: "192.0.2.1",
    prefix: 24,
    label: null,
    flags: 0,
    validFor: 86_400_000,
    protocol: 0,
  };
  const renewed = { ...lease, validFor: 86_399_000 };
  const rows: readonly (readonly [string, NetworkEvent, boolean])[] = [
    ["a lease is new, as from DHCP", { type: "address", address: lease, before: null }, true],
    ["a lease of ours", { type: "address", address: { ...lease, protocol: addressProtocol }, before: null }, false],
    ["a lease is renewed", { type: "address", address: lease, before: renewed }, false],
    ["a permanent one is new", { type: "address", address: { ...lease, validFor: null }, before: null }, true],
    ["a secondary one is primary now", { type: "address", address: lease, before: { ...lease, flags: 1 } }, true],
    ["a lease is over", { type: "addressGone", address: lease }, true],
  ];
  for (const [name, event, expected] of rows) equal(isNews(event), expected, name);
});

Deno.test("keepsProtocol() from Linux 5.18 on", () => {
  const releases = ["4.19.0", "5.4.0-150-generic", "5.17.15", "5.18.0", "6.1.0-13-amd64", "10.0-rc1", ""];
  deepEqual(releases.map(keepsProtocol), [false, false, false, true, true, true, false]);
});

Deno.test("decodeLink() reads name, MAC, MTU and whether frames can leave", () => {
  const link = (flags: string) =>
    decodeLink(
      decodeMessages(bytes(
        `44000000 1000 0000 00000000 00000000 0000 0100 02000000 ${flags} 00000000 07000300 76310000 08000400 dc050000 ` +
          "0a000100 3e81fea2f4d40000 05001000 06000000",
      ))[0],
    );
  const expected = { index: 2, name: "v1", mac: bytes("3e81fea2f4d4"), mtu: 1500 };
  deepEqual(link("43100100"), { ...expected, up: true, flags: 0x11043 });
  deepEqual(link("03100100"), { ...expected, up: false, flags: 0x11003 }, "no carrier");
  deepEqual(link("42100000"), { ...expected, up: false, flags: 0x1042 }, "set down");
});

Deno.test("decodeLink() leaves messages about bridge ports alone: their RTM_DELLINK deletes no link", () => {
  const [message] = decodeMessages(bytes("20000000 1100 0000 00000000 00000000 0700 0100 03000000 43100100 00000000"));
  equal(message.type, RouteMessage.deleteLink);
  equal(decodeLink(message), undefined);
});

Deno.test("decodeNeighbour() reads an entry, resolved or not", () => {
  const entry = (rest: string) =>
    decodeNeighbour(
      decodeMessages(bytes(
        `${
          rest === "" ? "24" : "30"
        }000000 1c00 0200 00000000 00000000 02000000 02000000 0200 00 01 08000100 c0a8db64 ${rest}`,
      ))[0],
    );
  deepEqual(entry("0a000200 02000000 00010000"), {
    index: 2,
    address: "192.168.219.100",
    mac: "02:00:00:00:00:01",
    state: 2,
  });
  equal(entry("")?.mac, null);
});

Deno.test("encodeLocalAddressFilter() is the program that ss sends for: src A or src B", () => {
  // ss -tn src 192.168.219.100 or src 192.168.219.101 (iproute2 6.1), captured by strace
  const captured = "07101400 02200000 ffffffff c0a8db64 01041400 07101400 02200000 ffffffff c0a8db65";
  const addresses = ["192.168.219.100", "192.168.219.101"].map(parseAddress);
  equal(encodeLocalAddressFilter(addresses).toHex(), bytes(captured).toHex());
});

Deno.test("decodeAcknowledgement() reads errno and the kernel's words", () => {
  const rows: readonly (readonly [string, string, { errno: number; words: string | null }])[] = [
    ["done", "24000000 0200 0001 07000000 00000000 00000000 28000000 14000506 07000000 00000000", {
      errno: 0,
      words: null,
    }],
    // NLM_F_CAPPED | NLM_F_ACK_TLVS with NLMSGERR_ATTR_MSG
    [
      "refused with words",
      "34000000 0200 0003 07000000 00000000 edffffff 28000000 14000506 07000000 00000000 0d000100 4e6f206c696e6b2100000000",
      { errno: 19, words: "No link!" },
    ],
    [
      "refused, the whole request repeated",
      "34000000 0200 0000 07000000 00000000 f0ffffff 20000000 14000506 07000000 00000000 02180000 03000000 08000200 c0a8db64",
      { errno: 16, words: null },
    ],
  ];
  for (const [name, hex, expected] of rows) {
    deepEqual(decodeAcknowledgement(decodeMessages(bytes(hex))[0]), { sequence: 7, ...expected }, name);
  }
});

Deno.test("decodeMessages() and decodeAttributes() end at what is cut off", () => {
  deepEqual(decodeMessages(bytes("1400 0000 0300")), []);
  deepEqual(decodeMessages(bytes("ff000000 0300 0000 00000000 00000000")), []);
  deepEqual(decodeMessages(bytes("04000000 0300 0000 00000000 00000000")), []);
  equal(decodeAttributes(bytes("0800 0100 c0a8db64 0900 0200 00"), 0).size, 1);
  equal(decodeAttributes(bytes("0300 0100 c0a8db64"), 0).size, 0);
});

Deno.test("MessageWriter grows, pads with zeros and refuses what does not fit", () => {
  const writer = new MessageWriter();
  writer.begin(1, 0).open(5);
  for (let i = 0; i < 1000; i++) writer.attributeU8(1, 0xff);
  writer.close().end();
  equal(writer.length, 16 + 4 + 8000);
  equal(writer.written.subarray(20, 28).toHex(), "05000100ff000000");
  writer.reset().begin(1, 0).open(5).bytes(new Uint8Array(70_000));
  let refusal = "";
  try {
    writer.close();
  } catch (error) {
    refusal = String(error);
  }
  equal(refusal, "RangeError: Cannot close netlink attribute: must be at most 65535 bytes, got 70004");
});

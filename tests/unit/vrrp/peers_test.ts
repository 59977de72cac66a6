import { deepEqual, equal } from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import type { Incompatible } from "../../../runtime/vrrp/inspection.ts";
import {
  describePeer,
  explainDifference,
  hearPeer,
  knowsPeer,
  type Peer,
  successor,
} from "../../../runtime/vrrp/peers.ts";

const difference: Incompatible = {
  setting: "version",
  theirs: "version 2",
  ours: "version 3",
  priority: 100,
  interval: 1000,
};

const peerOf = (address: string, more: Partial<Peer> = {}): Peer => ({
  address: parseAddress(address),
  heardAt: 1000,
  helloAt: null,
  priority: 100,
  takes: null,
  incompatible: null,
  ...more,
});

Deno.test("hearPeer() keeps what is known, the newest first, and no more than sixteen", () => {
  let peers: readonly Peer[] = [];
  peers = hearPeer(peers, { address: parseAddress("192.0.2.1"), heardAt: 1, helloAt: 1, priority: 7 });
  peers = hearPeer(peers, { address: parseAddress("192.0.2.2"), heardAt: 2 });
  peers = hearPeer(peers, { address: parseAddress("192.0.2.1"), heardAt: 3 });
  deepEqual(peers.map(({ address, heardAt }) => [formatAddress(address), heardAt]), [["192.0.2.1", 3], [
    "192.0.2.2",
    2,
  ]]);
  deepEqual([peers[0].helloAt, peers[0].priority], [1, 7]);
  equal(knowsPeer(peers, parseAddress("192.0.2.1")), true);
  equal(knowsPeer(peers, parseAddress("192.0.2.2")), false);
  for (let i = 0; i < 50; i++) peers = hearPeer(peers, { address: Uint8Array.of(10, 0, 0, i), heardAt: i });
  equal(peers.length, 16);
});

Deno.test("successor() is the Tandem router that can take it, then the one with the higher priority", () => {
  const now = 5000;
  const rows: [string, Peer[], string | null][] = [
    ["nobody", [], null],
    ["no Tandem", [peerOf("192.0.2.1")], null],
    ["silent", [peerOf("192.0.2.1", { helloAt: 1000 })], null],
    ["one", [peerOf("192.0.2.1", { helloAt: 4000 })], "192.0.2.1"],
    [
      "higher priority",
      [peerOf("192.0.2.1", { helloAt: 4900 }), peerOf("192.0.2.2", { helloAt: 4000, priority: 101 })],
      "192.0.2.2",
    ],
    [
      "able before unable",
      [peerOf("192.0.2.1", { helloAt: 4000, priority: 9 }), peerOf("192.0.2.2", { helloAt: 4000, takes: "it yields" })],
      "192.0.2.1",
    ],
    ["unable rather than nobody", [peerOf("192.0.2.2", { helloAt: 4000, takes: "it yields" })], "192.0.2.2"],
  ];
  for (const [name, peers, wanted] of rows) {
    const got = successor(peers, now);
    equal(got && formatAddress(got.address), wanted, name);
  }
});

Deno.test("describePeer() shows the peer that was heard last", () => {
  const status = (peers: Peer[], now: number, patience = 400) => describePeer(peers, now, patience, "VI_1");
  equal(status([], 0), null);
  deepEqual(status([peerOf("192.0.2.1"), peerOf("192.0.2.2", { heardAt: 2000, helloAt: 2000 })], 2500), {
    address: "192.0.2.2",
    state: "ok",
    tandem: true,
    explain: null,
  });
  equal(status([peerOf("192.0.2.1")], 4501)?.state, "silent");
  equal(status([peerOf("192.0.2.1")], 4501, 9000)?.state, "ok");
  deepEqual(status([peerOf("192.0.2.1", { incompatible: difference })], 1500), {
    address: "192.0.2.1",
    state: "incompatible",
    tandem: false,
    explain: "192.0.2.1 uses version 2, this node version 3: make vrrp.VI_1.version the same on both nodes",
  });
  equal(status([peerOf("192.0.2.1", { incompatible: difference })], 9000)?.explain, null);
});

Deno.test("explainDifference() names the line to change", () => {
  const rows: [Incompatible["setting"], string][] = [
    ["version", "vrrp.VI_1.version"],
    ["authentication", "vrrp.VI_1.authentication"],
    ["password", "vrrp.VI_1.authentication.password"],
    ["advert_int", "vrrp.VI_1.advert_int"],
  ];
  for (const [setting, key] of rows) {
    const text = explainDifference({ ...difference, setting }, "192.0.2.1", "VI_1");
    equal(text.split(": make ")[1], `${key} the same on both nodes`);
  }
});

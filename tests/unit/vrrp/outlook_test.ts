import { deepEqual, equal } from "node:assert/strict";
import { type Address, formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { Limiter } from "../../../runtime/vrrp/limiter.ts";
import { combineTracking, inspectionOf, type InterfaceView, outlookOf } from "../../../runtime/vrrp/outlook.ts";
import type { InstanceOptions, Tracking } from "../../../runtime/vrrp/protocol.ts";

const options: InstanceOptions = {
  name: "VI_1",
  interface: "ens32",
  virtualRouterId: 51,
  version: 2,
  priority: 100,
  advertInterval: 1000,
  preempt: true,
  preemptDelay: 0,
  authentication: null,
  addresses: [
    { address: "192.0.2.100", prefix: 24, interface: "ens32" },
    { address: "2001:db8::100", prefix: 64, interface: "ens32" },
  ],
  unicast: null,
  checksum: "auto",
  garp: { repeat: 5, delay: 5000, refresh: 60_000 },
  trackInterfaces: [],
  handover: { connections: "auto", drain: 30_000 },
  ports: [80],
};

const view = (addresses: string[], more: Partial<InterfaceView> = {}): InterfaceView => ({
  index: 2,
  up: true,
  mac: "02:00:00:00:00:01",
  addresses: addresses.map(parseAddress),
  ...more,
});
const unicast = (peers: string[], source: string | null = null) => ({ unicast: { source, peers, minTtl: 255 } });
const local = (address: Address) => formatAddress(address) === "192.0.2.1";

/** What is wanted: "primary → destinations", or the reason. */
const rows: readonly [string, Partial<InstanceOptions>, InterfaceView | null, string][] = [
  ["multicast", {}, view(["192.0.2.1", "192.0.2.100"]), "192.0.2.1 → 224.0.0.18"],
  ["no interface", {}, null, 'Interface "ens32" does not exist'],
  ["no carrier", {}, view(["192.0.2.1"], { up: false }), 'Interface "ens32" is down'],
  ["no address", {}, view([]), 'Interface "ens32" has no IPv4 address to send from'],
  ["unicast", unicast(["192.0.2.2", "192.0.2.3"]), view(["192.0.2.1"]), "192.0.2.1 → 192.0.2.2, 192.0.2.3"],
  ["the same peers on both", unicast(["192.0.2.1", "192.0.2.2"]), view(["192.0.2.1"]), "192.0.2.1 → 192.0.2.2"],
  [
    "source is ours among the peers",
    unicast(["10.0.0.1", "192.0.2.2"]),
    view(["192.0.2.1", "10.0.0.1"]),
    "10.0.0.1 → 10.0.0.1, 192.0.2.2",
  ],
  ["source", unicast(["192.0.2.2"], "10.0.0.1"), view(["192.0.2.1", "10.0.0.1"]), "10.0.0.1 → 192.0.2.2"],
  [
    "source that is not there",
    unicast(["192.0.2.2"], "10.0.0.9"),
    view(["192.0.2.1"]),
    'Interface "ens32" does not have the source address 10.0.0.9',
  ],
  ["nobody else", unicast(["192.0.2.1"]), view(["192.0.2.1"]), "None of the unicast peers is another machine"],
];

Deno.test("outlookOf() finds where to send from and to, or says why it cannot", () => {
  for (const [name, more, given, wanted] of rows) {
    const outlook = outlookOf({ ...options, ...more }, given, local);
    const got = outlook.usable
      ? `${formatAddress(outlook.primary)} → ${outlook.destinations.map(formatAddress).join(", ")}`
      : outlook.reason;
    equal(got, wanted, name);
  }
});

Deno.test("inspectionOf() takes every password of a rollover and the addresses that an advert can name", () => {
  const authentication = { type: "pass", password: "new", alsoAccept: ["old"] } as const;
  const inspection = inspectionOf({ ...options, authentication });
  deepEqual(inspection.passwords, ["new", "old"]);
  deepEqual(inspection.addresses.map(formatAddress), ["192.0.2.100"]);
});

Deno.test("combineTracking() takes the worst effect and every cause", () => {
  const none: Tracking = { effect: "none", causes: [] };
  const yields: Tracking = { effect: "yield", causes: ["web is down"] };
  const fault: Tracking = { effect: "fault", causes: ["no carrier"] };
  deepEqual(combineTracking([none, none]), none);
  deepEqual(combineTracking([none, yields]), yields);
  deepEqual(combineTracking([yields, fault]), { effect: "fault", causes: ["web is down", "no carrier"] });
});

Deno.test("Limiter lets one of a cause through a minute and counts the others", () => {
  const limiter = new Limiter();
  equal(limiter.pass("ttl", 0), 0);
  for (let now = 1; now <= 5; now++) equal(limiter.pass("ttl", now), null);
  equal(limiter.pass("auth", 5), 0);
  equal(limiter.pass("ttl", 59_999), null);
  equal(limiter.pass("ttl", 60_000), 6);
  equal(limiter.pass("ttl", 119_999), null);
  equal(limiter.pass("ttl", 120_000), 1);
});

/** What a third host on the network saw of VRRP and ARP, read through tshark's dissectors. */
import assert from "node:assert/strict";
import type { Capture } from "../support/peers.ts";

/** One advertisement on the wire; `at` in ms. */
export interface SeenAdvert {
  readonly at: number;
  readonly source: string;
  readonly destination: string;
  readonly priority: number;
  readonly version: number;
}

const fields = [
  "frame.time_epoch",
  "ip.src",
  "ip.dst",
  "ip.ttl",
  "ip.dsfield",
  "ip.checksum.status",
  "vrrp.version",
  "vrrp.prio",
  "vrrp.checksum.status",
  "_ws.expert.message",
] as const;

/** Every advertisement from `sources`, each of them well-formed: TTL 255, checksums good, no complaint of tshark. */
export async function soundAdverts(capture: Capture, sources: readonly string[]): Promise<SeenAdvert[]> {
  const rows = await capture.fields("vrrp", fields, ["ip.check_checksum:TRUE"]);
  const ours = rows.filter((row) => sources.includes(row["ip.src"]));
  for (const row of ours) {
    const what = JSON.stringify(row);
    assert.equal(row["ip.ttl"], "255", what);
    assert.equal(row["ip.dsfield"], "0xc0", what);
    assert.equal(row["ip.checksum.status"], "1", what);
    assert.equal(row["vrrp.checksum.status"], "1", what);
    assert.equal(row["_ws.expert.message"], "", what);
  }
  return ours.map((row) => ({
    at: Number(row["frame.time_epoch"]) * 1000,
    source: row["ip.src"],
    destination: row["ip.dst"],
    priority: Number(row["vrrp.prio"]),
    version: Number(row["vrrp.version"]),
  }));
}

/** Gratuitous ARP for `address`; `at` in ms. */
export async function announcements(capture: Capture, address: string): Promise<{ at: number; mac: string }[]> {
  const rows = await capture.fields(`arp.src.proto_ipv4 == ${address} && arp.dst.proto_ipv4 == ${address}`, [
    "frame.time_epoch",
    "arp.src.hw_mac",
  ]);
  return rows.map((row) => ({ at: Number(row["frame.time_epoch"]) * 1000, mac: row["arp.src.hw_mac"] }));
}

/** From the last advertisement of `from` to the first of `to` behind it, in ms. */
export function gapBetween(adverts: readonly SeenAdvert[], from: string, to: string): { gap: number; firstAt: number } {
  const last = adverts.findLast(({ source }) => source === from);
  assert.ok(last, `${from} advertised`);
  const first = adverts.find(({ source, at }) => source === to && at >= last.at);
  assert.ok(first, `${to} advertised after ${from}`);
  return { gap: first.at - last.at, firstAt: first.at };
}

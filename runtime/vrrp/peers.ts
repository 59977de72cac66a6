/** The other routers of a virtual router, as far as they were heard: pure. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import type { Incompatible } from "./inspection.ts";
import type { InstanceStatus } from "./protocol.ts";

export interface Peer {
  readonly address: Address;
  /** Monotonic ms; when anything of it was heard. */
  readonly heardAt: number;
  /** When it last spoke on the hand-over channel; null = never: it is not known to be Tandem. */
  readonly helloAt: number | null;
  readonly priority: number;
  /** Why it cannot take the addresses, as it says itself. */
  readonly takes: string | null;
  readonly incompatible: Incompatible | null;
}

/** Whoever said nothing for this long is silent; a Tandem peer says something each second. In ms. */
export const silentAfter = 3500;

/** Routers remembered at most: a forger shall not fill our memory. */
const mostPeers = 16;

export function hearPeer(peers: readonly Peer[], news: Partial<Peer> & Pick<Peer, "address" | "heardAt">): Peer[] {
  const before = peers.find(({ address }) => equalAddresses(address, news.address));
  const peer: Peer = {
    ...(before ?? { helloAt: null, priority: 0, takes: null, incompatible: null }),
    ...news,
  };
  const others = peers.filter((other) => other !== before);
  return [peer, ...others].slice(0, mostPeers);
}

/** Whether `address` has spoken on the hand-over channel. */
export function knowsPeer(peers: readonly Peer[], address: Address): boolean {
  return peers.some((peer) => peer.helloAt !== null && equalAddresses(peer.address, address));
}

/** The Tandem router to offer the addresses to: able before unable, higher priority first. */
export function successor(peers: readonly Peer[], now: number): Peer | null {
  const able = peers.filter(({ helloAt }) => helloAt !== null && now - helloAt < silentAfter);
  const [best] = able.sort((a, b) => Number(a.takes !== null) - Number(b.takes !== null) || b.priority - a.priority);
  return best ?? null;
}

/** The peer that `status` shows: the one heard last. `patience`: how long a router without channel may be silent, in ms. */
export function describePeer(
  peers: readonly Peer[],
  now: number,
  patience: number,
  name: string,
): InstanceStatus["peer"] {
  const [peer] = [...peers].sort((a, b) => b.heardAt - a.heardAt);
  if (peer === undefined) return null;
  const address = formatAddress(peer.address);
  const silent = now - peer.heardAt > Math.max(patience, silentAfter);
  const { incompatible } = peer;
  const state = silent ? "silent" : incompatible === null ? "ok" : "incompatible";
  const explain = state === "incompatible" && incompatible !== null
    ? explainDifference(incompatible, address, name)
    : null;
  return { address, state, tandem: peer.helloAt !== null, explain };
}

const keys = {
  version: "version",
  authentication: "authentication",
  password: "authentication.password",
  advert_int: "advert_int",
} as const;

/** Names the line of the configuration that the two must agree on. */
export function explainDifference(incompatible: Incompatible, address: string, name: string): string {
  const key = `vrrp.${name}.${keys[incompatible.setting]}`;
  const { theirs, ours } = incompatible;
  return `${address} uses ${theirs}, this node ${ours}: make ${key} the same on both nodes`;
}

/** Which messages a virtual router takes, and the word for why it does not take the others. */
import { type Address, equalAddresses, formatAddress, isLinkLocal } from "../bytes/address.ts";
import {
  addressesOf,
  advertisementType,
  authDataFrom,
  authDataOf,
  AuthType,
  type ChecksumForm,
  checksumForms,
  checksumOf,
  type Envelope,
  groups,
  type Message,
  wantedLength,
} from "./message.ts";
import type { DropReason } from "./protocol.ts";

/** What one virtual router expects of an advertisement. */
export interface Inspection {
  readonly version: 2 | 3;
  readonly virtualRouterId: number;
  /** Own advertisement interval in ms; version 2 takes no other. */
  readonly interval: number;
  /** Passwords taken at version 2; null = no authentication. */
  readonly passwords: readonly string[] | null;
  readonly checksum: ChecksumForm | "auto";
  /** null = multicast. */
  readonly unicast: { readonly peers: readonly Address[]; readonly minTtl: number } | null;
  /** Own virtual addresses: whether a stranger speaks of the same ones decides whether it is a peer at all. */
  readonly addresses: readonly Address[];
}

/** A configuration key that two routers of one virtual router must agree on. */
export type Setting = "version" | "authentication" | "password" | "advert_int";

/**
 * A peer that means our addresses but is configured differently (contract 2.4): its messages are well-formed in their
 * own way, and as long as they come somebody holds the addresses.
 */
export interface Incompatible {
  readonly setting: Setting;
  /** What they use and what we use, in words; never a password. */
  readonly theirs: string;
  readonly ours: string;
  readonly priority: number;
  /** In ms. */
  readonly interval: number;
}

export interface Drop {
  readonly type: "drop";
  readonly reason: DropReason;
  readonly text: string;
  readonly incompatible: Incompatible | null;
}

interface Fault {
  readonly reason: DropReason;
  readonly text: string;
  /** Set where the message would be right in a router configured like its sender. */
  readonly difference?: { readonly setting: Setting; readonly theirs: string; readonly ours: string };
}

type Rung = (message: Message, envelope: Envelope, inspection: Inspection) => Fault | null;

/**
 * One fact a rung; the first that fails names the drop. What says who speaks and how comes first (router, TTL, version,
 * type), then the shape that makes the other fields readable, then what they say.
 *
 * A difference of configuration does not end the climb, because only a message that is sound otherwise comes from a
 * peer; anything else is noise.
 */
const ladder: readonly Rung[] = [
  virtualRouter,
  hopLimit,
  version,
  type,
  count,
  length,
  authentication,
  agreedInterval,
  interval,
  checksum,
  destination,
  source,
  firstAddress,
];

/** The drop that a message deserves, or null for one to take. */
export function inspect(message: Message, envelope: Envelope, inspection: Inspection): Drop | null {
  let different: Fault | null = null;
  for (const rung of ladder) {
    const fault = rung(message, envelope, inspection);
    if (fault === null) continue;
    if (fault.difference === undefined) return drop(different ?? fault, null);
    different ??= fault;
  }
  return different === null ? null : drop(different, incompatible(different, message, envelope, inspection));
}

function drop({ reason, text }: Fault, incompatible: Incompatible | null): Drop {
  return { type: "drop", reason, text, incompatible };
}

/** A foreign cluster on our virtual router ID names other addresses: it is counted, nothing more. */
function incompatible(fault: Fault, message: Message, envelope: Envelope, inspection: Inspection): Incompatible | null {
  if (fault.difference === undefined) return null;
  const theirs = addressesOf(message, envelope.source.length as 4 | 16);
  const shared = theirs.some((address) => inspection.addresses.some((own) => equalAddresses(own, address)));
  return shared ? { ...fault.difference, priority: message.priority, interval: message.interval } : null;
}

function virtualRouter(message: Message, _: Envelope, { virtualRouterId }: Inspection): Fault | null {
  if (message.virtualRouterId === virtualRouterId) return null;
  return { reason: "vrid", text: `Virtual router ID is ${message.virtualRouterId}, ours is ${virtualRouterId}` };
}

function hopLimit(_: Message, envelope: Envelope, { unicast }: Inspection): Fault | null {
  const least = unicast?.minTtl ?? 255;
  if (envelope.hopLimit >= least) return null;
  const wanted = least === 255 ? "must be 255" : `must be at least ${least}`;
  return { reason: "ttl", text: `TTL is ${envelope.hopLimit}, ${wanted}` };
}

function version(message: Message, _: Envelope, inspection: Inspection): Fault | null {
  if (message.version === inspection.version) return null;
  const text = `Version is ${message.version}, ours is ${inspection.version}`;
  if (message.version !== 2 && message.version !== 3) return { reason: "version", text };
  return {
    reason: "version",
    text,
    difference: { setting: "version", theirs: `version ${message.version}`, ours: `version ${inspection.version}` },
  };
}

function authentication(message: Message, _: Envelope, inspection: Inspection): Fault | null {
  if (message.version !== 2 || inspection.version !== 2) return null;
  const wanted = inspection.passwords === null ? AuthType.none : AuthType.password;
  if (message.authType !== wanted) {
    const difference = {
      setting: "authentication",
      theirs: authTypeName(message.authType),
      ours: authTypeName(wanted),
    } as const;
    return { reason: "auth", text: `Sent with ${difference.theirs}, ours is ${difference.ours}`, difference };
  }
  if (inspection.passwords === null) return null;
  const given = authDataOf(message);
  if (inspection.passwords.some((password) => equalBytes(authDataFrom(password), given))) return null;
  const difference = { setting: "password", theirs: "another password", ours: "the configured one" } as const;
  return { reason: "auth", text: "Password is not ours", difference };
}

function authTypeName(authType: number): string {
  if (authType === AuthType.none) return "no authentication";
  return authType === AuthType.password ? "a simple password" : `authentication type ${authType}`;
}

/** RFC 3768 §7.1: a different interval is discarded at version 2; at version 3 the receiver learns it. */
function agreedInterval(message: Message, _: Envelope, inspection: Inspection): Fault | null {
  if (message.version !== 2 || inspection.version !== 2 || message.interval === inspection.interval) return null;
  const text = `Advertisement interval is ${message.interval / 1000} s, ours is ${inspection.interval / 1000} s`;
  if (message.interval === 0) return { reason: "interval", text };
  const difference = {
    setting: "advert_int",
    theirs: `advert_int ${message.interval / 1000}s`,
    ours: `advert_int ${inspection.interval / 1000}s`,
  } as const;
  return { reason: "interval", text, difference };
}

function type(message: Message): Fault | null {
  if (message.type === advertisementType) return null;
  return { reason: "type", text: `Type is ${message.type}, must be ${advertisementType} (advertisement)` };
}

function length(message: Message, envelope: Envelope): Fault | null {
  const wanted = wantedLength(message.version, message.count, envelope.source.length);
  if (message.bytes.length === wanted) return null;
  return {
    reason: "length",
    text:
      `Message has ${message.bytes.length} bytes, ${message.count} addresses at version ${message.version} make ${wanted}`,
  };
}

function checksum(message: Message, envelope: Envelope, inspection: Inspection): Fault | null {
  const forms = checksumForms(message.version, envelope.source.length, inspection.checksum);
  if (forms.some((form) => checksumOf(message.bytes, envelope, form) === 0)) return null;
  return { reason: "checksum", text: `Checksum is wrong (${forms.join(" and ")} form tried)` };
}

function destination(_: Message, envelope: Envelope, { unicast }: Inspection): Fault | null {
  const group = envelope.destination.length === 4 ? groups.ipv4 : groups.ipv6;
  const multicast = equalAddresses(envelope.destination, group);
  if (multicast === (unicast === null)) return null;
  const text = multicast ? "Sent by multicast, we use unicast" : "Sent by unicast, we use multicast";
  return { reason: "source", text: `${text} (from ${formatAddress(envelope.source)})` };
}

function count(message: Message): Fault | null {
  return message.count > 0 ? null : { reason: "count", text: "Message names no address, must name at least one" };
}

/** RFC 9568 erratum 8301. */
function interval(message: Message): Fault | null {
  return message.interval > 0 ? null : { reason: "interval", text: "Advertisement interval is 0" };
}

function source(_: Message, envelope: Envelope, { unicast }: Inspection): Fault | null {
  if (unicast === null || unicast.peers.some((peer) => equalAddresses(peer, envelope.source))) return null;
  return { reason: "source", text: `${formatAddress(envelope.source)} is not among the unicast peers` };
}

/** RFC 9568 §5.2.9 and erratum 8300: at IPv6 the first address is the link-local one. */
function firstAddress(message: Message, envelope: Envelope): Fault | null {
  if (envelope.source.length === 4) return null;
  const [first] = addressesOf(message, 16);
  if (isLinkLocal(first)) return null;
  return { reason: "count", text: `First address is ${formatAddress(first)}, must be link-local` };
}

function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

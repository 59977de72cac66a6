/**
 * The rules by which a router that took addresses over passes on what belongs to the one that gave them away.
 *
 * ```
 * table ip tandem-INSTANCE {
 *   set served { type ipv4_addr . inet_service; elements = { each address . each port } }
 *   set own    { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; elements = { our connections } }
 *   chain moved {
 *     tcp flags & (syn|ack) == syn add @own { ip saddr . tcp sport . ip daddr . tcp dport } accept     a new one is ours
 *     ip saddr . tcp sport . ip daddr . tcp dport @own accept                                       what is ours stays
 *     ether saddr PEER accept             what the peer passes on to us: never back, or it would go to and fro
 *     dup to PEER device DEVICE           all else was begun at the peer
 *     drop
 *   }
 *   chain pre { type filter hook prerouting priority mangle; ip daddr . tcp dport @served jump moved }
 * }
 * ```
 * Only segments for the served ports enter `moved`, so that a fragment or anything else that cannot be told passes by.
 */
import type { Address } from "../bytes/address.ts";
import { Writer } from "../bytes/cursor.ts";
import { Batch, Hook, KeyType } from "../os/nfnetlink.ts";
import {
  addTo,
  Base,
  duplicate,
  equal,
  type Expression,
  immediate,
  jump,
  lookup,
  mask,
  Meta,
  meta,
  payload,
  Verdict,
  verdict,
} from "../os/nfnetlink_expression.ts";
import type { NetlinkSocket } from "../os/netlink_socket.ts";
import type { Connection } from "../os/sock_diag.ts";

/** What begins the name of every table of ours. */
export const tablePrefix = "tandem-";

/** What is passed on, to whom, by which interface. */
export interface Diversion {
  readonly addresses: readonly Address[];
  readonly ports: readonly number[];
  readonly peer: Address;
  readonly peerMac: Uint8Array;
  /** Index of the interface on which the peer is reached. */
  readonly device: number;
  /** How long a connection that began here stays known, in ms: longer than the rules live. */
  readonly remember: number;
}

const served = { name: "served", id: 1 } as const;
const own = { name: "own", id: 2 } as const;
const moved = "moved";

/** Connections that may begin here while the rules live; one that finds no room is passed on and fails. */
const ownSize = 1 << 20;
/** Keys in one message, and messages in one batch: a batch must fit the socket's send buffer, usually 208 KiB. */
const keysPerMessage = 1000;

/** NF_IP_PRI_MANGLE: behind connection tracking, if someone uses it, before address translation. */
const priority = -150;

const tcp = Uint8Array.of(6);
const ethernet = Uint8Array.of(1, 0);
const flagsOffset = 13;
const syn = Uint8Array.of(0x02);
const synAck = Uint8Array.of(0x12);

const isTcp: readonly Expression[] = [meta(1, Meta.transport), equal(1, tcp)];
/** ip saddr . tcp sport . ip daddr . tcp dport, in registers 1, 9, 10, 11: consecutive pieces of 4 bytes. */
const connectionKey: readonly Expression[] = [
  payload(1, Base.network, 12, 4),
  payload(9, Base.transport, 0, 2),
  payload(10, Base.network, 16, 4),
  payload(11, Base.transport, 2, 2),
];

/** The table's name for an instance: what `nft` could not print as a name is replaced. */
export function tableOf(instance: string): string {
  return tablePrefix + instance.replace(/[^\w.-]/g, "_").slice(0, 200);
}

/**
 * Loads the rules and then our own connections; replaces the table where `replaces` says that it is there.
 *
 * @throws {OsError} when the kernel lacks a part, EPERM without CAP_NET_ADMIN; nothing is left then.
 */
export function loadRules(
  socket: NetlinkSocket,
  table: string,
  diversion: Diversion,
  options: {
    readonly owner: "owner" | "shared";
    readonly connections: readonly Connection[];
    readonly replaces: boolean;
  },
): void {
  const action = `Cannot load forwarding rules "${table}"`;
  const batch = new Batch(socket);
  if (options.replaces) batch.deleteTable(table);
  describe(batch, table, diversion, options.owner).commit(action);
  try {
    for (const connections of piecesOf(options.connections)) {
      new Batch(socket).newElements(table, own.name, connections.map(encodeConnectionKey)).commit(action);
    }
  } catch (cause) {
    new Batch(socket).deleteTable(table).commit(`Cannot remove forwarding rules "${table}"`);
    throw cause;
  }
}

/** The whole table but our connections, in one batch. */
export function describe(batch: Batch, table: string, diversion: Diversion, owner: "owner" | "shared"): Batch {
  batch.newTable(table, owner)
    .newChain(table, moved)
    .newBaseChain(table, "pre", Hook.prerouting, priority)
    .newSet(table, served.name, { key: [KeyType.ipv4Address, KeyType.port], keyLength: 8, id: served.id });
  for (const keys of piecesOf(servedKeys(diversion))) batch.newElements(table, served.name, keys);
  batch.newSet(table, own.name, {
    key: [KeyType.ipv4Address, KeyType.port, KeyType.ipv4Address, KeyType.port],
    keyLength: 16,
    id: own.id,
    dynamic: { timeout: diversion.remember, size: ownSize },
  });
  for (const rule of movedRules(diversion)) batch.newRule(table, moved, rule);
  return batch.newRule(table, "pre", [
    ...isTcp,
    payload(1, Base.network, 16, 4),
    payload(9, Base.transport, 2, 2),
    lookup(1, served.name, served.id),
    jump(moved),
  ]);
}

function movedRules(diversion: Diversion): readonly (readonly Expression[])[] {
  const device = new Uint8Array(Uint32Array.of(diversion.device).buffer);
  return [
    [
      ...isTcp,
      payload(1, Base.transport, flagsOffset, 1),
      mask(1, synAck),
      equal(1, syn),
      ...connectionKey,
      addTo(1, own.name, own.id),
      verdict(Verdict.accept),
    ],
    [...isTcp, ...connectionKey, lookup(1, own.name, own.id), verdict(Verdict.accept)],
    [
      meta(1, Meta.inputType),
      equal(1, ethernet),
      payload(1, Base.link, 6, 6),
      equal(1, diversion.peerMac),
      verdict(Verdict.accept),
    ],
    [immediate(1, diversion.peer), immediate(2, device), duplicate(1, 2)],
    [verdict(Verdict.drop)],
  ];
}

/** Of which each fits one message. */
function* piecesOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += keysPerMessage) yield all.slice(at, at + keysPerMessage);
}

function servedKeys({ addresses, ports }: Diversion): Uint8Array[] {
  return addresses.flatMap((address) =>
    ports.map((port) => new Writer(new Uint8Array(8)).put(address).u16(port).bytes)
  );
}

/** Each part is padded to 4 bytes, as it lies in the registers. */
function encodeConnectionKey({ remote, remotePort, local, localPort }: Connection): Uint8Array {
  return new Writer(new Uint8Array(16)).put(remote).u16(remotePort).skip(2).put(local).u16(localPort).bytes;
}

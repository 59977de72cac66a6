/**
 * nf_tables by netlink: batches of tables, sets, chains and rules, without the `nft` program.
 *
 * A batch is one datagram between a begin and an end message; the kernel applies all of it or nothing.
 */
import { decodeAttributes, decodeText, MessageFlag, type MessageWriter } from "./netlink.ts";
import { NetlinkSocket, Protocol } from "./netlink_socket.ts";
import type { Expression } from "./nfnetlink_expression.ts";

const batchBegin = 0x10;
const batchEnd = 0x11;
const subsystem = 10; // NFNL_SUBSYS_NFTABLES
const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;

const TableMessage = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newSet: 9,
  newElements: 12,
} as const;

/** A rule goes to the end of its chain (NLM_F_APPEND). */
const append = 0x800;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFT_TABLE_F_OWNER = 0x2;

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NF_ACCEPT = 1;

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_TIMEOUT = 11;
const NFTA_SET_DESC_SIZE = 1;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;

/** Types of set keys, as `nft` numbers and shows them; a concatenation has six bits for each part. */
export const KeyType = { ipv4Address: 7, port: 13 } as const;

/** Where a base chain sits in the path of a packet, for the family ip. */
export const Hook = { prerouting: 0 } as const;

/** A set of keys. With `timeout` (in ms) rules may add to it, and what they add goes after that time. */
export interface SetOptions {
  /** Types of the key's parts, each padded to 4 bytes. */
  readonly key: readonly number[];
  /** In bytes. */
  readonly keyLength: number;
  readonly id: number;
  readonly dynamic?: { readonly timeout: number; readonly size: number };
}

/** One transaction on tables of the family ip; `commit` on the socket sends it. */
export class Batch {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#header(socket.begin(batchBegin, 0), NFPROTO_UNSPEC, subsystem).end();
  }

  /** `owner` tables go by themselves with the socket that made them, and nobody else may change them. */
  newTable(name: string, owner: "owner" | "shared"): this {
    this.#begin(TableMessage.newTable, MessageFlag.create | MessageFlag.ack)
      .attributeText(NFTA_TABLE_NAME, name)
      .attributeBe32(NFTA_TABLE_FLAGS, owner === "owner" ? NFT_TABLE_F_OWNER : 0).end();
    return this;
  }

  /** With all that is in it. */
  deleteTable(name: string): this {
    this.#begin(TableMessage.deleteTable, MessageFlag.ack).attributeText(NFTA_TABLE_NAME, name).end();
    return this;
  }

  /** A chain that only jumps lead to. */
  newChain(table: string, name: string): this {
    this.#begin(TableMessage.newChain, MessageFlag.create)
      .attributeText(NFTA_CHAIN_TABLE, table).attributeText(NFTA_CHAIN_NAME, name).end();
    return this;
  }

  /** A chain that every packet passes at `hook`; what no rule decides is accepted. */
  newBaseChain(table: string, name: string, hook: number, priority: number): this {
    this.#begin(TableMessage.newChain, MessageFlag.create)
      .attributeText(NFTA_CHAIN_TABLE, table).attributeText(NFTA_CHAIN_NAME, name)
      .attributeText(NFTA_CHAIN_TYPE, "filter").attributeBe32(NFTA_CHAIN_POLICY, NF_ACCEPT)
      .open(NFTA_CHAIN_HOOK).attributeBe32(NFTA_HOOK_HOOKNUM, hook).attributeBe32(NFTA_HOOK_PRIORITY, priority).close()
      .end();
    return this;
  }

  newSet(table: string, name: string, options: SetOptions): this {
    const { dynamic } = options;
    const type = options.key.reduce((type, part) => type << 6 | part, 0);
    const writer = this.#begin(TableMessage.newSet, MessageFlag.create)
      .attributeText(NFTA_SET_TABLE, table).attributeText(NFTA_SET_NAME, name)
      .attributeBe32(NFTA_SET_FLAGS, dynamic === undefined ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL)
      .attributeBe32(NFTA_SET_KEY_TYPE, type).attributeBe32(NFTA_SET_KEY_LEN, options.keyLength)
      .attributeBe32(NFTA_SET_ID, options.id);
    if (dynamic !== undefined) {
      writer.open(NFTA_SET_DESC).attributeBe32(NFTA_SET_DESC_SIZE, dynamic.size).close()
        .attributeBe64(NFTA_SET_TIMEOUT, dynamic.timeout);
    }
    writer.end();
    return this;
  }

  /** At most 2000 keys in one message: a nested attribute holds 64 KiB. */
  newElements(table: string, set: string, keys: readonly Uint8Array[]): this {
    const writer = this.#begin(TableMessage.newElements, MessageFlag.create | MessageFlag.ack)
      .attributeText(NFTA_SET_ELEM_LIST_TABLE, table).attributeText(NFTA_SET_ELEM_LIST_SET, set)
      .open(NFTA_SET_ELEM_LIST_ELEMENTS);
    for (const key of keys) {
      writer.open(NFTA_LIST_ELEM).open(NFTA_SET_ELEM_KEY).attribute(NFTA_DATA_VALUE, key).close().close();
    }
    writer.close().end();
    return this;
  }

  newRule(table: string, chain: string, expressions: readonly Expression[]): this {
    const writer = this.#begin(TableMessage.newRule, MessageFlag.create | append)
      .attributeText(NFTA_RULE_TABLE, table).attributeText(NFTA_RULE_CHAIN, chain).open(NFTA_RULE_EXPRESSIONS);
    for (const expression of expressions) expression(writer);
    writer.close().end();
    return this;
  }

  /** @throws {OsError} with `action`; nothing of the batch was done then. */
  commit(action: string): void {
    this.#header(this.#socket.begin(batchEnd, 0), NFPROTO_UNSPEC, subsystem).end();
    this.#socket.request(action);
  }

  #begin(type: number, flags: number): MessageWriter {
    return this.#header(this.#socket.begin(subsystem << 8 | type, flags), NFPROTO_IPV4, 0);
  }

  /** `struct nfgenmsg`: family, version 0, resource in network order. */
  #header(writer: MessageWriter, family: number, resource: number): MessageWriter {
    return writer.u8(family).u8(0).u8(resource >> 8).u8(resource & 0xff);
  }
}

/** @throws {OsError} EPROTONOSUPPORT where the kernel has no netfilter netlink. */
export function openNetfilter(): NetlinkSocket {
  return new NetlinkSocket(Protocol.netfilter);
}

/** Names of the tables of the family ip. @throws {OsError} EPERM without CAP_NET_ADMIN. */
export function listTables(socket: NetlinkSocket): string[] {
  const names: string[] = [];
  socket.begin(subsystem << 8 | TableMessage.getTable, MessageFlag.dump).u8(NFPROTO_IPV4).u8(0).u16(0).end();
  socket.dump("Cannot list nf_tables tables", (message) => {
    const name = decodeText(decodeAttributes(message.body, 4).get(NFTA_TABLE_NAME));
    if (name !== undefined) names.push(name);
  });
  return names;
}

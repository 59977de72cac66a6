/**
 * Expressions of nf_tables rules: each loads registers from the packet, compares them, or acts.
 *
 * Register 0 holds the verdict, 1–4 are 16 bytes each; 8–23 name the same memory in pieces of 4 bytes, so that
 * register 9 is the second quarter of register 1. A concatenated key lies in consecutive pieces.
 */
import type { MessageWriter } from "./netlink.ts";

/** Writes itself into the rule that the writer is in. */
export type Expression = (writer: MessageWriter) => void;

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

const verdictRegister = 0;
const NFT_JUMP = -3;

/** What a rule may end with. */
export const Verdict = { drop: 0, accept: 1 } as const;

/** Of `meta`: the type of the interface that the packet came in on (1 = Ethernet), its transport protocol. */
export const Meta = { inputType: 8, transport: 16 } as const;

/** Where `payload` counts its offset from. */
export const Base = { link: 0, network: 1, transport: 2 } as const;

export function meta(register: number, key: number): Expression {
  return expression("meta", (writer) => writer.attributeBe32(2, key).attributeBe32(1, register));
}

/** Loads `length` bytes of the packet. A packet that has none there ends the rule: it does not match. */
export function payload(register: number, base: number, offset: number, length: number): Expression {
  return expression("payload", (writer) => {
    writer.attributeBe32(1, register).attributeBe32(2, base).attributeBe32(3, offset).attributeBe32(4, length);
  });
}

/** The rule goes on if the register begins with `value`. */
export function equal(register: number, value: Uint8Array): Expression {
  return expression("cmp", (writer) => {
    writer.attributeBe32(1, register).attributeBe32(2, 0);
    writer.open(3).attribute(NFTA_DATA_VALUE, value).close();
  });
}

/** register &= mask. */
export function mask(register: number, value: Uint8Array): Expression {
  return expression("bitwise", (writer) => {
    writer.attributeBe32(1, register).attributeBe32(2, register).attributeBe32(6, 0).attributeBe32(3, value.length);
    writer.open(4).attribute(NFTA_DATA_VALUE, value).close();
    writer.open(5).attribute(NFTA_DATA_VALUE, new Uint8Array(value.length)).close();
  });
}

/** The rule goes on if the set has the key that begins in the register. `id` is the set's in this batch. */
export function lookup(register: number, set: string, id: number): Expression {
  return expression("lookup", (writer) => {
    writer.attributeBe32(2, register).attributeText(1, set).attributeBe32(4, id);
  });
}

/** Adds the key that begins in the register to the set; the rule ends here if the set is full. */
export function addTo(register: number, set: string, id: number): Expression {
  return expression("dynset", (writer) => {
    writer.attributeBe32(4, register).attributeBe32(3, 0).attributeText(1, set).attributeBe32(2, id);
  });
}

/** Loads a constant. */
export function immediate(register: number, value: Uint8Array): Expression {
  return expression("immediate", (writer) => {
    writer.attributeBe32(1, register).open(2).attribute(NFTA_DATA_VALUE, value).close();
  });
}

export function verdict(code: typeof Verdict[keyof typeof Verdict]): Expression {
  return expression("immediate", (writer) => {
    writer.attributeBe32(1, verdictRegister);
    writer.open(2).open(NFTA_DATA_VERDICT).attributeBe32(NFTA_VERDICT_CODE, code).close().close();
  });
}

export function jump(chain: string): Expression {
  return expression("immediate", (writer) => {
    writer.attributeBe32(1, verdictRegister).open(2).open(NFTA_DATA_VERDICT);
    writer.attributeBe32(NFTA_VERDICT_CODE, NFT_JUMP).attributeText(NFTA_VERDICT_CHAIN, chain).close().close();
  });
}

/** Sends a copy of the packet to the router whose address is in one register, by the interface whose index is in the other. */
export function duplicate(addressRegister: number, deviceRegister: number): Expression {
  return expression("dup", (writer) => {
    writer.attributeBe32(1, addressRegister).attributeBe32(2, deviceRegister);
  });
}

function expression(name: string, attributes: (writer: MessageWriter) => void): Expression {
  return (writer) => {
    writer.open(NFTA_LIST_ELEM).attributeText(NFTA_EXPR_NAME, name).open(NFTA_EXPR_DATA);
    attributes(writer);
    writer.close().close();
  };
}

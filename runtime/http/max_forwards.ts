/**
 * Max-Forwards (RFC 9110 §7.6.2): how many more intermediaries an OPTIONS request may pass. TRACE, the other method that
 * has it, is switched off.
 */
import { bytesOf } from "./bytes.ts";
import type { RequestHead } from "./request_head.ts";
import type { RequestRewrite } from "./write_request.ts";

const NAME = bytesOf("max-forwards");
/** 1*DIGIT; more of them are more hops than there are. */
const COUNT = /^\d{1,9}$/;

/** The number in the field; −1 where there is none, or what is there is no number. */
export function maxForwards(head: RequestHead): number {
  const field = head.find(NAME);
  if (field < 0) return -1;
  const text = head.text(field);
  return COUNT.test(text) ? Number(text) : -1;
}

/** `rewrite`, with one hop less where an OPTIONS request counts them. */
export function oneHopLess(head: RequestHead, rewrite: RequestRewrite): RequestRewrite {
  const left = maxForwards(head);
  if (left <= 0) return rewrite;
  const { drop = [], append = new Uint8Array(0) } = rewrite.edits ?? {};
  const line = bytesOf(`Max-Forwards: ${left - 1}\r\n`);
  const lines = new Uint8Array(append.length + line.length);
  lines.set(append);
  lines.set(line, append.length);
  return { ...rewrite, edits: { drop: [...drop, NAME], append: lines } };
}

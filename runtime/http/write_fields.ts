/** Copying the fields that pass, in their order, in runs as long as possible. */

import { bytesOf, copy } from "./bytes.ts";
import { dropsField, type FieldEdits } from "./field_edits.ts";
import * as field from "./field_name.ts";
import { FLAGS, type Head, ID, LINE, LINE_END, NAME_END, STRIDE, VALUE_END } from "./head.ts";
import { CR, LF } from "./octet.ts";

/** A writer's answer when the message might not fit; nothing useful was written. */
export const DOES_NOT_FIT = -1;

/** Bits for the Connection field we write. */
export const SAY_CLOSE = 1;
export const SAY_KEEP_ALIVE = 2;
export const SAY_UPGRADE = 4;
export const SAY_TE = 8;

export const CRLF = bytesOf("\r\n");
export const TRANSFER_CHUNKED = bytesOf("Transfer-Encoding: chunked\r\n");

/** The Connection line by bits. */
export const CONNECTION_LINES: readonly Uint8Array[] = Array.from({ length: 16 }, (_, bits) => {
  const tokens = [];
  if ((bits & SAY_CLOSE) !== 0) tokens.push("close");
  if ((bits & SAY_KEEP_ALIVE) !== 0) tokens.push("keep-alive");
  if ((bits & SAY_UPGRADE) !== 0) tokens.push("Upgrade");
  if ((bits & SAY_TE) !== 0) tokens.push("TE");
  return bytesOf(tokens.length === 0 ? "" : `Connection: ${tokens.join(", ")}\r\n`);
});

/** Room for every line a writer adds of its own, the longest Connection line and version included. */
export const OWN_LINES = 256;

/** Whether a field goes no further, whichever way: it was meant for us alone (RFC 9110 §7.6.1), or the route takes it away. */
export function staysHere(head: Head, index: number, edits: FieldEdits | null): boolean {
  const { table } = head;
  const entry = index * STRIDE;
  if (table[entry + FLAGS] !== 0) return true;
  if (edits !== null) {
    const { bytes, start } = head;
    if (dropsField(edits, bytes, start + table[entry + LINE], start + table[entry + NAME_END])) return true;
  }
  switch (table[entry + ID]) {
    case field.CONNECTION:
    case field.KEEP_ALIVE:
    case field.PROXY_CONNECTION:
    case field.TE:
    case field.TRANSFER_ENCODING:
    case field.HTTP2_SETTINGS:
    case field.SHADOW:
      return true;
  }
  return false;
}

/** Copies lines `[from, to)` of the head to `out` at `at`; returns the offset behind them. */
export function copyLines(out: Uint8Array, at: number, head: Head, from: number, to: number): number {
  if (from === to) return at;
  const { table, bytes, start } = head;
  if (!head.bareLf) {
    return copy(out, at, bytes, start + table[from * STRIDE + LINE], start + table[(to - 1) * STRIDE + LINE_END]);
  }
  for (let i = from; i < to; i++) {
    at = copy(out, at, bytes, start + table[i * STRIDE + LINE], start + table[i * STRIDE + VALUE_END]);
    out[at++] = CR;
    out[at++] = LF;
  }
  return at;
}

/** Copies a constant. */
export function put(out: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) out[at++] = bytes[i];
  return at;
}

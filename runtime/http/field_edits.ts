/** Configured changes to fields (`request_headers`, `response_headers`), compiled once into bytes. */

import { bytesOf } from "./bytes.ts";
import { CONNECTION, CONTENT_LENGTH, HTTP2_SETTINGS, KEEP_ALIVE, PROXY_CONNECTION, recognise } from "./field_name.ts";
import { TE, TRAILER, TRANSFER_ENCODING, UPGRADE } from "./field_name.ts";
import { lowerCase, OCTET, TOKEN, VALUE } from "./octet.ts";

/** What an operator writes; names in any case. */
export interface FieldChanges {
  /** Instead of whatever the sender put there. */
  readonly set?: Readonly<Record<string, string>>;
  /** Beside what the sender put there. */
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

/** Compiled changes. */
export interface FieldEdits {
  /** Lower-case names of fields that do not pass; a hyphen also stands for an underscore. */
  readonly drop: readonly Uint8Array[];
  /** Whole field lines to append. */
  readonly append: Uint8Array;
}

/**
 * Compiles changes; `null` if there are none.
 *
 * @throws {RangeError} if a name is no token, is about framing or the connection, or a value has a control character
 */
export function compileEdits(changes: FieldChanges): FieldEdits | null {
  const set = Object.entries(changes.set ?? {});
  const add = Object.entries(changes.add ?? {});
  const drop = [...set.map(([name]) => name), ...(changes.remove ?? [])].map(editableName);
  const lines = [...set, ...add].map(([name, value]) => fieldLine(name, value)).join("");
  return drop.length === 0 && lines === "" ? null : { drop, append: bytesOf(lines) };
}

/** Whether one of the edits drops the field named `bytes[start, end)`. */
export function dropsField(edits: FieldEdits, bytes: Uint8Array, start: number, end: number): boolean {
  const { drop } = edits;
  for (let d = 0; d < drop.length; d++) {
    const name = drop[d];
    if (name.length !== end - start) continue;
    let i = 0;
    while (i < name.length && same(bytes[start + i], name[i])) i++;
    if (i === name.length) return true;
  }
  return false;
}

/** Origins in the manner of CGI cannot tell `x-user` from `x_user`; so neither may pass where one must not. */
function same(octet: number, lower: number): boolean {
  return lowerCase(octet) === lower || (octet === 0x5f && lower === 0x2d);
}

function editableName(name: string): Uint8Array {
  const bytes = bytesOf(name.toLowerCase());
  if (bytes.length === 0 || bytes.some((octet) => (OCTET[octet] & TOKEN) === 0)) {
    throw new RangeError(`Cannot edit field "${name}": its name is not a token`);
  }
  switch (recognise(bytes, 0, bytes.length)) {
    case CONNECTION:
    case CONTENT_LENGTH:
    case HTTP2_SETTINGS:
    case KEEP_ALIVE:
    case PROXY_CONNECTION:
    case TE:
    case TRAILER:
    case TRANSFER_ENCODING:
    case UPGRADE:
      throw new RangeError(`Cannot edit field "${name}": framing and connection are decided by the proxy`);
  }
  return bytes;
}

function fieldLine(name: string, value: string): string {
  editableName(name);
  const bytes = bytesOf(value);
  if (bytes.some((octet) => (OCTET[octet] & VALUE) === 0)) {
    throw new RangeError(`Cannot set field "${name}": its value has a control character`);
  }
  return `${name}: ${value.trim()}\r\n`;
}

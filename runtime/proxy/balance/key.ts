/** What a request is balanced by, where the plan names a key: a hash over bytes of its head, no string made. */
import type { Plan } from "../../../plugins/contract.ts";
import { bytesOf, fieldName, type RequestHead } from "../../http/mod.ts";
import { cookieValue } from "./cookie_value.ts";
import { murmur3 } from "./hash.ts";

/** Who sent the request. */
export interface KeyedClient {
  /** Its address as text, as the request tells it or the connection. */
  ipOf(head: RequestHead | null): Uint8Array;
}

/** Hash of the key, null where the request has none of it. `head` is null in `mode: tcp`. */
export type KeyReader = (head: RequestHead | null, client: KeyedClient) => number | null;

/** Compiles where the key is found. */
export function keyReader({ from, name = "" }: NonNullable<Plan["key"]>): KeyReader {
  const bytes = bytesOf(name);
  switch (from) {
    case "client_ip":
      return (head, client) => murmur3(client.ipOf(head));
    case "path":
      return (head) =>
        head === null ? null : murmur3(head.bytes, 0, head.start + head.pathStart, head.start + head.pathEnd);
    case "header": {
      const lower = bytesOf(name.toLowerCase());
      return (head) => head === null ? null : fieldKey(head, head.find(lower));
    }
    case "cookie":
      return (head) => head === null ? null : cookieKey(head, bytes);
    case "query":
      return (head) => head === null ? null : queryKey(head, bytes);
  }
}

function fieldKey(head: RequestHead, field: number): number | null {
  if (field < 0 || head.valueStart(field) === head.valueEnd(field)) return null;
  return murmur3(head.bytes, 0, head.valueStart(field), head.valueEnd(field));
}

function cookieKey(head: RequestHead, name: Uint8Array): number | null {
  const { COOKIE } = fieldName;
  for (let field = head.findId(COOKIE); field >= 0; field = head.findId(COOKIE, field + 1)) {
    const value = cookieValue(head.bytes, head.valueStart(field), head.valueEnd(field), name);
    if (value !== null) return murmur3(head.bytes, 0, value.start, value.end);
  }
  return null;
}

/** The first parameter of that name, as sent: `%61` is not `a`, which only costs a hit in somebody's cache. */
function queryKey({ bytes, start, pathEnd, targetEnd }: RequestHead, name: Uint8Array): number | null {
  const end = start + targetEnd;
  for (let at = start + pathEnd + 1; at < end;) {
    let stop = at;
    while (stop < end && bytes[stop] !== AMPERSAND) stop++;
    let i = 0;
    while (i < name.length && at + i < stop && bytes[at + i] === name[i]) i++;
    if (i === name.length && at + i < stop && bytes[at + i] === EQUALS) return murmur3(bytes, 0, at + i + 1, stop);
    at = stop + 1;
  }
  return null;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;

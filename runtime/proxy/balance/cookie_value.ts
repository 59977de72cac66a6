/** One cookie in the value of a Cookie field (RFC 6265 §4.2.1), found without making strings. */

/** Where a cookie is: `[from, to)` is the whole pair with the separator behind it, `[start, end)` its value, unquoted. */
export interface CookiePlace {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;

/** The first cookie called `name` (case matters) in the field value `bytes[start, end)`, or null. */
export function cookieValue(bytes: Uint8Array, start: number, end: number, name: Uint8Array): CookiePlace | null {
  for (let at = start; at < end;) {
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    let stop = at;
    while (stop < end && bytes[stop] !== SEMICOLON) stop++;
    let to = stop === end ? end : stop + 1;
    if (isNamed(bytes, at, stop, name)) {
      while (to < end && (bytes[to] === SPACE || bytes[to] === TAB)) to++;
      return { from: at, to, ...unquoted(bytes, at + name.length + 1, stop) };
    }
    at = to;
  }
  return null;
}

function isNamed(bytes: Uint8Array, at: number, stop: number, name: Uint8Array): boolean {
  if (stop - at <= name.length || bytes[at + name.length] !== EQUALS) return false;
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
  return true;
}

function unquoted(bytes: Uint8Array, start: number, end: number): { start: number; end: number } {
  while (end > start && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
  if (end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE) return { start: start + 1, end: end - 1 };
  return { start, end };
}

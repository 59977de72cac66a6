/** Which octets may stand where (RFC 9110 §5.6.2, §5.5, RFC 3986 §3.2.2), as one table of bits. */

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COMMA = 44;
export const COLON = 58;

/** tchar: methods and field names. */
export const TOKEN = 1;
/** Request target as we pass it on: printable ASCII without space and "#". Nothing is decoded, so nothing else matters. */
export const TARGET = 2;
/** Field value and reason phrase: HTAB, SP, VCHAR and obs-text. */
export const VALUE = 4;
/** Registered name or IPv4 address in Host; "%" is checked apart. A comma would be two hosts to some, so it is not here. */
export const HOST = 8;
export const DIGIT = 16;
export const HEX = 32;

/** Bits by octet. */
export const OCTET: Uint8Array = table();

function table(): Uint8Array {
  const bits = new Uint8Array(256);
  for (let c = 0x21; c < 0x7f; c++) if (c !== 0x23) bits[c] |= TARGET;
  for (let c = 0x20; c < 0x100; c++) if (c !== 0x7f) bits[c] |= VALUE;
  bits[HTAB] |= VALUE;
  const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  mark(bits, TOKEN, alphanumeric + "!#$%&'*+-.^_`|~");
  mark(bits, HOST, alphanumeric + "-._~!$&'()*+;=");
  mark(bits, DIGIT, "0123456789");
  mark(bits, HEX, "0123456789abcdefABCDEF");
  return bits;
}

function mark(bits: Uint8Array, bit: number, characters: string): void {
  for (let i = 0; i < characters.length; i++) bits[characters.charCodeAt(i)] |= bit;
}

/** Value of a hexadecimal digit, −1 for any other octet. */
export function hexValue(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** `A`–`Z` as `a`–`z`, all else as it is. */
export function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}

/**
 * Paths as rules compare them. What goes to the origin is the target byte for byte; what a rule is matched against is its
 * normal form (RFC 3986 §6.2.2): unreserved octets decoded, hexadecimal digits in upper case, dot segments resolved,
 * and, as every origin of today does, repeated slashes made one.
 *
 *     /%61dmin  //admin  /./admin  /a/../admin   →   /admin
 *
 * Some paths mean different things to different origins: Tomcat takes ";x" off a segment before it resolves ".."; IIS
 * takes "\" for "/"; some decode "%2F" first, some merge slashes first. Their other readings are listed here too. No
 * reading is safe by itself: one that is too narrow passes by a rule that denies, one that is too wide enters by a rule
 * that allows. So whoever has rules compares them all, and refuses a request on which they do not agree. Not among them:
 * origins that decode twice, or take "/Admin" or "/admin/" for "/admin"; such an origin's paths are named one by one.
 */
import { hexValue } from "./octet.ts";

/** Longest path with octets that are read differently: its readings cost time, and no honest client needs more. */
export const LONGEST_AMBIGUOUS = 4096;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/** Octets that stand for themselves in a normal path; 2 for those that origins read differently. */
const PLAIN = 1;
const UNRESERVED = 4;
const CLASS: Uint8Array = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (const character of alphanumeric + "-._~") table[character.charCodeAt(0)] = PLAIN | UNRESERVED;
  for (const character of "!$&'()*+,=:@") table[character.charCodeAt(0)] = PLAIN;
  return table;
}

/** Whether the path `bytes[start, end)` is its own normal form and reads alike everywhere; most are and do. */
export function isPlainPath(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || bytes[start] !== SLASH) return false;
  for (let p = start; p < end; p++) {
    const octet = bytes[p];
    if ((CLASS[octet] & PLAIN) !== 0) continue;
    if (octet !== SLASH) return false;
    const next = p + 1 < end ? bytes[p + 1] : 0;
    // Any segment that begins with a dot goes the long way, so that only it needs to know "." from ".well-known".
    if (next === SLASH || next === DOT) return false;
  }
  return true;
}

/** The normal form of a path, as Latin-1 text of one character an octet; "/" for the empty one, which "OPTIONS *" has too. */
export function normalPath(path: string): string {
  return finish(normalEscapes(path));
}

/**
 * Every reading of a path, the normal form first; null where there is none to trust: NUL, which ends a string for some,
 * or too long a path of this kind.
 */
export function readings(path: string): readonly string[] | null {
  const escaped = normalEscapes(path);
  if (escaped.includes("%00")) return null;
  const decoded = decodeDelimiters(escaped);
  const found = new Set([finish(escaped)]);
  if (decoded === escaped && !/%2F|%5C|;|\/\//.test(escaped)) return [...found];
  if (path.length > LONGEST_AMBIGUOUS) return null;
  // Each origin does some of these, in this order; parameters are taken off before or after slashes are decoded.
  let variants = new Set([decoded]);
  for (const step of [dropParameters, decodeSlashes, decodeBackslashes, dropParameters, mergeSlashes]) {
    variants = new Set([...variants, ...[...variants].map(step)]);
  }
  for (const variant of variants) found.add(finish(variant));
  return [...found];
}

/** Percent-encoding as RFC 3986 §6.2.2 wants it: unreserved octets decoded, all that may not stand in a path encoded. */
export function normalEscapes(path: string): string {
  let normal = "";
  for (let i = 0; i < path.length; i++) {
    const octet = path.charCodeAt(i);
    if (octet === PERCENT) {
      const value = escapedOctet(path, i);
      if (value < 0) normal += "%25";
      else {
        normal += (CLASS[value] & UNRESERVED) !== 0 ? String.fromCharCode(value) : escape(value);
        i += 2;
      }
    } else if (octet === SLASH || octet === 0x3b || (CLASS[octet] & PLAIN) !== 0) normal += path[i];
    else normal += escape(octet);
  }
  return normal;
}

/** The octet that "%XX" at `at` stands for, −1 if there is no such thing. */
function escapedOctet(path: string, at: number): number {
  if (at + 2 >= path.length) return -1;
  const high = hexValue(path.charCodeAt(at + 1));
  const low = hexValue(path.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** "%XX" of an octet. */
export function escape(octet: number): string {
  return "%" + octet.toString(16).toUpperCase().padStart(2, "0");
}

/** RFC 3986 §5.2.4, then one slash for many. */
function finish(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/");
  const last = segments.length - 1;
  for (let i = segments[0] === "" ? 1 : 0; i <= last; i++) {
    const segment = segments[i];
    if (segment === "." || segment === "..") {
      if (segment === "..") kept.pop();
      if (i === last) kept.push("");
    } else kept.push(segment);
  }
  return mergeSlashes("/" + kept.join("/"));
}

/** "%40" and its like, that nearly every origin decodes: "@". */
function decodeDelimiters(path: string): string {
  return path.replace(/%(2[146-9A-C]|3[ABD]|40)/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}

function dropParameters(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

function decodeSlashes(path: string): string {
  return path.replaceAll("%2F", "/");
}

function decodeBackslashes(path: string): string {
  return path.replaceAll("%5C", "/");
}

function mergeSlashes(path: string): string {
  return path.includes("//") ? path.replace(/\/{2,}/g, "/") : path;
}

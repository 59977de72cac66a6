/** The texts of a configuration that mean more than text: durations, addresses, endpoints. Each says what is wrong with one. */
import { isIP, isIPv4 } from "node:net";

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

function wrong(reason: string): Parsed<never> {
  return { ok: false, reason };
}

const millisecondsOf: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Ten years: nobody waits longer, and every time until then is a date. */
const longestDuration = 3650 * millisecondsOf.d;

/** "1s", "100ms", "1.5s", "1h30m" to whole milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  const parts = [...text.matchAll(/(\d+)(?:\.(\d{1,6}))?(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    if (/^\d+(\.\d+)?$/.test(text)) {
      return wrong(
        `needs a unit: keepalived would read ${text} s, HAProxy ${text} ms; write "${text}s" or "${text}ms"`,
      );
    }
    if (/^\d+(:\d+)+$/.test(text)) return wrong(`must be a duration such as "1m30s", got "${text}"`);
    return wrong(`must be a duration such as "1s", "100ms" or "1m30s", got "${text}"`);
  }
  // Scaled to integers: 0.1 s is 100 ms, not 100.00000000000001.
  const micro = parts.reduce(
    (sum, [, whole, fraction = "", unit]) =>
      sum + (Number(whole) * 1e6 + Number(fraction.padEnd(6, "0"))) * millisecondsOf[unit],
    0,
  );
  if (micro / 1e6 > longestDuration) return wrong(`must be at most 3650d, which is ten years, got "${text}"`);
  if (micro % 1e6 !== 0) return wrong(`must be whole milliseconds, got "${text}"`);
  return parsed(micro / 1e6);
}

/** 40950 → "40.95s", 1500 → "1.5s", 90000 → "1m30s", for messages. */
export function printDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${ms / 1000}s`;
  const parts = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"]] as const;
  let rest = ms;
  let text = "";
  for (const [size, unit] of parts) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return rest > 0 ? `${text}${rest / 1000}s` : text;
}

const bytesOf: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** "64MB", "512KiB", "0B" to bytes. */
export function parseSize(text: string): Parsed<number> {
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  const size = bytesOf[unit === "KB" ? "kB" : unit];
  if (size === undefined) {
    if (/^\d+$/.test(text)) return wrong(`needs a unit: write "${text}B", "${text}kB" or "${text}MB"`);
    return wrong(`must be a size such as "512kB" or "64MB", got "${text}"`);
  }
  return parsed(Math.round(Number(count) * size));
}

/** A literal address, in the one spelling that compares. */
export function parseAddress(text: string): Parsed<string> {
  if (isIP(text) === 0) return wrong(`must be an IP address, got "${text}"`);
  return parsed(canonical(text));
}

export interface Prefix {
  readonly address: string;
  readonly length: number;
}

/** "192.0.2.1/24", or "192.0.2.1" = the whole address. */
export function parsePrefix(text: string): Parsed<Prefix> {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family === 0) return wrong(`must be ADDRESS/PREFIX, got "${text}"`);
  const bits = family === 4 ? 32 : 128;
  if (slash < 0) return parsed({ address: canonical(address), length: bits });
  const digits = text.slice(slash + 1);
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > bits) return wrong(`must have a prefix of 0–${bits}, got "/${digits}"`);
  return parsed({ address: canonical(address), length });
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** "192.0.2.1:80", "[2001:db8::1]:80", "name:80", ":80" and "*:80" (host "" = every address). */
export function parseEndpoint(text: string): Parsed<Endpoint> {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d*)$/.exec(text) ?? [];
  if (digits === undefined) {
    if (isIP(text) === 6) return wrong(`must be "[IPv6]:PORT", got "${text}"`);
    if (/^\d+$/.test(text)) return wrong(`must be ADDRESS:PORT: write ":${text}" for every address`);
    if (isIP(text) === 4 || /^[\w.-]+$/.test(text)) return wrong(`must have a port ("${text}:80"), got "${text}"`);
    return wrong(`must be ADDRESS:PORT, got "${text}"`);
  }
  if (bracketed !== undefined && isIP(bracketed) !== 6) {
    return wrong(`must have an IPv6 address in brackets, got "${text}"`);
  }
  const port = Number(digits);
  if (digits === "" || port < 1 || port > 65535) {
    return wrong(`must have a port of 1–65535, got ${digits === "" ? "none" : digits}`);
  }
  const host = bracketed ?? plain;
  return parsed({ host: host === "*" ? "" : isIP(host) === 0 ? host : canonical(host), port });
}

/** First and last address of the IPv4 network of a prefix. */
export function network4({ address, length }: Prefix): { readonly first: number; readonly last: number } {
  const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  const first = (number4(address) & mask) >>> 0;
  return { first, last: (first | ~mask) >>> 0 };
}

export function number4(address: string): number {
  return address.split(".").reduce((number, octet) => number * 256 + Number(octet), 0);
}

/** Why an IPv4 address cannot belong to one machine, or null. */
export function unusable(address: string): string | null {
  const number = number4(address);
  if (number === 0xffffffff) return "is the broadcast address";
  if (number >>> 24 === 0) return "is not the address of a machine";
  if (number >>> 24 === 127) return "is a loopback address";
  if (number >>> 28 === 0xe) return "is a multicast address";
  return null;
}

function canonical(address: string): string {
  // The URL parser writes IPv6 as RFC 5952 wants it; a zone is kept as it is.
  if (isIPv4(address) || address.includes("%")) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

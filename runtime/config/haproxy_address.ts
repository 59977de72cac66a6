/** Addresses with ports as HAProxy writes them (configuration manual, `bind` and `server`). */
import { isIP } from "node:net";

/** A family before the address; the others are no addresses of TCP. */
const FAMILY = /^(?:stream\+)?(ip|ipv4|ipv6|inet|inet4|inet6|tcp|tcp4|tcp6)@/;

export interface Address {
  /** Without brackets; "" = every address. */
  readonly host: string;
  readonly port: string;
  /** "ipv4" of "ipv4@name"; null where none is said. */
  readonly family: string | null;
}

/** The port is what is behind the last colon, also of an IPv6 address; null where there is none. */
export function readAddress(text: string): Address | null {
  const family = FAMILY.exec(text)?.[1] ?? null;
  const [, host, port] = /^(.*):(\d+)$/.exec(text.replace(FAMILY, "")) ?? [];
  if (port === undefined || Number(port) === 0) return null;
  return { host: host === "*" ? "" : host.replace(/^\[(.*)\]$/, "$1"), port: String(Number(port)), family };
}

export function printAddress(host: string, port: string): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

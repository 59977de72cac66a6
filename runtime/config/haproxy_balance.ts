/** How HAProxy's backends choose servers: `balance`, `hash-type` and `cookie`. */
import type { Line } from "./haproxy_text.ts";

/** `balance:` as tandem.yaml has it; null = round robin, which need not be said. */
export type BalanceDocument = string | Readonly<Record<string, unknown>> | null;

export interface StickyDocument {
  readonly cookie: string;
  readonly path?: string;
  readonly value: "name";
}

/** Why `balance` cannot be carried, or what it becomes. */
export function readBalance({ words: [, algorithm = ""] }: Line): { readonly why: string } | {
  readonly balance: BalanceDocument;
} {
  const [, name, parameter] = /^([a-z_-]+)(?:\(([^)]*)\))?$/.exec(algorithm) ?? [];
  switch (name) {
    case "roundrobin":
    case "static-rr":
      return { balance: null };
    case "leastconn":
    case "first":
    case "source":
    case "random":
    case "uri":
      return { balance: name };
    case "hdr":
      if (parameter) return { balance: { use: "header", with: { name: parameter } } };
      return { why: "names no header" };
    default:
      return { why: `balance ${algorithm} is not in this version; roundrobin is used` };
  }
}

/** `cookie NAME insert …`: the values are the servers' names, as theirs mostly are. */
export function readCookie({ words: [, name, ...options] }: Line): { readonly why: string } | {
  readonly sticky: StickyDocument;
} {
  if (name === undefined || !options.includes("insert")) {
    return { why: "only cookies that the balancer inserts are part of Tandem: cookie NAME insert" };
  }
  return { sticky: { cookie: name, value: "name" } };
}

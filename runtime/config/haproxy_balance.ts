/** How HAProxy's backends choose servers: `balance`, `hash-type` and `cookie`. */
import type { Line } from "./haproxy_text.ts";

/** `balance:` as tandem.yaml has it; null = round robin, which need not be said. */
export type BalanceDocument = string | Readonly<Record<string, unknown>> | null;

export interface StickyDocument {
  readonly cookie: string;
  readonly path?: string;
  readonly same_site?: string;
  readonly value: "name";
}

/** What a line becomes; `notes` say which words of it are lost. */
type Read<T> = { readonly why: string } | T & { readonly notes: readonly string[] };

/** Why `balance` cannot be carried, or what it becomes. */
export function readBalance({ words: [, algorithm = "", ...options] }: Line): Read<{
  readonly balance: BalanceDocument;
}> {
  // The path alone is what Tandem goes by.
  const lost = options.filter((option) => algorithm !== "uri" || option !== "path-only").join(" ");
  const hashed = algorithm === "uri" ? "; the whole path is hashed, without the query" : "; the whole field is hashed";
  const notes = lost === "" ? [] : [`${lost} is not in this version${/^(uri|hdr)/.test(algorithm) ? hashed : ""}`];
  const [, name, parameter] = /^([a-z_-]+)(?:\(([^)]*)\))?$/.exec(algorithm) ?? [];
  switch (name) {
    case "roundrobin":
    case "static-rr":
      return { balance: null, notes };
    case "leastconn":
    case "first":
    case "source":
    case "uri":
      return { balance: name, notes };
    case "random":
      if ((parameter ?? "2") === "2") return { balance: name, notes };
      return { balance: name, notes: [...notes, "two servers are drawn, of which the less busy one is taken"] };
    case "hdr":
      if (parameter) return { balance: { use: "header", with: { name: parameter } }, notes };
      return { why: "names no header" };
    default:
      return { why: `balance ${algorithm} is not in this version; roundrobin is used` };
  }
}

/** `cookie NAME insert …`: the values are the servers' names, as theirs mostly are. */
export function readCookie({ words: [, name, ...options] }: Line): Read<{ readonly sticky: StickyDocument }> {
  if (name === undefined || !options.includes("insert")) {
    return { why: "only cookies that the balancer inserts are part of Tandem: cookie NAME insert" };
  }
  const notes: string[] = [];
  let site: string | undefined;
  for (let i = 0; i < options.length; i++) {
    const option = options[i];
    const value = VALUED.has(option) ? options[++i] ?? "" : "";
    const [, sameSite] = option === "attr" ? /^SameSite=(Lax|Strict|None)$/i.exec(value) ?? [] : [];
    if (sameSite !== undefined) site = sameSite.toLowerCase();
    else if (!OWN.has(option)) notes.push(`${`${option} ${value}`.trim()} is not in this version${inWords(option)}`);
  }
  return { sticky: { cookie: name, ...(site && { same_site: site }), value: "name" }, notes };
}

/** Options of a cookie that have a value. */
const VALUED: ReadonlySet<string> = new Set(["domain", "maxidle", "maxlife", "attr"]);

/** What Tandem does with every cookie. */
const OWN: ReadonlySet<string> = new Set(["insert", "indirect", "httponly"]);

function inWords(option: string): string {
  if (option === "nocache") return ": a response that brings the cookie may be kept by caches";
  if (option === "secure") return ": browsers send the cookie without TLS too";
  if (option === "domain") return ": the cookie comes back to this host alone";
  return option.startsWith("max") ? ": the cookie lasts until the browser forgets it" : "";
}

/** ACLs and conditions of haproxy.cfg (configuration manual, 7) as matches of routes: what a route can ask for, exactly. */
import { isIP } from "node:net";
import { parsePathPattern } from "../http/path_pattern.ts";

type Key = "host" | "path" | "method" | "client" | "sni" | "header" | "query";

/** One thing that is asked for; any of `values` will do. */
interface Atom {
  readonly key: Key;
  /** Of the field or parameter. */
  readonly name: string;
  readonly values: readonly string[];
}

/** A match as it would be written. */
export type MatchDocument = Readonly<Record<string, unknown>>;

/** What takes the place of stick tables that count. */
export const RATE_LIMIT = "a route's rate_limit: { key, rate, burst } counts requests, by client_ip or by a field";
const NO_NEGATION = "routes have no negation";

/** Why a condition cannot be a match. */
export interface Uncarried {
  readonly why: string;
}

/** Alternatives of an ACL; none = never true. */
type Acl = readonly Atom[] | Uncarried;

export class Acls {
  readonly #named = new Map<string, Acl>();

  /** Reads `acl NAME FETCH …`; lines of one name are alternatives. */
  add([, name, ...words]: readonly string[]): void {
    const atom = readTest(words);
    const before = this.#named.get(name);
    if (isUncarried(atom)) this.#named.set(name, atom);
    else if (before === undefined) this.#named.set(name, merged(atom));
    else if (!isUncarried(before)) this.#named.set(name, merged([...before, ...atom]));
  }

  /** Matches of `if …` or `unless …`, any of which will do; no words = always. */
  matches(words: readonly string[]): readonly MatchDocument[] | Uncarried {
    if (words.length === 0) return [{}];
    const [keyword, ...rest] = words;
    const terms = splitTerms(rest);
    if (keyword === "unless") {
      const [only] = terms;
      if (terms.length !== 1 || only.length !== 1) return { why: NO_NEGATION };
      return this.#term([negated(only[0])]);
    }
    if (keyword !== "if") return { why: `${keyword} is no condition` };
    const all: MatchDocument[] = [];
    for (const term of terms) {
      const matches = this.#term(term);
      if (isUncarried(matches)) return matches;
      all.push(...matches);
    }
    return all;
  }

  /** All factors of a term at once; one match for each choice of alternatives. */
  #term(factors: readonly Factor[]): readonly MatchDocument[] | Uncarried {
    let choices: readonly (readonly Atom[])[] = [[]];
    for (const factor of factors) {
      const acl = typeof factor.test === "string"
        ? this.#named.get(factor.test) ?? predefined(factor.test)
        : readTest(factor.test);
      if (isUncarried(acl)) return acl;
      if (!factor.negated) choices = choices.flatMap((chosen) => merged(acl).map((atom) => [...chosen, atom]));
      else if (acl.some(({ key }) => key === "client")) {
        return { why: `${NO_NEGATION}: a route's allow: lets in who is named` };
      } else if (acl.length > 0) return { why: NO_NEGATION };
    }
    const matches = choices.map(toMatch);
    return matches.find(isUncarried) ?? (matches as MatchDocument[]);
  }
}

export function isUncarried(value: unknown): value is Uncarried {
  return typeof value === "object" && value !== null && "why" in value;
}

interface Factor {
  readonly negated: boolean;
  /** Name of an ACL, or the words of an anonymous one. */
  readonly test: string | readonly string[];
}

function negated({ negated, test }: Factor): Factor {
  return { negated: !negated, test };
}

/** `a !b || { path /x } or c` as terms of factors. */
function splitTerms(words: readonly string[]): readonly (readonly Factor[])[] {
  const terms: Factor[][] = [[]];
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const bare = word.replace(/^!/, "");
    const no = bare !== word;
    if (word === "||" || word === "or" || word === "OR") terms.push([]);
    else if (bare === "{" || (no && bare === "" && words[i + 1] === "{")) {
      const from = words.indexOf("{", i) + 1 || i + 1;
      const end = words.indexOf("}", i);
      const start = bare === "{" ? i + 1 : from;
      terms.at(-1)?.push({ negated: no, test: words.slice(start, end < 0 ? undefined : end) });
      i = end < 0 ? words.length : end;
    } else terms.at(-1)?.push({ negated: no, test: bare });
  }
  return terms.filter((term) => term.length > 0);
}

function predefined(name: string): Acl {
  switch (name) {
    case "TRUE":
      return { why: "TRUE needs no condition: leave it out" };
    case "FALSE":
      return [];
    case "METH_GET":
      return [{ key: "method", name: "", values: ["GET", "HEAD"] }];
    case "LOCALHOST":
      return [{ key: "client", name: "", values: ["127.0.0.0/8", "::1"] }];
  }
  const method = /^METH_([A-Z]+)$/.exec(name)?.[1];
  if (method !== undefined) return [{ key: "method", name: "", values: [method] }];
  return { why: `acl ${name} is not known here` };
}

/** `FETCH [flags] VALUE…` */
function readTest(words: readonly string[]): Acl {
  const [fetch = "", ...rest] = words;
  let folded = false;
  let at = 0;
  let matching = "";
  for (; at < rest.length && rest[at].startsWith("-"); at++) {
    if (rest[at] === "-i") folded = true;
    else if (rest[at] === "-m") matching = rest[++at];
    else if (rest[at] === "--") {
      at++;
      break;
    } else return { why: `${rest[at]} is not part of routes` };
  }
  const values = rest.slice(at);
  const [, base, argument = ""] = /^([a-z_.]+)(?:\(([^)]*)\))?$/i.exec(fetch) ?? [];
  if (base === "ssl_fc") return [];
  if (/^(sc\d?|src)_(?!is)/.test(fetch)) return { why: RATE_LIMIT };
  if (base === undefined) return { why: `${fetch} is not part of routes` };
  return readValues(base.replace(/^req[._]/, "").replace(/^hdr$/, "hdr"), argument, matching, folded, values);
}

function readValues(base: string, argument: string, matching: string, folded: boolean, values: readonly string[]): Acl {
  const [, fetch, suffix = ""] =
    /^(hdr|fhdr|path|ssl_sni|url_param|urlp|method|src)(?:_(beg|end|dom|dir|sub|reg))?$/.exec(base) ?? [];
  const how = matching === "str" ? "" : matching || suffix;
  const atom = (key: Key, chosen: readonly string[], name = ""): Acl => [{ key, name, values: chosen }];
  const uncarried: Uncarried = {
    why: `${base}${how === suffix || how === "" ? "" : ` -m ${how}`} is not part of routes`,
  };
  switch (fetch) {
    case "hdr":
    case "fhdr":
      if (argument.toLowerCase() === "host") return hosts("host", how, values) ?? uncarried;
      if (how === "found") return atom("header", ["*"], argument);
      return how === "" && !folded && argument !== "" ? atom("header", values, argument) : uncarried;
    case "ssl_sni":
      return hosts("sni", how, values) ?? uncarried;
    case "path":
      return folded ? uncarried : paths(how, values) ?? uncarried;
    case "url_param":
    case "urlp":
      return how === "" && !folded && argument !== "" ? atom("query", values, argument) : uncarried;
    case "method":
      return how === "" ? atom("method", values) : uncarried;
    case "src":
      return how === "" && values.every((value) => isIP(value.replace(/\/\d+$/, "")) !== 0)
        ? atom("client", values)
        : uncarried;
  }
  return uncarried;
}

function hosts(key: "host" | "sni", how: string, values: readonly string[]): Acl | null {
  const plain = values.every((value) => /^[A-Za-z0-9._-]+$/.test(value));
  if (how === "" && plain) return [{ key, name: "", values: values.map((value) => value.toLowerCase()) }];
  if (how !== "end" || !plain || !values.every((value) => value.startsWith("."))) return null;
  return [{ key, name: "", values: values.map((value) => `*${value.toLowerCase()}`) }];
}

function paths(how: string, values: readonly string[]): Acl | null {
  const literal = values.every((value) => !/[:*{}]/.test(value) && parsePathPattern(value).ok);
  if (!literal) return null;
  if (how === "") return [{ key: "path", name: "", values }];
  // "/api" at the beginning would mean "/apix" too, which no pattern says; "/api/" is what "/api/*" is.
  if (how !== "beg") return null;
  const open = values.find((value) => !value.endsWith("/"));
  if (open !== undefined) {
    return { why: `"${open}" at the beginning is "${open}x" too: routes go by whole segments, "${open}/*"` };
  }
  return [{ key: "path", name: "", values: values.map((value) => `${value}*`) }];
}

/** Alternatives about one thing as one. */
function merged(atoms: readonly Atom[]): readonly Atom[] {
  const kinds = new Map<string, Atom>();
  for (const atom of atoms) {
    const kind = `${atom.key} ${atom.name}`;
    const before = kinds.get(kind);
    kinds.set(kind, before === undefined ? atom : { ...atom, values: [...before.values, ...atom.values] });
  }
  return [...kinds.values()];
}

function toMatch(atoms: readonly Atom[]): MatchDocument | Uncarried {
  const match: Record<string, unknown> = {};
  for (const { key, name, values } of atoms) {
    const value = values.length === 1 ? values[0] : values;
    if (key === "header" || key === "query") {
      const named = (match[key] ?? {}) as Record<string, unknown>;
      if (name in named) return { why: `two demands on ${name} at once are not part of routes` };
      match[key] = { ...named, [name]: value };
    } else {
      if (key in match) return { why: `two demands on the ${key} at once are not part of routes` };
      match[key] = value;
    }
  }
  return match;
}

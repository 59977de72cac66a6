/** Decoders of what routes are made of: hosts, path patterns, fields, rates, sizes, hashes of passwords. */
import { isIP } from "node:net";
import { compileEdits } from "../http/mod.ts";
import { parsePathPattern } from "../http/path_pattern.ts";
import { type Decoder, either, fail, map } from "./decoder.ts";
import { fields, list, record, required } from "./collections.ts";
import { parsedText, text } from "./scalars.ts";
import { got } from "./tree.ts";
import { type Parsed, parseSize } from "./values.ts";

/** A host as Host has it, without port; in lower case. */
export const host: Decoder<string> = map(text(), (value, tree, report) => {
  const name = value.toLowerCase().replace(/\.$/, "");
  if (name === "*") return fail(report, tree, "must not be *: leave host out to match every host");
  if (isIP(name) === 6) return fail(report, tree, `must be in brackets: "[${name}]"`);
  if (/:\d*$/.test(name) && !name.endsWith("]")) {
    return fail(report, tree, `must have no port, as hosts are compared without theirs, got ${got(tree)}`);
  }
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(name)) {
    return fail(report, tree, `must be as browsers send it: "${new URL(`http://${name.replace("*.", "")}`).hostname}"`);
  }
  if (/^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(name)) return name;
  if (/^\[[0-9a-f:.]+\]$/.test(name) && isIP(name.slice(1, -1)) === 6) return name;
  return fail(report, tree, `must be a host name, or "*." and a host name, got ${got(tree)}`);
});

/** One of Hono's patterns, as written. */
export const pathPattern: Decoder<string> = map(text(), (value, tree, report) => {
  const parsed = parsePathPattern(value);
  return parsed.ok ? value : fail(report, tree, parsed.reason);
});

export const method: Decoder<string> = map(text(), (value, tree, report) => {
  if (/^[!#$%&'*+\-.^_`|~0-9A-Z]+$/.test(value)) return value;
  const upper = value.toUpperCase();
  const meant = /^[A-Z-]+$/.test(upper) ? `; methods have capital letters: ${upper}` : "";
  return fail(report, tree, `must be a method, got ${got(tree)}${meant}`);
});

/** A path of the balancer's own. */
export const plainPath: Decoder<string> = text({
  pattern: /^\/[\x21\x24-\x3e\x40-\x7e]*$/,
  wanted: 'a path that begins with "/", without spaces and query',
});

/** A target: a path, perhaps with a query. */
export const plainTarget: Decoder<string> = text({
  pattern: /^\/[\x21\x24-\x7e]*$/,
  wanted: 'a path that begins with "/", without spaces',
});

const fieldName = { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a field name" };

/** A field that may be changed: not one about framing or the connection. */
const editableName: Decoder<string> = map(text(fieldName), (value, tree, report) => {
  const reason = editFault(value);
  return reason === null ? value : fail(report, tree, reason);
});

// deno-lint-ignore no-control-regex
const fieldValue = text({ pattern: /^[^\x00-\x08\x0a-\x1f\x7f]*$/, wanted: "a field value in one line" });

const fieldValues: Decoder<ReadonlyMap<string, string | undefined>> = {
  ...record(fieldValue, { key: fieldName }),
  decode(tree, report) {
    const values = record(fieldValue, { key: fieldName }).decode(tree, report);
    if (tree.kind !== "map") return values;
    for (const [name, entry] of tree.entries) {
      const reason = fieldName.pattern.test(name) ? editFault(name) : null;
      if (reason !== null) report(entry, reason);
    }
    return values;
  },
};

/** `request_headers`, `response_headers`. */
export const fieldChanges = fields({
  set: { decoder: fieldValues, otherwise: () => new Map() },
  add: { decoder: fieldValues, otherwise: () => new Map() },
  remove: { decoder: list(editableName, { single: true }), otherwise: () => [] },
});

/** Fields of an answer of ours. */
export const answerFields = fieldValues;

export const fieldNames = list(editableName, { single: true });

/** Values by name; "*" = whatever value. */
export const namedValues = record(list(text(), { single: true, nonEmpty: 'must not be empty: "*" is any value' }));
export const namedFields = record(list(text(), { single: true, nonEmpty: 'must not be empty: "*" is any value' }), {
  key: fieldName,
});

/** Requests per second of "50/s", "100/m", "1000/h". */
export const rate: Decoder<number> = parsedText(parseRate, { pattern: "^\\d+(\\.\\d+)?/[smh]$", examples: ["50/s"] });

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function parseRate(source: string): Parsed<number> {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\/([smh])$/.exec(source) ?? [];
  if (count === undefined) {
    const reason = /^\d+(\.\d+)?$/.test(source) ? `needs a unit: write "${source}/s"` : 'must be a rate such as "50/s"';
    return { ok: false, reason: `${reason}, got "${source}"` };
  }
  const value = Number(count) / SECONDS[unit];
  const fits = value > 0 && value <= 1_000_000;
  return fits
    ? { ok: true, value }
    : { ok: false, reason: `must be more than 0/s and at most 1000000/s, got "${source}"` };
}

export const size: Decoder<number> = parsedText(parseSize, { examples: ["10MB"] });

const limitedField = map(fields({ header: required(text(fieldName)) }), ({ header }) => header && { header });
const limitWord = map(text(), (value, tree, report) => {
  return value === "client_ip"
    ? "client_ip" as const
    : fail(report, tree, `must be client_ip or { header: NAME }, got ${got(tree)}`);
});

/** Whose requests are counted together. */
export const limitKey = either<"client_ip" | { readonly header: string }>(
  (tree) => tree.kind === "map" ? limitedField as Decoder<{ readonly header: string }> : limitWord,
  [limitWord, limitedField],
);

/** Hashes that take at most about a second. */
const HASH = {
  bcrypt: /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/,
  sha: /^\$(?:5|6)\$(?:rounds=(\d{1,9})\$)?[^$]{0,16}\$(?:[./A-Za-z0-9]{43}|[./A-Za-z0-9]{86})$/,
  greatestCost: 14,
  mostRounds: 1_000_000,
} as const;

/** A hash of a password: bcrypt, as `htpasswd -B` makes it, or SHA-crypt, as `mkpasswd` and HAProxy's user lists have it. */
export const passwordHash: Decoder<string> = map(text({ secret: true }), (value, tree, report) => {
  const cost = HASH.bcrypt.exec(value)?.[1];
  if (cost !== undefined) {
    if (Number(cost) >= 4 && Number(cost) <= HASH.greatestCost) return value;
    return fail(report, tree, `must have a cost of 4–${HASH.greatestCost}: one of ${cost} would take too long`);
  }
  const sha = HASH.sha.exec(value);
  if (sha !== null) {
    if (Number(sha[1] ?? 0) <= HASH.mostRounds) return value;
    return fail(report, tree, `must have at most ${HASH.mostRounds} rounds: more would take too long`);
  }
  const weak = /^\$(apr1|1)\$|^\{SHA\}/.test(value) ? "MD5 and SHA-1 can be guessed by the billion; " : "";
  return fail(
    report,
    tree,
    `${weak}must be a hash of bcrypt ("$2y$…") or SHA-crypt ("$6$…"): make one with htpasswd -nB USER`,
  );
});

function editFault(name: string): string | null {
  try {
    compileEdits({ remove: [name] });
    return null;
  } catch (error) {
    return error instanceof RangeError ? `cannot be changed: ${error.message.replace(/^[^:]*: /, "")}` : String(error);
  }
}

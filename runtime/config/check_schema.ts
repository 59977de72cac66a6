/** `check:`: which checker, what it looks for, and how often. */
import { type Decoded, type Field, fields, list, optional, record, required } from "./collections.ts";
import { type Decoder, type JsonSchema, map, type Report } from "./decoder.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { written } from "./plugin_schema.ts";
import { child, got, type Tree } from "./tree.ts";
import { duration } from "./value_decoders.ts";

/** A status code or a range of them, as the checker reads it: 204, "200-399". */
export const status: Decoder<number | string> = {
  schema: { anyOf: [{ type: "integer", minimum: 100, maximum: 599 }, { pattern: "^[1-5]\\d\\d-[1-5]\\d\\d$" }] },
  decode(tree, report) {
    if (tree.kind === "broken") return undefined;
    const source = tree.kind === "scalar" ? tree.source : "";
    const [, low, high = low] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(source) ?? [];
    if (low !== undefined && Number(low) <= Number(high)) return low === high ? Number(low) : source;
    report(tree, `must be a status code or a range such as 200-399, got ${got(tree)}`);
    return undefined;
  },
};

/** Text, or between slashes a regular expression. */
const expected: Decoder<string> = map(text(), (value, tree, report) => {
  const [, pattern, flags] = /^\/(.+)\/(\w*)$/s.exec(value) ?? [];
  if (pattern === undefined) return value;
  try {
    if (/^[imsu]*$/.test(flags)) return new RegExp(pattern, flags) && value;
    report(tree, `must have no other flags than i, m, s and u, got "${flags}"`);
  } catch (cause) {
    report(tree, `is no regular expression: ${cause instanceof Error ? cause.message : cause}`);
  }
  return undefined;
});

const port = optional(integer(1, 65535));
const domain = /^(?=.{1,253}\.?$)(\.|[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?)$/;
const rcode = choice(["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]);
const argument = text({ pattern: /^[^\0]+$/, wanted: "an argument" });

/** What each built-in checker understands, beside the keys every check has. */
const checkers = {
  tcp: { port },
  http: {
    port,
    method: optional(choice(["GET", "HEAD", "OPTIONS"])),
    path: optional(text({ pattern: /^\/[\x21-\x7e]*$/, wanted: 'a path that begins with "/", without spaces' })),
    host: optional(text({ pattern: /^[A-Za-z0-9.\-_:[\]]+$/, wanted: "a host name" })),
    headers: optional(record(text({ pattern: /^[^\r\n\0]*$/, wanted: "a field value in one line", secret: true }), {
      key: { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a field name" },
    })),
    expect: optional(fields({
      status: optional(list(status, { single: true, nonEmpty: "must not be empty: a check expects something" })),
      headers: optional(
        record(expected, { key: { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a field name" } }),
      ),
      body: optional(expected),
    })),
  },
  grpc: {
    port,
    service: optional(text({ pattern: /^[\w.\/-]{1,127}$/, wanted: "the name of a service, such as shop.Cart" })),
    authority: optional(text({ pattern: /^[A-Za-z0-9.\-_:[\]]+$/, wanted: "a host name, with or without a port" })),
  },
  dns: {
    port,
    name: required(text({ pattern: domain, wanted: 'a domain name, or "." for the root' })),
    record: optional(choice(["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"])),
    recursion: optional(yesNo),
    transport: optional(choice(["udp", "tcp"])),
    expect: optional(fields({
      rcode: optional(list(rcode, { single: true, nonEmpty: "must not be empty: a check expects something" })),
      answers: optional(list(text(), { single: true })),
    })),
  },
  command: {
    command: required(list(argument, { nonEmpty: "must name a program" })),
    arguments: optional(choice(["none", "haproxy"])),
  },
};

const timing = {
  interval: optional(duration(10, 3_600_000), 2000),
  fast_interval: optional(duration(10, 3_600_000)),
  timeout: optional(duration(1, 3_600_000)),
  rise: optional(integer(1, 1000), 2),
  fall: optional(integer(1, 1000), 3),
  initial: optional(choice(["wait", "up", "down"]), "wait"),
};
type Timing = Partial<Decoded<typeof timing>>;

type Checker = keyof typeof checkers;
const checkerNames = Object.keys(checkers) as Checker[];
const checkerName = choice(checkerNames);

interface Form {
  readonly schema: JsonSchema;
  decode(tree: Tree, report: Report): { readonly timing: Timing; readonly with: object } | undefined;
}

/** `{ type: http, path: /healthz, interval: 1s }` */
const shortForms = perChecker((name): Form => {
  const type = name === "tcp" ? optional(checkerName, "tcp") : required(checkerName);
  const form = fields({ type, ...checkers[name] as typeof checkers.tcp, ...timing });
  return {
    get schema() {
      return form.schema;
    },
    decode(tree, report) {
      const value = form.decode(tree, report);
      return value && { timing: value, with: value };
    },
  };
});

/** `{ use: http, with: { path: /healthz }, interval: 1s }` */
const longForms = perChecker((name): Form => {
  const keys: Record<string, Field<unknown>> = checkers[name];
  const needed = Object.values(keys).some(({ otherwise }) => otherwise === undefined);
  const own = fields(keys);
  const form = fields({ use: required(checkerName), with: needed ? required(own) : optional(own), ...timing });
  return {
    get schema() {
      return form.schema;
    },
    decode(tree, report) {
      const value = form.decode(tree, report);
      return value && { timing: value, with: value.with ?? {} };
    },
  };
});

/** A plugin's: what is in `with:` its own schema says, and whether there is such a plugin the rules. */
const otherForm = fields({
  use: required(text()),
  with: optional(written),
  panic: optional(integer(0, 1000), 1),
  ...timing,
});

export type CheckDraft = Timing & {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly plugin: boolean;
  /** Servers that a plugin cannot take out. */
  readonly panic: number;
};

export const check: Decoder<CheckDraft> = {
  get schema() {
    return {
      anyOf: [...Object.values(shortForms), ...Object.values(longForms), otherForm].map(({ schema }) => schema),
    };
  },
  decode(tree, report) {
    const chosen = child(tree, "use");
    const name = word(chosen ?? child(tree, "type"));
    const known = checkerNames.find((one) => one === name);
    if (chosen !== undefined && known === undefined) {
      const value = otherForm.decode(tree, report);
      if (value?.use === undefined) return undefined;
      return { ...value, use: value.use, with: {}, plugin: true, panic: value.panic ?? 1 };
    }
    const use = known ?? "tcp";
    const value = (chosen === undefined ? shortForms : longForms)[use].decode(tree, report);
    return value && { ...value.timing, use, with: given(checkers[use], value.with), plugin: false, panic: 0 };
  },
};

/** The checker that a tree names; null where it names none. */
export function checkerIn(tree: Tree): string | null {
  return word(child(tree, "use") ?? child(tree, "type")) || null;
}

function perChecker(form: (name: Checker) => Form): Readonly<Record<Checker, Form>> {
  return Object.fromEntries(checkerNames.map((name) => [name, form(name)])) as Record<Checker, Form>;
}

/** The checker's own keys that were given, as plain data for the plugin. */
function given(keys: object, values: object): Readonly<Record<string, unknown>> {
  const chosen = Object.entries(values).filter(([key, value]) => Object.hasOwn(keys, key) && value !== null);
  return Object.fromEntries(chosen.map(([key, value]) => [key, plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== null).map(([key, inner]) => [key, plain(inner)]),
  );
}

function word(tree: Tree | undefined): string {
  return tree?.kind === "scalar" ? String(tree.value) : "";
}

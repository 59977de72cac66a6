/** `backends.NAME`: servers, how they are chosen and checked. */
import { balance } from "./balance_schema.ts";
import { type Decoded, fields, type FieldsDecoder, later, list, optional, record, required } from "./collections.ts";
import { type Decoder, either, map } from "./decoder.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { written } from "./plugin_schema.ts";
import { emptyRespond } from "./route_schema.ts";
import { stickiness } from "./stickiness_schema.ts";
import { merge, replace } from "./overlay.ts";
import { child, type Entry, got, type Tree } from "./tree.ts";
import { duration, nameShape, serverEndpoint } from "./value_decoders.ts";

/** A status code or a range of them, as the checker reads it: 204, "200-399". */
const status: Decoder<number | string> = {
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
};

const timing = {
  interval: optional(duration(10, 3_600_000), 2000),
  fast_interval: optional(duration(10, 3_600_000)),
  timeout: optional(duration(1, 3_600_000)),
  rise: optional(integer(1, 1000), 2),
  fall: optional(integer(1, 1000), 3),
  initial: optional(choice(["wait", "up", "down"]), "wait"),
};

type Checker = keyof typeof checkers;
const checkerName = choice(Object.keys(checkers) as Checker[]);
const shortForms = {
  tcp: fields({ type: optional(checkerName, "tcp"), ...checkers.tcp, ...timing }),
  http: fields({ type: required(checkerName), ...checkers.http, ...timing }),
};
const longForms = {
  tcp: fields({ use: required(checkerName), with: optional(fields(checkers.tcp)), ...timing }),
  http: fields({ use: required(checkerName), with: optional(fields(checkers.http)), ...timing }),
};
/** A plugin's: what is in `with:` its own schema says, and whether there is such a plugin the rules. */
const otherForm = fields({
  use: required(text()),
  with: optional(written),
  panic: optional(integer(0, 1000), 1),
  ...timing,
});

type CheckDraft = Partial<Decoded<typeof timing>> & {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly plugin: boolean;
  /** Servers that a plugin cannot take out. */
  readonly panic: number;
};

const ours = { plugin: false, panic: 0 } as const;

const check: Decoder<CheckDraft> = {
  get schema() {
    return {
      anyOf: [...Object.values(shortForms), ...Object.values(longForms), otherForm].map(({ schema }) => schema),
    };
  },
  decode(tree, report) {
    const chosen = child(tree, "use");
    if (chosen === undefined) {
      const use = word(child(tree, "type")) === "http" ? "http" : "tcp";
      const value = shortForms[use].decode(tree, report);
      return value && { ...value, use, with: given(checkers[use], value), ...ours };
    }
    const use = word(chosen);
    if (use !== "tcp" && use !== "http") {
      const value = otherForm.decode(tree, report);
      if (value?.use === undefined) return undefined;
      return { ...value, use: value.use, with: {}, plugin: true, panic: value.panic ?? 1 };
    }
    const value = longForms[use].decode(tree, report);
    return value && { ...value, use, with: given(checkers[use], value.with ?? {}), ...ours };
  },
};

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

const ejecting = fields({
  errors: optional(integer(1, 1000), 5),
  eject: optional(duration(1000, 3_600_000), 5000),
  statuses: optional(list(status, { single: true })),
});
type Ejecting = Decoded<typeof ejecting.known>;
/** `none` turns it off. */
const passive = either<Ejecting | "none">(
  (tree) => tree.kind === "map" ? ejecting : choice(["none"]),
  [ejecting, choice(["none"])],
);

/** The backend's check with what the server says differently; `none` = this one is not checked. */
const serverCheck = either<CheckDraft | "none">(
  (tree) => tree.kind === "scalar" ? choice(["none"]) : check,
  [choice(["none"]), check],
);

const longServer = fields({
  address: required(serverEndpoint),
  weight: optional(integer(0, 256), 1),
  maxconn: optional(integer(1, 1_000_000)),
  backup: optional(yesNo, false),
  labels: optional(record(text()), null),
  check: optional(serverCheck),
});
export type ServerDraft = Decoded<typeof longServer.known>;
const shortServer = map(
  serverEndpoint,
  (address): ServerDraft => ({ address, weight: 1, maxconn: null, backup: false, labels: null, check: null }),
);
const server = either<ServerDraft>((tree) => tree.kind === "map" ? longServer : shortServer, [shortServer, longServer]);

const keys = fields({
  balance: optional(balance, { use: "roundrobin", with: {}, fallback: "random", plugin: false }),
  check: optional(check),
  stickiness: optional(stickiness),
  on_down: optional(choice(["keep", "close"]), "keep"),
  passive: optional(passive, { errors: 5, eject: 5000, statuses: null }),
  slow_start: optional(duration(0, 3_600_000), 0),
  when_empty: optional(fields({ respond: required(emptyRespond) })),
  servers: required(record(server, { key: nameShape, nonEmpty: "must not be empty: a backend needs a server" })),
  timeouts: optional(
    fields({ connect: optional(duration(1)), server: optional(duration(1)), queue: optional(duration(1)) }),
    null,
  ),
  retries: optional(integer(0, 100), 3),
  send_proxy: optional(choice(["v1", "v2"])),
  tls: later("leave it out and speak plain text to the servers, or use mode: tcp"),
  discover: later("list the servers by address"),
});

export type BackendDraft = Decoded<typeof keys.known>;

/** A server's own check is merged over the backend's before either is read, so that each key keeps its place. */
export const backend: FieldsDecoder<typeof keys.known> = {
  known: keys.known,
  get schema() {
    return keys.schema;
  },
  decode: (tree, report) => keys.decode(withServerChecks(tree), report),
};

function withServerChecks(tree: Tree): Tree {
  const shared = child(tree, "check");
  const servers = child(tree, "servers");
  if (tree.kind !== "map" || shared?.kind !== "map" || servers?.kind !== "map") return tree;
  const entries = [...servers.entries].map(([name, entry]): [string, Entry] => {
    const own = child(entry.value, "check");
    if (entry.value.kind !== "map" || own?.kind !== "map") return [name, entry];
    // Another checker has other keys.
    const alike = checkerIn(own) === null || checkerIn(own) === checkerIn(shared);
    const check = alike ? { ...merge(shared, own), at: own.at, path: own.path } as Tree : own;
    return [name, { ...entry, value: replace(entry.value, "check", check) }];
  });
  return replace(tree, "servers", { ...servers, entries: new Map(entries) });
}

/** The checker that a tree names; null where it names none. */
function checkerIn(tree: Tree): string | null {
  return word(child(tree, "use") ?? child(tree, "type")) || null;
}

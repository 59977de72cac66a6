/** The keys of `tandem.yaml`. A key of the contract that is not built yet stands here as `later(what to do instead)`. */
import { backend } from "./backend_schema.ts";
import { type Decoded, fields, later, list, optional, partial, record, required } from "./collections.ts";
import { type Decoder, fail, type JsonSchema, map, type Report } from "./decoder.ts";
import { frontend } from "./frontend_schema.ts";
import { notifier, plugin } from "./plugin_schema.ts";
import { instance } from "./instance_schema.ts";
import { log, metrics } from "./log_schema.ts";
import { choice, integer, text } from "./scalars.ts";
import { child, got, type Tree } from "./tree.ts";
import { address, name, nameShape, secret } from "./value_decoders.ts";
import { parseEndpoint } from "./values.ts";

/** What a node entry says about the node. Its other keys are merged over the file before this is read. */
export const nodeEntry = fields({
  address: optional(address),
  labels: optional(record(text()), null),
});

/** `unix:PATH`, an endpoint, or `none`. */
const adminBind: Decoder<string> = map(text(), (value, tree, report) => {
  if (value === "none") return value;
  if (value.startsWith("unix:")) return value.startsWith("unix:/") ? value : fail(report, tree, "must be unix:/PATH");
  const endpoint = parseEndpoint(value);
  if (!endpoint.ok) return fail(report, tree, endpoint.reason);
  const { host, port } = endpoint.value;
  if (host.startsWith("127.") || host === "::1") return value;
  const wanted = `bind 127.0.0.1:${port} or unix:/PATH`;
  return fail(
    report,
    tree,
    `needs tokens outside the loopback, which are not in this version: ${wanted}, got ${got(tree)}`,
  );
});

const threadCount = integer(1, 256);
const threads: Decoder<number | "auto"> = {
  schema: { anyOf: [threadCount.schema, { const: "auto" }] },
  decode(tree, report) {
    if (tree.kind !== "scalar") return threadCount.decode(tree, report);
    if (typeof tree.value === "number") return threadCount.decode(tree, report);
    return tree.value === "auto" ? "auto" : fail(report, tree, `must be auto or 1–256, got ${got(tree)}`);
  },
};

const cluster = fields({
  name: optional(name, "tandem"),
  secret: optional(secret),
});
const proxy = fields({
  threads: optional(threads, "auto"),
  maxconn: optional(integer(1, 1_000_000), 20_000),
  user: optional(name, "tandem"),
});
/** null and `none` turn it off. */
const off = { whenNull: () => "none" };
const socketPath = text({
  pattern: /^(\/.{1,106}|none)$/,
  wanted: "an absolute path of at most 107 characters, or none",
});
/** Where a node is asked when its file says nothing of it. */
export const usualAdmin = { bind: "127.0.0.1:9700", socket: "/run/tandem/admin.sock" } as const;
const admin = fields({
  bind: { ...optional(adminBind, usualAdmin.bind), ...off },
  socket: { ...optional(socketPath, usualAdmin.socket), ...off },
  tokens: later("leave it out; the API is open to this machine only"),
});

const named = { key: nameShape };

export const root = fields({
  version: required(choice([1])),
  cluster: optional(cluster, null),
  secrets: optional(record(secret, named), null),
  nodes: optional(record(nodeEntry, { key: nameShape, nonEmpty: "must name a node" }), null),
  defaults: optional(fields({ frontends: optional(anyMap()), backends: optional(anyMap()) }), null),
  certificates: later("let the servers terminate TLS behind mode: tcp, or another program in front"),
  vrrp: optional(record(instance, named), null),
  frontends: optional(record(frontend, named), null),
  backends: optional(record(backend, named), null),
  proxy: optional(proxy, null),
  isolation: optional(choice(["available", "strict"]), "available"),
  plugins: optional(record(plugin, named), null),
  notify: optional(list(notifier), []),
  admin: optional(admin, null),
  metrics: optional(metrics),
  log: optional(log, null),
});

export type Draft = Decoded<typeof root.known>;

/** JSON Schema of `tandem.yaml`, for editors. It knows types and names; references and rules are for `check`. */
export function jsonSchema(): JsonSchema {
  const properties = root.schema.properties as Readonly<Record<string, JsonSchema>>;
  const section = (key: string) => ({ $ref: `#/properties/${key}` });
  const sections = Object.keys(properties).filter((key) => key !== "version" && key !== "nodes");
  const node = {
    type: ["object", "null"],
    properties: {
      ...nodeEntry.schema.properties as JsonSchema,
      ...Object.fromEntries(sections.map((key) => [key, section(key)])),
    },
  };
  const defaults = { frontends: partial(frontend).schema, backends: partial(backend).schema };
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "tandem.yaml",
    ...root.schema,
    properties: {
      ...properties,
      nodes: { type: "object", additionalProperties: node },
      defaults: { type: "object", additionalProperties: false, properties: defaults },
    },
    patternProperties: { "^x-": {} },
  };
}

/** Defaults are read by themselves too: a mistake in them is one also where no frontend or backend uses it. */
export function examineDefaults(file: Tree, report: Report): void {
  const defaults = child(file, "defaults");
  const kinds: readonly [string, Decoder<unknown>][] = [
    ["frontends", partial(frontend)],
    ["backends", partial(backend)],
  ];
  for (const [section, decoder] of kinds) {
    const tree = child(defaults, section);
    if (tree?.kind === "map") decoder.decode(tree, report);
  }
}

/** Judged where it is merged under each object, and once by itself. */
function anyMap(): Decoder<Tree> {
  return {
    schema: { type: "object" },
    decode(tree, report) {
      if (tree.kind === "map" || tree.kind === "broken") return tree;
      return fail(report, tree, `must be a map, got ${got(tree)}`);
    },
  };
}

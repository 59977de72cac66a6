/** `plugins:` and `notify:`: whose code is used, what it may do, and who is told what. */
import { type Decoded, fields, list, optional, record, required } from "./collections.ts";
import { type Decoder, either, fail, map } from "./decoder.ts";
import { hint } from "./nearest.ts";
import { choice, parsedText, text } from "./scalars.ts";
import { got, type Tree } from "./tree.ts";
import { duration, secret } from "./value_decoders.ts";
import { parseSize } from "./values.ts";

/** What a plugin's own schema defines: kept as written, judged when the plugin is known. */
export const written: Decoder<Tree> = {
  schema: { type: "object" },
  decode(tree, report) {
    if (tree.kind === "map" || tree.kind === "broken") return tree;
    return fail(report, tree, `must be a map, got ${got(tree)}`);
  },
};

function size(least: number, most: number): Decoder<number> {
  return map(parsedText(parseSize, { examples: ["64MB"] }), (value, tree, report) => {
    if (value >= least && value <= most) return value;
    return fail(report, tree, `must be ${least >> 10}KiB to ${most >> 20}MiB, got ${got(tree)}`);
  });
}

const MiB = 2 ** 20;
const word = text({ pattern: /^[A-Za-z][\w.-]{0,63}$/, wanted: "a name" });
const names = optional(list(word), []);
const headerName = text({ pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a field name" });

const url = text({
  pattern: /^(https?:\/\/[^\s/@]+(\/\S*)?|udp:\/\/\S+:\d+|unix:\/\S+)$/,
  wanted:
    "a URL (https://…, http://…, udp://HOST:PORT or unix:/PATH) without a user in it: send credentials as headers",
});
const longEndpoint = fields({
  url: required(url),
  headers: optional(record(secret, { key: { pattern: /^[\w-]+$/, wanted: "a field name" } }), null),
  signature: optional(fields({ header: optional(headerName, "x-tandem-signature"), secret: required(secret) })),
});
type EndpointDraft = Decoded<typeof longEndpoint.known>;
const shortEndpoint: Decoder<EndpointDraft> = map(url, (value) => ({ url: value, headers: null, signature: null }));
const endpoint = either<EndpointDraft>(
  (tree) => tree.kind === "map" ? longEndpoint : shortEndpoint,
  [shortEndpoint, longEndpoint],
);

const argument = text({ pattern: /^[^\0]+$/, wanted: "an argument" });
const grants = fields({
  net: optional(list(choice(["targets"])), []),
  net_unsafe: names,
  secrets: names,
  endpoints: optional(record(endpoint), null),
  commands: optional(record(list(argument, { nonEmpty: "must name a program" })), null),
  store: optional(size(0, 16 * MiB), 0),
});
export type GrantsDraft = Decoded<typeof grants.known>;

export const plugin = fields({
  source: required(text()),
  grants: optional(grants),
  with: optional(written),
  limits: optional(
    fields({ memory: optional(size(16 * MiB, 1024 * MiB)), deadline: optional(duration(10, 60_000)) }),
  ),
});

const eventTypes = [
  "vrrp.transition",
  "server.state",
  "backend.state",
  "peer.state",
  "config.reload",
  "plugin.state",
  "process.state",
  "dropped",
];

/** "server.state", "vrrp.*", "*"; one that nothing matches is mistyped. */
const eventPattern: Decoder<string> = map(text(), (pattern, tree, report) => {
  const matches = (type: string) =>
    pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
  if (eventTypes.some(matches)) return pattern;
  return fail(report, tree, `unknown event "${pattern}"${hint(pattern, eventTypes)}`);
});

export const notifier = fields({
  use: required(text()),
  with: optional(written),
  events: optional(list(eventPattern, { single: true, nonEmpty: "must not be empty: it would be told nothing" }), [
    "*",
  ]),
  min_severity: optional(choice(["info", "notice", "warning", "error"]), "info"),
  from: optional(choice(["active", "all"]), "all"),
  flap: optional(duration(0, 3_600_000), 0),
});

export type PluginDraft = Decoded<typeof plugin.known>;
export type NotifierDraft = Decoded<typeof notifier.known>;

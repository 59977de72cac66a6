/** `backends.NAME`: servers, how they are chosen and checked. */
import { balance } from "./balance_schema.ts";
import { check, type CheckDraft, checkerIn, status } from "./check_schema.ts";
import { type Decoded, fields, type FieldsDecoder, later, list, optional, record, required } from "./collections.ts";
import { either, map } from "./decoder.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { emptyRespond } from "./route_schema.ts";
import { stickiness } from "./stickiness_schema.ts";
import { merge, replace } from "./overlay.ts";
import { child, type Entry, type Tree } from "./tree.ts";
import { duration, nameShape, serverEndpoint } from "./value_decoders.ts";

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

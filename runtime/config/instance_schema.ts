/** `vrrp.NAME`: one virtual router. */
import { isIPv6 } from "node:net";
import { type Decoded, fields, later, laterForm, list, optional, record, required } from "./collections.ts";
import { type Decoder, either, map } from "./decoder.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { child, type Tree } from "./tree.ts";
import { address4, duration, interfaceName, nameShape, prefix, secret } from "./value_decoders.ts";
import { printDuration } from "./values.ts";

/** 0 is what a router says when it leaves; 255 is the owner of the addresses. */
const onePriority = integer(1, 255);
const priorityByNode = record(onePriority, { key: nameShape, nonEmpty: "must name a node" });
const priority = either<number | ReadonlyMap<string, number | undefined>>(
  (tree) => tree.kind === "map" ? priorityByNode : onePriority,
  [onePriority, priorityByNode],
);

const pass = fields({
  type: required(choice(["pass"])),
  password: required(secret),
  also_accept: optional(list(secret, { single: true }), []),
});
const hmac = laterForm("type", "use type: pass with version: 2, or leave authentication out");
const authentication = either<Decoded<typeof pass.known>>(
  (tree) => isWord(child(tree, "type"), "hmac") ? hmac : pass,
  [pass],
);

const longAddress = fields({
  address: required(prefix),
  interface: optional(interfaceName),
  label: optional(text({ pattern: /^[^\s/]{1,15}$/, wanted: "a label of at most 15 characters" })),
  via: later("virtual addresses are put on an interface of this machine; leave via out"),
});
const shortAddress = map(prefix, (value) => ({ address: value, interface: null, label: null }));
const virtualAddress = map(
  either<Partial<Decoded<typeof longAddress.known>>>((tree) => tree.kind === "map" ? longAddress : shortAddress, [
    shortAddress,
    longAddress,
  ]),
  ({ address, interface: device, label }, tree, report) => {
    if (address !== undefined && isIPv6(address.address)) {
      report(child(tree, "address") ?? tree, `IPv6 is not in this version of vrrp: give an IPv4 address`);
      return undefined;
    }
    return { address, interface: device, label };
  },
);

type Effect = "yield" | "fault" | "none";

/** An entry of `track`: a name, or `{ name, effect, … }`. */
function tracked<T>(subject: Decoder<string>, effect: Effect, minimum: Decoder<number> | null): Decoder<Tracked> {
  const long = fields({
    name: required(subject),
    effect: optional(choice(["yield", "fault", "none"]), effect),
    ...(minimum && { min_up: optional(minimum, 1) }),
  });
  const short = map(subject, (name) => ({ name, effect, min_up: 1 }));
  return map(
    either<Partial<Tracked>>((tree) => tree.kind === "map" ? long : short, [short, long]),
    (value) => ({ name: value.name, effect: value.effect, min_up: minimum === null ? 1 : value.min_up }),
  );
}

export interface Tracked {
  readonly name: string | undefined;
  readonly effect: Effect | undefined;
  readonly min_up: number | undefined;
}

const virtualMac: Decoder<boolean> = map(yesNo, (value, tree, report) => {
  if (value) report(tree, "true is not in this version: the address moves to the interface's own MAC; leave it out");
  return value ? undefined : false;
});

/** A refresh each few milliseconds would be a flood. */
const refresh = map(duration(0), (value, tree, report) => {
  if (value === 0 || value >= 1000) return value;
  report(tree, `must be 0s (off) or at least 1s, got ${printDuration(value)}`);
  return undefined;
});

const scripts = later("write a health check of a backend (check: { type: http, … }) and track that");

export const instance = fields({
  interface: required(interfaceName),
  virtual_router_id: required(integer(1, 255)),
  version: optional(choice([2, 3]), 3),
  priority: optional(priority, 100),
  advert_int: optional(duration(0), 1000),
  preempt: optional(yesNo, true),
  preempt_delay: optional(duration(0), 0),
  authentication: optional(authentication),
  virtual_addresses: required(list(virtualAddress, { nonEmpty: "must not be empty: an instance holds an address" })),
  unicast: optional(fields({
    peers: required(list(address4, { nonEmpty: "must not be empty: leave unicast out for multicast" })),
    source: optional(address4),
    min_ttl: optional(integer(1, 255), 255),
  })),
  checksum: optional(choice(["auto", "pseudo", "plain"]), "auto"),
  virtual_mac: optional(virtualMac, false),
  garp: optional(
    fields({
      repeat: optional(integer(1, 100), 5),
      delay: optional(duration(0, 60_000), 5000),
      refresh: optional(refresh, 60_000),
    }),
    null,
  ),
  track: optional(
    fields({
      frontends: optional(list(tracked(text(), "yield", integer(1, 1))), []),
      backends: optional(list(tracked(text(), "yield", integer(1, 10_000))), []),
      interfaces: optional(list(tracked(interfaceName, "fault", null)), []),
      scripts,
    }),
    null,
  ),
  handover: optional(
    fields({
      connections: optional(choice(["auto", "none"]), "auto"),
      drain: optional(duration(0, 3_600_000), 30_000),
    }),
    null,
  ),
  sync_group: later("give each instance the same track: entries, so that they move together"),
});

export type InstanceDraft = Decoded<typeof instance.known>;

function isWord(tree: Tree | undefined, word: string): boolean {
  return tree?.kind === "scalar" && tree.value === word;
}

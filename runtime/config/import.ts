/** `tandem import`: the configurations of keepalived and HAProxy as one tandem.yaml. */
import { Document, isMap, isScalar, isSeq, visit, type YAMLMap, type YAMLSeq } from "yaml";
import { type HaproxySource, importHaproxy } from "./import_haproxy.ts";
import { importKeepalived, type KeepalivedSource, unreadable } from "./import_keepalived.ts";
import { instance } from "./instance_schema.ts";
import { type Leftover, sortLeftovers } from "./leftover.ts";

export interface ImportSources {
  readonly keepalived: readonly KeepalivedSource[];
  readonly haproxy: Omit<HaproxySource, "instances"> | null;
}

export interface Imported {
  /** Text of a tandem.yaml; `check` it, for what was wrong before is wrong still. */
  readonly yaml: string;
  readonly leftovers: readonly Leftover[];
}

/** Nothing was imported, as what was read cannot be what was meant. */
export interface Refused {
  readonly refused: readonly Leftover[];
}

export function importConfiguration({ keepalived, haproxy }: ImportSources): Imported | Refused {
  const refused = unreadable(keepalived);
  if (refused.length > 0) return { refused: sortLeftovers(refused) };
  const { nodes, vrrp, notify, leftovers } = importKeepalived(keepalived);
  const proxy = haproxy && importHaproxy({ ...haproxy, instances: singleAddresses(vrrp) });
  const sections = {
    nodes,
    vrrp: Object.fromEntries(Object.entries(vrrp).map(([name, document]) => [name, ordered(document, instance.known)])),
    frontends: proxy?.frontends ?? {},
    backends: proxy?.backends ?? {},
    proxy: proxy?.proxy ?? {},
    log: proxy?.log ?? {},
    notify,
  };
  const present = Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0);
  const files = [...keepalived.map(({ file }) => file), ...(haproxy ? [haproxy.file] : [])];
  return {
    yaml: print({ version: 1, ...Object.fromEntries(present) }, files),
    leftovers: sortLeftovers([...leftovers, ...proxy?.leftovers ?? []]),
  };
}

/** Keys in the order of the contract. */
function ordered(document: Readonly<Record<string, unknown>>, known: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.keys(known).filter((key) => key in document).map((key) => [key, document[key]]));
}

/** Instances with one address, by it. */
function singleAddresses(
  vrrp: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, { virtual_addresses: addresses }] of Object.entries(vrrp)) {
    if (!Array.isArray(addresses) || addresses.length !== 1) continue;
    const [address] = addresses;
    const text = typeof address === "string" ? address : (address as { address: string }).address;
    found.set(text.split("/")[0], name);
  }
  return found;
}

/** As one would write it by hand: short maps and lists in one line, quotes where any reader of YAML needs them. */
function print(content: unknown, files: readonly string[]): string {
  // YAML 1.1 has more traps than 1.2, and its printer quotes around all of them.
  const document = new Document(content, { version: "1.1" });
  document.commentBefore = ` Imported from ${files.join(", ")}`;
  visit(document, {
    Seq: (_key, node) => {
      node.flow = isShort(node);
    },
    Map: (_key, node, path) => {
      // Sections and the objects in them keep a line for each key.
      if (path.length > 5) node.flow = isShort(node);
    },
  });
  return document.toString({ lineWidth: 120, flowCollectionPadding: true, directives: false });
}

function isShort(node: YAMLMap | YAMLSeq): boolean {
  const values: readonly unknown[] = isSeq(node) ? node.items : node.items.map(({ value }) => value);
  const nested = values.some((value) => (isMap(value) || isSeq(value)) && !(isSeq(node) && isShort(value)));
  return !nested && JSON.stringify(node).length <= 80 &&
    values.every((value) => isScalar(value) || isMap(value) || isSeq(value));
}

/** The instances of several nodes, made into one file: what all have alike once, priorities by node, the rest under `nodes:`. */

type Document = Readonly<Record<string, unknown>>;

/** The instances of one node as they would be written for it alone; `source` is its own address. */
export interface NodeInstances {
  readonly node: string | null;
  readonly instances: ReadonlyMap<string, Document>;
}

export interface MergedNodes {
  readonly nodes: Readonly<Record<string, Document>>;
  readonly vrrp: Readonly<Record<string, Document>>;
}

export function mergeNodes(readings: readonly NodeInstances[]): MergedNodes {
  const named = new Map(readings.flatMap(({ node, instances }) => node === null ? [] : [[node, instances]]));
  if (named.size === 0) {
    const instances = [...readings[0]?.instances ?? []];
    return { nodes: {}, vrrp: Object.fromEntries(instances.map(([name, document]) => [name, foldSource(document)])) };
  }
  const names = new Set([...named.values()].flatMap((instances) => [...instances.keys()]));
  const merged = [...names].map((name) => mergeInstance(name, named));
  const nodes = [...named.keys()].map((node): [string, Document] => {
    const address = merged.map((one) => one.addresses.get(node)).find((found) => found !== undefined);
    const overrides = merged.flatMap(({ name, overrides }) => overrides.has(node) ? [[name, overrides.get(node)]] : []);
    return [node, {
      ...(address && { address }),
      ...(overrides.length > 0 && { vrrp: Object.fromEntries(overrides) }),
    }];
  });
  return {
    nodes: Object.fromEntries(nodes),
    vrrp: Object.fromEntries(merged.map(({ name, common }) => [name, common])),
  };
}

interface MergedInstance {
  readonly name: string;
  readonly common: Document;
  /** What a node has otherwise; null where it does not have the instance. */
  readonly overrides: ReadonlyMap<string, Document | null>;
  /** The nodes' own addresses, as far as the instance tells. */
  readonly addresses: ReadonlyMap<string, string>;
}

type Named = ReadonlyMap<string, ReadonlyMap<string, Document>>;

function mergeInstance(name: string, named: Named): MergedInstance {
  const present = [...named].flatMap(([node, instances]): [string, Document][] => {
    const document = instances.get(name);
    return document === undefined ? [] : [[node, document]];
  });
  const { addresses, peers } = ownAddresses(present);
  const documents = new Map(present.map(([node, { source: _source, ...document }]) => [
    node,
    // The same list on every node: each knows its own address in it.
    peers !== null && document.unicast
      ? { ...document, unicast: { peers } }
      : foldSource({ ...document, source: _source }),
  ]));
  const common: Record<string, unknown> = {};
  const overrides = new Map<string, Record<string, unknown> | null>();
  for (const key of new Set([...documents.values()].flatMap(Object.keys))) {
    const values = new Map([...documents].map(([node, document]) => [node, document[key]]));
    const [first] = values.values();
    if ([...values.values()].every((value) => isSame(value, first))) common[key] = first;
    else if (key === "priority") {
      common[key] = Object.fromEntries([...values].map(([node, value]) => [node, value ?? 100]));
    } else {
      if (first !== undefined) common[key] = first;
      for (const [node, value] of values) {
        if (!isSame(value, first)) overrides.set(node, { ...overrides.get(node), [key]: value ?? null });
      }
    }
  }
  for (const node of named.keys()) if (!documents.has(node)) overrides.set(node, null);
  return { name, common, overrides, addresses };
}

interface OwnAddresses {
  readonly addresses: ReadonlyMap<string, string>;
  /** Of all nodes, where each one's own address is known; else null. */
  readonly peers: readonly string[] | null;
}

/** A node's own address is its source, else the one that all others name as a peer and it does not. */
function ownAddresses(documents: readonly [string, Document][]): OwnAddresses {
  const peersOf = (document: Document) => (document.unicast as { peers: string[] } | undefined)?.peers ?? [];
  const everyone = new Set(documents.flatMap(([, document]) => peersOf(document)));
  const addresses = new Map<string, string>();
  for (const [node, document] of documents) {
    const others = [...everyone].filter((peer) => !peersOf(document).includes(peer));
    const own = document.source ?? (document.unicast && others.length === 1 ? others[0] : undefined);
    if (typeof own === "string") addresses.set(node, own);
  }
  if (everyone.size === 0 || addresses.size < documents.length) return { addresses, peers: null };
  return { addresses, peers: [...new Set([...addresses.values(), ...everyone])] };
}

/** Without a node entry to tell the own address, `unicast` does. */
function foldSource({ source, ...document }: Document): Document {
  if (source === undefined || document.unicast === undefined) return document;
  return { ...document, unicast: { ...document.unicast as Document, source } };
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

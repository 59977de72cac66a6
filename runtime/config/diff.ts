/** What lies between two configurations, object by object. Pure. Start is a diff from nothing, stop one to nothing. */
import type { Config } from "./model.ts";

/** One key that differs, in the words of the file: "timeouts.client", "servers.node02.weight". Values are not told: some are secret. */
export interface KeyChange {
  readonly key: string;
  readonly how: "added" | "removed" | "changed";
}

/** Names by what happens to them. What is kept is not touched. */
export interface Change {
  readonly create: readonly string[];
  readonly update: readonly { readonly name: string; readonly changes: readonly KeyChange[] }[];
  readonly remove: readonly string[];
  readonly keep: readonly string[];
}

export interface Plan {
  readonly vrrp: Change;
  readonly frontends: Change;
  readonly backends: Change;
  readonly plugins: Change;
  /** `proxy`, `admin`, `metrics`, `log`, `isolation`, `notify`, `cluster`, `nodes` and which node this is. */
  readonly settings: readonly KeyChange[];
}

export function diff(running: Config | null, wanted: Config | null): Plan {
  return {
    vrrp: compareNamed(running?.vrrp ?? [], wanted?.vrrp ?? []),
    frontends: compareNamed(running?.frontends ?? [], wanted?.frontends ?? []),
    backends: compareNamed(running?.backends ?? [], wanted?.backends ?? []),
    plugins: compareNamed(running?.plugins ?? [], wanted?.plugins ?? []),
    settings: running === null || wanted === null ? [] : compareValues(settings(running), settings(wanted), ""),
  };
}

/** Whether a reload would do nothing at all. */
export function isEmpty(plan: Plan): boolean {
  const { vrrp, frontends, backends, plugins } = plan;
  return plan.settings.length === 0 &&
    [vrrp, frontends, backends, plugins].every(({ create, update, remove }) =>
      create.length + update.length + remove.length === 0
    );
}

function settings({ node, nodes, cluster, proxy, admin, metrics, log, isolation, notify }: Config) {
  return { node, nodes, cluster, proxy, admin, metrics, log, isolation, notify };
}

interface Named {
  readonly name: string;
}

function compareNamed<T extends Named>(running: readonly T[], wanted: readonly T[]): Change {
  const before = byName(running);
  const after = byName(wanted);
  const create: string[] = [];
  const update: { name: string; changes: readonly KeyChange[] }[] = [];
  const keep: string[] = [];
  for (const [name, one] of after) {
    const old = before.get(name);
    const changes = old === undefined ? [] : compareValues(old, one, "");
    if (old === undefined) create.push(name);
    else if (changes.length === 0) keep.push(name);
    else update.push({ name, changes });
  }
  return { create, update, keep, remove: [...before.keys()].filter((name) => !after.has(name)) };
}

/** The keys that differ below `path`. Lists of named things differ by name and in order, other lists as a whole. */
function compareValues(before: unknown, after: unknown, path: string): readonly KeyChange[] {
  if (Object.is(before, after)) return [];
  if (areNamed(before) && areNamed(after)) {
    const changes = compareMaps(byName(before), byName(after), path);
    // Round robin goes through servers in their order; the first frontend to bind wins.
    const reordered = changes.length === 0 && before.some(({ name }, index) => name !== after[index].name);
    return reordered ? [{ key: path, how: "changed" }] : changes;
  }
  if (isRecord(before) && isRecord(after)) {
    return compareMaps(new Map(Object.entries(before)), new Map(Object.entries(after)), path, yamlKey);
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    const same = before.every((item, index) => compareValues(item, after[index], path).length === 0);
    return same ? [] : [{ key: path, how: "changed" }];
  }
  if (isAbsent(before)) return [{ key: path, how: "added" }];
  return [{ key: path, how: isAbsent(after) ? "removed" : "changed" }];
}

function compareMaps(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  path: string,
  spell: (key: string) => string = (key) => key,
): readonly KeyChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) => {
    const spelled = path === "" ? spell(key) : `${path}.${spell(key)}`;
    return compareValues(before.get(key), after.get(key), spelled);
  });
}

/** Names of the model that are not the file's in snake case. */
const spelling: Readonly<Record<string, string>> = {
  advertInterval: "advert_int",
  addresses: "virtual_addresses",
  binds: "bind",
};

function yamlKey(key: string): string {
  return spelling[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function byName<T extends Named>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function areNamed(value: unknown): value is readonly Named[] {
  return Array.isArray(value) && value.every((item) => isRecord(item) && typeof item.name === "string");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined;
}

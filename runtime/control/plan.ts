/** What lies between two configurations, object by object. Pure. Start is a plan from nothing, stop a plan to nothing. */
import type { Config } from "../config/model.ts";

/** Names by what happens to them. What is kept is not touched. */
export interface Change {
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly remove: readonly string[];
  readonly keep: readonly string[];
}

export interface Plan {
  readonly vrrp: Change;
  readonly frontends: Change;
  readonly backends: Change;
  /** Sentences about what changed but takes effect only at the next start. */
  readonly deferred: readonly string[];
}

export function planChange(running: Config | null, wanted: Config | null): Plan {
  return {
    vrrp: compare(running?.vrrp ?? [], wanted?.vrrp ?? []),
    frontends: compare(running?.frontends ?? [], wanted?.frontends ?? []),
    backends: compare(running?.backends ?? [], wanted?.backends ?? []),
    deferred: running === null || wanted === null ? [] : deferred(running, wanted),
  };
}

/** Whether anything of `change` differs from what runs. */
export function isChanged({ create, update, remove }: Change): boolean {
  return create.length + update.length + remove.length > 0;
}

/** "created http-in, updated VI_1", or "nothing changed". */
export function describePlan(plan: Plan): string {
  const verbs = { create: "created", update: "updated", remove: "removed" } as const;
  const parts = (["create", "update", "remove"] as const).flatMap((kind) => {
    const names = [...plan.vrrp[kind], ...plan.frontends[kind], ...plan.backends[kind]];
    return names.length === 0 ? [] : [`${verbs[kind]} ${names.join(", ")}`];
  });
  return [...parts.length === 0 ? ["nothing changed"] : parts, ...plan.deferred].join("; ");
}

function compare<T extends { readonly name: string }>(running: readonly T[], wanted: readonly T[]): Change {
  const before = new Map(running.map((one) => [one.name, one]));
  const names = (items: readonly T[]) => items.map(({ name }) => name);
  const same = (one: T) => before.has(one.name) && isEqual(before.get(one.name), one);
  return {
    create: names(wanted.filter((one) => !before.has(one.name))),
    update: names(wanted.filter((one) => before.has(one.name) && !same(one))),
    remove: names(running.filter(({ name }) => !wanted.some((one) => one.name === name))),
    keep: names(wanted.filter(same)),
  };
}

function deferred(running: Config, wanted: Config): string[] {
  const sentence = (what: string) => `${what} takes effect when the node is started again`;
  return [
    ...running.node === wanted.node ? [] : [sentence(`node "${wanted.node}" instead of "${running.node}"`)],
    ...isEqual(running.proxy.threads, wanted.proxy.threads) ? [] : [sentence("proxy.threads")],
    ...running.proxy.user === wanted.proxy.user ? [] : [sentence("proxy.user")],
    ...isEqual(running.admin, wanted.admin) ? [] : [sentence("admin")],
    ...running.log.level === wanted.log.level ? [] : [sentence("log.level")],
  ];
}

/** Equal in structure; the order of keys does not matter. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = b as Readonly<Record<string, unknown>>;
  return left.length === Object.keys(b).length &&
    left.every(([key, value]) => key in right && isEqual(value, right[key]));
}

/**
 * What the operator said that differs from the configuration: servers in drain or maintenance, their weights, and planned
 * moves that stay moved. Kept in the state directory, so it outlives restarts and reloads.
 */
import type { Hold } from "../vrrp/protocol.ts";

/** Who said it, why, since when and until when (ms since the epoch; null = until it is taken back). */
export interface Said {
  readonly by: string;
  readonly reason: string;
  readonly since: number;
  readonly until: number | null;
}

/** One word about one server: its state or its weight. Each has its own reason and its own end. */
export type ServerOverride = StateOverride | WeightOverride;

export interface StateOverride extends Said {
  readonly backend: string;
  readonly server: string;
  readonly state: "drain" | "maint";
  readonly weight: null;
}

export interface WeightOverride extends Said {
  readonly backend: string;
  readonly server: string;
  readonly state: null;
  readonly weight: number;
}

/** All that is said of one server; null = as its check says, as configured. */
export interface ServerWords {
  readonly state: StateOverride | null;
  readonly weight: WeightOverride | null;
}

/** Everything that is overridden on this node. */
export interface Overrides {
  readonly servers: readonly ServerOverride[];
  /** By instance. */
  readonly holds: Readonly<Record<string, Hold>>;
}

export const none: Overrides = { servers: [], holds: {} };

/** A change of one server by the operator. `ready` takes drain and maintenance back. */
export interface ServerChange extends Said {
  readonly state?: "ready" | "drain" | "maint";
  readonly weight?: number;
}

export function serverWords({ servers }: Overrides, backend: string, server: string): ServerWords {
  const words = servers.filter((one) => one.backend === backend && one.server === server);
  return {
    state: words.find((one) => one.state !== null) ?? null,
    weight: words.find((one) => one.weight !== null) ?? null,
  };
}

/**
 * Overrides after `change`. What the change does not name stays as it is, with its own reason and end. `configured` is the
 * server's own weight: setting that one is taking a weight back.
 */
export function changeServer(
  overrides: Overrides,
  backend: string,
  server: string,
  change: ServerChange,
  configured: number,
): Overrides {
  const { by, reason, since, until, state, weight } = change;
  const before = serverWords(overrides, backend, server);
  const replaced = [state === undefined ? null : before.state, weight === undefined ? null : before.weight];
  const servers: ServerOverride[] = overrides.servers.filter((one) => !replaced.includes(one));
  const said = { backend, server, by, reason, since, until };
  if (state === "drain" || state === "maint") servers.push({ ...said, state, weight: null });
  if (weight !== undefined && weight !== configured) servers.push({ ...said, state: null, weight });
  return { ...overrides, servers };
}

export function setHold(overrides: Overrides, instance: string, hold: Hold | null): Overrides {
  const { [instance]: _, ...holds } = overrides.holds;
  return { ...overrides, holds: hold === null ? holds : { ...holds, [instance]: hold } };
}

/** Overrides without those whose time is over at `now`; the same value when there are none. */
export function expire(overrides: Overrides, now: number): Overrides {
  const holds = Object.entries(overrides.holds);
  const lasts = ({ until }: { readonly until: number | null }) => until === null || until > now;
  if (overrides.servers.every(lasts) && holds.every(([, hold]) => lasts(hold))) return overrides;
  return {
    servers: overrides.servers.filter(lasts),
    holds: Object.fromEntries(holds.filter(([, hold]) => lasts(hold))),
  };
}

/** When the next override ends, ms since the epoch; null when none does by itself. */
export function nextExpiry(overrides: Overrides): number | null {
  const ends = [...overrides.servers, ...Object.values(overrides.holds)].flatMap(({ until }) => until ?? []);
  return ends.length === 0 ? null : Math.min(...ends);
}

const fileName = "overrides.json";

/**
 * Reads what an earlier run kept; `none` when there is nothing.
 *
 * @throws {Error} when there is a file that cannot be understood: forgetting what the operator said is worse than saying so.
 */
export async function loadOverrides(directory: string): Promise<Overrides> {
  const path = `${directory}/${fileName}`;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return none;
    throw new Error(`Cannot read "${path}"`, { cause });
  }
  const kept = decodeOverrides(text);
  if (kept !== null) return kept;
  throw new Error(`Cannot read the overrides in "${path}": it is damaged; remove it to go on without them`);
}

/** null: it is not what `saveOverrides` writes, in any part. */
function decodeOverrides(text: string): Overrides | null {
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(kept) || !Array.isArray(kept.servers) || !isObject(kept.holds)) return null;
  const { servers, holds } = kept;
  if (!servers.every(isKept) || !Object.values(holds).every(isSaid)) return null;
  return { servers: servers.flatMap(wordsOf), holds: holds as Overrides["holds"] };
}

/** As it stands in the file: earlier versions kept state and weight of a server as one entry, with one reason and end. */
interface Kept extends Said {
  readonly backend: string;
  readonly server: string;
  readonly state: "drain" | "maint" | null;
  readonly weight: number | null;
}

function wordsOf({ state, weight, ...said }: Kept): ServerOverride[] {
  return [
    ...state === null ? [] : [{ ...said, state, weight: null }],
    ...weight === null ? [] : [{ ...said, state: null, weight }],
  ];
}

function isKept(value: unknown): value is Kept {
  if (!isObject(value)) return false;
  const { backend, server, state, weight } = value;
  return isSaid(value) && typeof backend === "string" && typeof server === "string" &&
    (state === null || state === "drain" || state === "maint") &&
    (weight === null || (Number.isInteger(weight) && Number(weight) >= 0 && Number(weight) <= 256));
}

function isSaid(value: unknown): value is Said {
  if (!isObject(value)) return false;
  const { by, reason, since, until } = value;
  return typeof by === "string" && typeof reason === "string" && isTime(since) && (until === null || isTime(until));
}

/** Within what a Date can tell. */
function isTime(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes `overrides` so that a crash leaves the old or the new file, never half of one. */
export async function saveOverrides(directory: string, overrides: Overrides): Promise<void> {
  const path = `${directory}/${fileName}`;
  await Deno.writeTextFile(`${path}.new`, JSON.stringify(overrides, null, 2) + "\n", { mode: 0o640 });
  await Deno.rename(`${path}.new`, path);
}

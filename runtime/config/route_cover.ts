/** Whether one match takes everything that another would: then a later route with the latter is never reached. */
import { type Cidr, contains, parseCidr } from "../bytes/address.ts";
import { parsePathPattern } from "../http/path_pattern.ts";
import type { MatchDraft } from "./route_schema.ts";

type List = readonly (string | undefined)[] | null | undefined;
type Named = ReadonlyMap<string, List | undefined> | null | undefined;

/**
 * Whether every request that meets `narrow` meets `wide`; null meets everything. Where this cannot be told, as of a key
 * whose value is wrong, it is not so.
 */
export function covers(wide: MatchDraft | null, narrow: MatchDraft | null): boolean {
  if (wide === null) return true;
  if (Object.values(wide).includes(undefined)) return false;
  return coversList(wide.host, narrow?.host, coversHost) &&
    coversList(wide.path, narrow?.path, coversPath) &&
    coversList(wide.method, narrow?.method, (one, other) => one === other) &&
    coversNamed(wide.header, narrow?.header, (name) => name.toLowerCase()) &&
    coversNamed(wide.query, narrow?.query, (name) => name) &&
    coversList(wide.sni, narrow?.sni, coversHost) &&
    coversList(wide.client, narrow?.client, coversNetwork);
}

/** Whether each of `narrow` is covered by one of `wide`; nothing given is everything. */
function coversList(wide: List, narrow: List, covers: (wide: string, narrow: string) => boolean): boolean {
  if (!wide) return true;
  if (!narrow) return wide.some((one) => one !== undefined && EVERYTHING.has(one));
  return narrow.every((other) =>
    other !== undefined && wide.some((one) => one !== undefined && (one === other || covers(one, other)))
  );
}

const EVERYTHING: ReadonlySet<string> = new Set(["*", "/*"]);

function coversHost(wide: string, narrow: string): boolean {
  return wide.startsWith("*.") && narrow.endsWith(wide.slice(1));
}

/** A pattern without parameters that ends in `/*` covers what begins like it. */
function coversPath(wide: string, narrow: string): boolean {
  const [one, other] = [parsePathPattern(wide), parsePathPattern(narrow)];
  if (!one.ok || !other.ok || one.value.restAfter < 0 || one.value.text.includes(":")) return false;
  const prefix = one.value.text.slice(0, -2);
  return other.value.text === prefix || other.value.text.startsWith(`${prefix}/`);
}

function coversNetwork(wide: string, narrow: string): boolean {
  const [one, other]: Cidr[] = [parseCidr(wide), parseCidr(narrow)];
  return one.prefix <= other.prefix && contains(one, other.address);
}

function coversNamed(wide: Named, narrow: Named, fold: (name: string) => string): boolean {
  const given = new Map([...narrow ?? []].map(([name, values]) => [fold(name), values]));
  return [...wide ?? []].every(([name, values]) => {
    const other = given.get(fold(name));
    return other !== undefined && (values?.includes("*") || other?.every((value) => values?.includes(value)));
  });
}

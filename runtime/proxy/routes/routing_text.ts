/**
 * What routing does, on its way to the engine threads: as text that is compared at every reload and read only where it
 * changed, and of which a route's own text is read when the first request takes it. As objects, ten thousand routes
 * would hold up every thread for a tenth of a second before it had compiled one.
 */
import type { MatchOptions, RouteOptions, RoutingOptions } from "./options.ts";

export interface RoutingText {
  /** Everything but the routes, and what all of them match. */
  readonly common: string;
  /** One text for each route. */
  readonly routes: readonly string[];
}

/** What routing does, as the engine looks at it. */
export interface RoutingSource extends Omit<RoutingOptions, "routes"> {
  /** Of all routes, in their order. */
  readonly matches: readonly MatchOptions[];
  route(index: number): RouteOptions;
}

export function packRouting({ routes, ...rest }: RoutingOptions): RoutingText {
  const common = JSON.stringify({ ...rest, matches: routes.map(({ match }) => match) });
  return { common, routes: routes.map((route) => JSON.stringify(route)) };
}

export function unpackRouting({ common, routes }: RoutingText): RoutingSource {
  return { ...JSON.parse(common), route: (index) => JSON.parse(routes[index]) };
}

export function isSameRouting(one: RoutingText | null, other: RoutingText | null): boolean {
  if (one === null || other === null) return one === other;
  return one.common === other.common && one.routes.every((text, index) => text === other.routes[index]);
}

/**
 * Packages that a bundle carries for applications, which could not have them otherwise: there is no registry at a start, and
 * nothing of a package's files. Each is loaded when it is first asked for.
 */

const packages = {
  "hono": () => import("hono"),
  "hono/basic-auth": () => import("hono/basic-auth"),
  "hono/bearer-auth": () => import("hono/bearer-auth"),
  "hono/body-limit": () => import("hono/body-limit"),
  "hono/combine": () => import("hono/combine"),
  "hono/cookie": () => import("hono/cookie"),
  "hono/cors": () => import("hono/cors"),
  "hono/csrf": () => import("hono/csrf"),
  "hono/etag": () => import("hono/etag"),
  "hono/factory": () => import("hono/factory"),
  "hono/html": () => import("hono/html"),
  "hono/http-exception": () => import("hono/http-exception"),
  "hono/jwt": () => import("hono/jwt"),
  "hono/logger": () => import("hono/logger"),
  "hono/method-override": () => import("hono/method-override"),
  "hono/pretty-json": () => import("hono/pretty-json"),
  "hono/request-id": () => import("hono/request-id"),
  "hono/secure-headers": () => import("hono/secure-headers"),
  "hono/streaming": () => import("hono/streaming"),
  "hono/timeout": () => import("hono/timeout"),
  "hono/timing": () => import("hono/timing"),
  "hono/trailing-slash": () => import("hono/trailing-slash"),
  "hono/validator": () => import("hono/validator"),
} as const satisfies Readonly<Record<string, () => Promise<object>>>;

/** What applications may import by these names. */
export const carriedNames: readonly string[] = Object.keys(packages);

/** The package of this name. @throws {RangeError} when there is none */
export function carried(name: string): Promise<object> {
  if (!Object.hasOwn(packages, name)) throw new RangeError(`No package "${name}" is carried`);
  return packages[name as keyof typeof packages]();
}

/** Under it {@linkcode carried} is found in the process of an application that this same program runs. */
export const CARRIED = Symbol.for("tandem.carried");

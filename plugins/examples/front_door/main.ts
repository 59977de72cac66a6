/**
 * A front door: who shows no known key is turned away, who does is passed on under a name and without the key. An
 * ordinary Hono application, used by a route:
 *
 *     plugins: { door: { source: ./front_door, with: { keys: { ann: 9f86d0… } } } }
 *     routes: [{ match: { path: /api/* }, app: door }]
 *
 * A key is known by the hexadecimal SHA-256 of it: what is in the configuration opens nothing.
 */
import { type AppContext, defineApp, forward, s } from "tandem/plugin";
import { Hono } from "hono";

/** What a request is answered with: the configuration, and who asks. */
interface Env {
  readonly Bindings: AppContext<{
    /** Names of callers, and the digests of their keys. */
    readonly keys: Readonly<Record<string, string>>;
    readonly backend: string;
  }>;
  readonly Variables: { readonly caller: string };
}

const door = new Hono<Env>();

// Answered here, for everybody.
door.get("/api/door", (c) => c.text("open\n"));

door.use(async (c, next) => {
  const key = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1];
  const caller = key === undefined ? undefined : await callerOf(key, c.env.config.keys);
  if (caller === undefined) {
    return c.text("Show your key: Authorization: Bearer …\n", 401, { "www-authenticate": 'Bearer realm="api"' });
  }
  c.set("caller", caller);
  await next();
  // Behind the balancer: the answer is on its way back.
  c.res.headers.set("x-caller", caller);
  c.res.headers.delete("x-powered-by");
});

door.all("*", (c) =>
  forward(c.env.config.backend, (headers) => {
    headers.delete("authorization");
    headers.set("x-caller", c.get("caller"));
  })(c));

// Who does not get an answer is told so, and the operator why.
door.onError((error, c) => {
  c.env.log.error(`${c.req.method} ${c.req.path}: ${error.message}`);
  return c.text("Try again later.\n", 502);
});

/** Comparing digests tells nothing of the keys that are near. */
async function callerOf(key: string, keys: Readonly<Record<string, string>>): Promise<string | undefined> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const digest = new Uint8Array(bytes).toHex();
  return Object.keys(keys).find((name) => keys[name] === digest);
}

export default defineApp({
  config: {
    keys: s.map(s.string({ pattern: "^[0-9a-f]{64}$" }), { description: "SHA-256 of each caller's key, by name" }),
    backend: s.string({ default: "web", description: "who answers those that are let in" }),
  },
  fetch: (request, ctx) => door.fetch(request, ctx),
});

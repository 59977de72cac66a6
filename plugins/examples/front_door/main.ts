/**
 * A front door: who shows no known key is turned away, who does is passed on under a name and without the key. An
 * ordinary Hono application, used by a route:
 *
 *     routes: [{ match: { path: /api/* }, app: ./plugins/examples/front_door/main.ts }]
 *
 * `FRONT_DOOR_KEYS` holds names and SHA-256 digests of their keys: "ann=9f86d0…,bob=60303a…".
 */
import { forward } from "tandem/plugin";
import { Hono } from "hono";

/** Names by the hexadecimal digest of their key. Looking up a digest tells nothing of the keys that are near. */
export type Keys = ReadonlyMap<string, string>;

export function frontDoor(keys: Keys, backend: string): Hono<{ Variables: { caller: string } }> {
  const app = new Hono<{ Variables: { caller: string } }>();
  // Answered here, for everybody.
  app.get("/api/door", (c) => c.text("open\n"));
  app.use(async (c, next) => {
    const key = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1];
    const caller = key === undefined ? undefined : keys.get(await digest(key));
    if (caller === undefined) {
      return c.text("Show your key: Authorization: Bearer …\n", 401, { "www-authenticate": 'Bearer realm="api"' });
    }
    c.set("caller", caller);
    await next();
    // Behind the balancer: the answer is on its way back.
    c.res.headers.set("x-caller", caller);
    c.res.headers.delete("x-powered-by");
  });
  app.all("*", (c) =>
    forward(backend, (headers) => {
      headers.delete("authorization");
      headers.set("x-caller", c.get("caller"));
    })(c));
  return app;
}

/** Reads "ann=9f86d0…,bob=60303a…". @throws {SyntaxError} on anything else */
export function parseKeys(text: string): Keys {
  return new Map(
    text.split(",").filter((entry) => entry !== "").map((entry) => {
      const [, name, hash] = /^([\w.-]+)=([0-9a-f]{64})$/.exec(entry.trim()) ?? [];
      if (name === undefined) throw new SyntaxError("Cannot read FRONT_DOOR_KEYS: each entry must be NAME=SHA-256");
      return [hash, name];
    }),
  );
}

async function digest(key: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return new Uint8Array(bytes).toHex();
}

export default frontDoor(parseKeys(Deno.env.get("FRONT_DOOR_KEYS") ?? ""), "web");

/**
 * The target of a request as the client wrote it. An application sees a URL, which is normalised ("/a/../b" is "/b"), and a
 * request that is made from another keeps its fields only: so the target travels as one, which only this process sets.
 */

/** The field that carries it from the server of an application to its `forward`, and no further. */
export const TARGET_FIELD = "x-tandem-target";

/** An application's request: its URL is that of the client, for on a Unix socket there is no host but in the fields. */
export function requestOf(target: string, init: Request | RequestInit & { readonly headers: Headers }): Request {
  const { headers } = init;
  const host = headers.get("host") ?? "localhost";
  const scheme = headers.get("x-forwarded-proto") === "https" ? "https" : "http";
  const request = new Request(urlOf(`${scheme}://${host}`, target), init);
  // Whatever the client calls so is not ours.
  request.headers.delete(TARGET_FIELD);
  if (target.startsWith("/")) request.headers.set(TARGET_FIELD, target);
  return request;
}

/** What to ask the balancer for: the target as it came, unless the application asks for something else. */
export function targetOf(request: Request): string {
  const { origin, pathname, search } = new URL(request.url);
  const sent = request.headers.get(TARGET_FIELD);
  if (sent !== null && /^\/[\x21-\x7e]*$/.test(sent)) {
    const same = new URL(urlOf(origin, sent));
    if (same.pathname === pathname && same.search === search) return sent;
  }
  return pathname + search;
}

/** "//a/b" is a path here, and not the host "a". */
function urlOf(origin: string, target: string): string {
  return target.startsWith("/") ? origin + target : `${origin}/`;
}

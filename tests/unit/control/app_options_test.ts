/** What the proxy is told of applications. */
import assert from "node:assert/strict";
import type { RouteConfig } from "../../../runtime/config/route_model.ts";
import { appBackend, appOf, appVerdict, balancerFrontend, routeOptions } from "../../../runtime/control/app_options.ts";

const none = { set: {}, add: {}, remove: [] };
const route = (action: RouteConfig["action"]): RouteConfig => ({
  match: { hosts: [], paths: [], methods: [], headers: [], query: [], clients: [] },
  action,
  allow: [],
  deny: [],
  basicAuth: null,
  rateLimit: null,
  forwardAuth: null,
  bodyLimit: null,
  timeouts: { connect: null, server: null, client: null, tunnel: null },
  retry: { attempts: null, repeat: "safe", on: [] },
  requestHeaders: none,
  responseHeaders: none,
});

Deno.test("routeOptions() sends an application's requests to its backend, and on where it may fail", () => {
  const rows = [
    ["block", "web", null],
    ["pass", "web", "web"],
  ] as const;
  for (const [onFailure, fallback, otherwise] of rows) {
    const { action } = routeOptions(route({ type: "app", app: "./a.ts", onFailure }), fallback);
    assert.deepEqual(action, { type: "backend", backend: "app:./a.ts", rewrite: null, otherwise });
    assert.equal(appOf(action), "./a.ts");
  }
  const other = route({ type: "backend", backend: "web", rewrite: null });
  assert.deepEqual(routeOptions(other, null), other);
  assert.equal(appOf(routeOptions(other, null).action), null);
});

Deno.test("an application is a server on a Unix socket, up while it runs", () => {
  const { name, servers } = appBackend("./a.ts", "/run/a.sock");
  assert.deepEqual([name, servers.map(({ address }) => address)], ["app:./a.ts", ["unix:/run/a.sock"]]);
  assert.deepEqual(appVerdict("./a.ts", false), { backend: name, server: servers[0].name, state: "down", weight: 1 });
  assert.equal(appVerdict("./a.ts", true).state, "up");
});

Deno.test("balancerFrontend() takes each backend by its name, nothing else, and tells no server how it was asked", () => {
  const { binds, forwardfor, routes = [], requestHeaders } = balancerFrontend(["/run/b.sock"], ["web", "api"]);
  assert.deepEqual(binds, [{ address: "unix:/run/b.sock", port: 0, proxyProtocol: true }]);
  assert.equal(forwardfor, false);
  assert.deepEqual(requestHeaders?.remove, ["x-tandem-backend"]);
  const seen = routes.map((
    { match, action },
  ) => [match.headers.map(({ values }) => values.join()).join(), action.type]);
  assert.deepEqual(seen, [["web", "backend"], ["api", "backend"], ["", "respond"]]);
});

/** What the proxy is told of applications. */
import assert from "node:assert/strict";
import type { RouteConfig } from "../../../runtime/config/route_model.ts";
import {
  appBackend,
  appOf,
  appVerdict,
  balancerFrontends,
  routeOptions,
} from "../../../runtime/control/app_options.ts";

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

const backends = [{ name: "web" }, { name: "api" }];

Deno.test("balancerFrontends() take each backend by its name, nothing else, and tell no server how it was asked", () => {
  const [{ binds, forwardfor, routes = [], requestHeaders }] = balancerFrontends(
    [{ name: "own", socket: "/run/b.sock" }],
    { backends, maxconn: 10_000 },
  );
  assert.deepEqual(binds, [{ address: "unix:/run/b.sock", port: 0, proxyProtocol: true }]);
  assert.equal(forwardfor, false);
  assert.deepEqual(requestHeaders?.remove, ["x-tandem-backend"]);
  const seen = routes.map((
    { match, action },
  ) => [match.headers.map(({ values }) => values.join()).join(), action.type]);
  assert.deepEqual(seen, [["web", "backend"], ["api", "backend"], ["", "respond"]]);
});

Deno.test("balancerFrontends() give each application a room of its own, beside that of the clients", () => {
  const forwarding = ["own", "0", "1"].map((name) => ({ name, socket: `/run/${name}.sock` }));
  for (const [maxconn, share] of [[10_000, 5000], [300, 256], [1, 256]]) {
    const all = balancerFrontends(forwarding, { backends, maxconn });
    assert.deepEqual(all.map(({ name }) => name), ["app:forward/own", "app:forward/0", "app:forward/1"]);
    assert.deepEqual(all.map(({ maxconn, apart }) => [maxconn, apart]), Array(3).fill([share, true]));
    assert.ok(all.every(({ timeouts }) => timeouts.httpRequest <= 5000 && timeouts.keepAlive <= 5000));
  }
});

/**
 * What routes cost: one proxy process with a frontend for each case, in turns, before the same nginx. CPU a request by
 * /proc; the median of the rounds, and the difference to a frontend that has none. Then how long a request waits at most
 * while a reload brings thousands of routes: a thread that does not turn for a second counts as failed.
 *
 *     deno run -A tests/bench/routes.ts [--rounds N] [--seconds N] [--io uring|epoll] [--only name,…]
 */
import { parseArgs } from "node:util";
import type { FrontendOptions } from "../../runtime/proxy/protocol.ts";
import { backend, freePort, frontend, ProxyUnderTest, Wire } from "../interop/proxy_support.ts";
import { missing } from "../support/requirements.ts";
import { Scratch } from "../support/scratch.ts";
import { match, NO_FIELDS, route } from "../unit/proxy/routes/request.ts";
import { cpuOf, wrk } from "./measure.ts";
import { startOrigin } from "./subjects.ts";

const toWeb = { type: "backend", backend: "web", rewrite: null } as const;
const path = (path: string) => route({ match: match({ paths: [path] }), action: toWeb });

const cases: readonly (readonly [name: string, options: Partial<FrontendOptions>])[] = [
  ["none", {}],
  ["host", { routes: [route({ match: match({ hosts: ["127.0.0.1"] }), action: toWeb })] }],
  ["path", { routes: [path("/*")] }],
  ["100 paths", { routes: [...Array.from({ length: 99 }, (_, i) => path(`/service${i}/*`)), path("/")] }],
  ["client", { routes: [route({ match: match({ clients: ["127.0.0.0/8"] }), action: toWeb })] }],
  ["fields", {
    responseHeaders: { ...NO_FIELDS, set: { "strict-transport-security": "max-age=1" }, remove: ["server"] },
  }],
  ["template", { requestHeaders: { ...NO_FIELDS, set: { "x-request-id": "{request_id}" } } }],
  ["rate", { routes: [route({ rateLimit: { key: "client_ip", rate: 1e6, burst: 1e6 }, action: toWeb })] }],
  ["respond", { routes: [route({ action: { type: "respond", status: 200, headers: {}, body: "ok" } })] }],
];

const MANY = 10_000;
const many = (change: (i: number) => Parameters<typeof match>[0]) =>
  Array.from({ length: MANY }, (_, i) => route({ match: match(change(i)), action: toWeb }));
const reloads: readonly (readonly [name: string, routes: () => FrontendOptions["routes"]])[] = [
  ["none", () => []],
  ["paths", () => many((i) => ({ paths: [`/service${i}/*`] }))],
  ["below one path", () => many((i) => ({ paths: [`/api/v1/service${i}/:id`] }))],
  ["hosts", () => many((i) => ({ hosts: [`shop${i}.example`], paths: ["/cart/*"] }))],
  ["hosts, then paths", () => [
    ...many((i) => ({ hosts: [`shop${i}.example`], paths: ["/cart/*"] })).slice(20),
    ...many((i) => ({ paths: [`/service${i}/*`] })).slice(0, 20),
  ]],
];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
    io: { type: "string", default: "uring" },
    only: { type: "string", default: "" },
  },
});
const needed = missing(["program:wrk", "program:nginx"]);
if (needed !== null) {
  say(`Cannot measure: ${needed}`);
  Deno.exit(2);
}
const only = values.only.split(",").filter((name) => name !== "");
await main(cases.filter(([name]) => name === "none" || only.length === 0 || only.includes(name)));

async function main(chosen: typeof cases): Promise<void> {
  using scratch = new Scratch();
  const origin = await startOrigin(scratch.path);
  const proxy = new ProxyUnderTest(values.io);
  const ports = chosen.map(() => freePort());
  const pid = proxy.pid;
  try {
    await proxy.apply({
      frontends: chosen.map(([name, options], index) => frontend(name, ports[index], options)),
      backends: [backend("web", origin.ports)],
    });
    const costs = chosen.map((): number[] => []);
    for (const port of ports) await cost(pid, port, 1);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [index, port] of ports.entries()) costs[index].push(await cost(pid, port, Number(values.seconds)));
    }
    const [base] = costs.map(median);
    say(`CPU a request on ${values.io}, µs`);
    for (const [index, [name]] of chosen.entries()) {
      const each = median(costs[index]);
      say(
        `${name.padEnd(12)}${each.toFixed(1).padStart(7)}${
          `${each < base ? "" : "+"}${(each - base).toFixed(1)}`.padStart(8)
        }`,
      );
    }
    await measureReloads(proxy, origin.ports, ports[0]);
  } finally {
    await proxy[Symbol.asyncDispose]();
    await origin.stop();
  }
}

/** The one thread's longest silence while it takes routes, as a client sees it. */
async function measureReloads(proxy: ProxyUnderTest, origins: readonly number[], port: number): Promise<void> {
  say(`\nLongest wait of a request while ${MANY} routes are taken on ${values.io}, ms`);
  const backends = [backend("web", origins)];
  for (const [name, routes] of reloads) {
    const longest: number[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      await proxy.apply({ frontends: [frontend("none", port)], backends });
      using wire = await Wire.to(port);
      let applied = false;
      let wait = 0;
      const applying = proxy.apply({ frontends: [frontend("none", port, { routes: routes() })], backends })
        .then(() => applied = true);
      for (let more = 3; more > 0; more -= applied ? 1 : 0) {
        const began = performance.now();
        await wire.send("GET /service7777/x HTTP/1.1\r\nHost: shop7777.example\r\n\r\n");
        await wire.message();
        wait = Math.max(wait, performance.now() - began);
      }
      await applying;
      longest.push(wait);
    }
    say(`${name.padEnd(18)}${median(longest).toFixed(1).padStart(7)}`);
  }
}

async function cost(pid: number, port: number, seconds: number): Promise<number> {
  const before = cpuOf(pid);
  const { requests, errors } = await wrk(`http://127.0.0.1:${port}/`, { connections: 64, seconds });
  if (errors > 0) say(`${errors} of ${requests} requests failed`);
  return (cpuOf(pid) - before) * 1000 / requests;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

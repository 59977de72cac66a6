/**
 * What routes cost: one proxy process with a frontend for each case, in turns, before the same nginx. CPU a request by
 * /proc; the median of the rounds, and the difference to a frontend that has none.
 *
 *     deno run -A tests/bench/routes.ts [--rounds N] [--seconds N] [--io uring|epoll] [--only name,…]
 */
import { parseArgs } from "node:util";
import type { FrontendOptions } from "../../runtime/proxy/protocol.ts";
import { backend, freePort, frontend, ProxyUnderTest } from "../interop/proxy_support.ts";
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
  } finally {
    await proxy[Symbol.asyncDispose]();
    await origin.stop();
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

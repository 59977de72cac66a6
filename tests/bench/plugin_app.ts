/** An application on a route beside the route without one: what it adds to a request, in time and in processor time. */
import { freePort } from "../interop/proxy_support.ts";
import { Scratch } from "../support/scratch.ts";
import type { Cost } from "./cost.ts";
import { cpuOfOne, wrk } from "./measure.ts";
import { BenchNode } from "./plugin_node.ts";
import { startOrigin } from "./subjects.ts";

const ROUNDS = 3, SECONDS = 2;

const contract = new URL("../../plugins/contract.ts", import.meta.url).href;

/** `/own` is answered by the application itself, all else goes on through the balancer. */
const app = `import { forward } from "${contract}";
const on = forward("web", (headers) => headers.set("x-caller", "ann"));
export default {
  kind: "app",
  fetch(request, ctx) {
    if (new URL(request.url).pathname === "/own") return new Response("a small body, as an API would answer it\\n");
    return on({ env: ctx, req: { raw: request } });
  },
};
`;

interface Sample {
  /** ms */
  readonly latency: number;
  /** µs a request. */
  readonly proxy: number;
  readonly app: number;
}

export async function appCosts(running: AsyncDisposableStack): Promise<Cost[]> {
  const scratch = running.use(new Scratch());
  const origin = running.adopt(await startOrigin(scratch.path), (origin) => origin.stop());
  const [plainPort, appPort] = [freePort(), freePort()];
  const servers = origin.ports.map((each, index) => `s${index}: "127.0.0.1:${each}"`).join(", ");
  const node = running.use(
    await BenchNode.start({ "app.ts": app }, [
      "frontends:",
      `  plain: { bind: "127.0.0.1:${plainPort}", default_backend: web }`,
      `  apps: { bind: "127.0.0.1:${appPort}", default_backend: web, routes: [{ app: ./app.ts }] }`,
      `backends: { web: { servers: { ${servers} } } }`,
    ]),
  );
  const pid = await node.waitFor("the application runs", ({ apps }) => apps[0]?.state === "running" && apps[0].pid);
  const proxy = (await node.node.children()).get("proxy");
  if (proxy === undefined) throw new Error("Cannot measure an application: the node has no proxy");
  const urls = [`${plainPort}/`, `${appPort}/own`, `${appPort}/`].map((rest) => `http://127.0.0.1:${rest}`);
  const [plain, own, on] = await medians(urls, proxy, pid);
  return [
    { what: "app answers: added latency, p50", value: own.latency - plain.latency, unit: "ms", budget: 0.5 },
    { what: "app answers: its CPU a request", value: own.app, unit: "µs", budget: 150 },
    { what: "app forwards: added latency, p50", value: on.latency - plain.latency, unit: "ms", budget: 1 },
    { what: "app forwards: its CPU a request", value: on.app, unit: "µs", budget: 400 },
    // Two exchanges more, and a connection of its own for what is sent on.
    { what: "app forwards: the proxy's added CPU", value: on.proxy - plain.proxy, unit: "µs", budget: 100 },
    { what: "route without app: the proxy's CPU", value: plain.proxy, unit: "µs", budget: null },
  ];
}

/** Each in turns: latency of one connection at a time, CPU with sixteen. */
async function medians(urls: readonly string[], proxy: number, app: number): Promise<Sample[]> {
  const samples = urls.map((): Sample[] => []);
  for (const url of urls) await wrk(url, { connections: 16, seconds: 1 });
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, url] of urls.entries()) {
      const alone = await wrk(url, { connections: 1, seconds: SECONDS });
      const before = [cpuOfOne(proxy), cpuOfOne(app)];
      const load = await wrk(url, { connections: 16, seconds: SECONDS });
      if (alone.errors + load.errors > 0 || load.requests === 0) {
        throw new Error(`Cannot measure "${url}": ${alone.errors + load.errors} of ${load.requests} requests failed`);
      }
      const each = (now: number, then: number) => (now - then) * 1000 / load.requests;
      samples[index].push({
        latency: alone.p50,
        proxy: each(cpuOfOne(proxy), before[0]),
        app: each(cpuOfOne(app), before[1]),
      });
    }
  }
  const median = (of: readonly Sample[], key: keyof Sample) =>
    of.map((sample) => sample[key]).sort((a, b) => a - b)[ROUNDS >> 1];
  return samples.map((each) => ({
    latency: median(each, "latency"),
    proxy: median(each, "proxy"),
    app: median(each, "app"),
  }));
}

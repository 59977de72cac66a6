/** A checker plugin with a hundred servers, each checked every second over a connection of its own, in a real node. */
import type { Cost } from "./cost.ts";
import { BenchNode, shares } from "./plugin_node.ts";

const TARGETS = 100, SECONDS = 10;

/** Connects, sends a line, reads its echo: what a checker of a line protocol does. */
const plugin = {
  "echo/plugin.yaml": `name: bench/echo
version: 1.0.0
kind: checker
api: 1
entry: main.ts
publisher: { name: Bench }
requests: { net: [targets] }
`,
  "echo/main.ts": `import { defineChecker } from "tandem/plugin";
const ask = new TextEncoder().encode("ping\\n");
export default defineChecker({
  async check(_target, ctx) {
    await using connection = await ctx.connect();
    await connection.write(ask);
    const answer = await connection.read();
    return answer === null ? { state: "down", reason: "closed" } : { state: "up", reason: "echoed" };
  },
});
`,
};

export async function checkCosts(running: AsyncDisposableStack): Promise<Cost[]> {
  const port = await startEcho(running);
  const servers = Array.from({ length: TARGETS }, (_, index) => `      s${index}: 127.1.0.${index + 1}:${port}`);
  const backends = (check: string) => [
    "backends:",
    "  many:",
    ...(check === "" ? [] : [`    check: ${check}`]),
    "    servers:",
    ...servers,
  ];
  const timing = "interval: 1s, timeout: 500ms, rise: 1, fall: 3";
  const node = running.use(await BenchNode.start(plugin, backends("")));
  const [idle] = await shares([node.control], SECONDS / 2);
  await node.reload(backends(`{ type: tcp, ${timing} }`));
  await allUp(node);
  const [builtIn] = await shares([node.control], SECONDS);
  await node.reload([
    ...backends(`{ use: echo, ${timing} }`),
    "plugins:",
    "  echo: { source: ./echo, grants: { net: [targets], net_unsafe: [targets] } }",
  ]);
  const pid = await node.waitFor("the plugin answers", ({ plugins }) => plugins[0]?.calls >= TARGETS && plugins[0].pid);
  await allUp(node);
  const [control, own] = await shares([node.control, pid], SECONDS);
  const timeouts = await node.waitFor("its status", ({ plugins }) => plugins[0] ?? null);
  if (timeouts.timeouts > 0) throw new Error(`${timeouts.timeouts} checks of the plugin had no verdict in time`);
  const what = `${TARGETS} checks a second`;
  return [
    { what: `${what}: control without any`, value: idle, unit: "% of a core", budget: null },
    { what: `${what}: control, built-in tcp`, value: builtIn, unit: "% of a core", budget: null },
    { what: `${what}: control, plugin`, value: control, unit: "% of a core", budget: 12 },
    { what: `${what}: the plugin's process`, value: own, unit: "% of a core", budget: 10 },
  ];
}

/** A server that echoes, on every address of 127.0.0.0/8; its port. */
async function startEcho(running: AsyncDisposableStack): Promise<number> {
  const url = new URL("./plugin_echo.ts", import.meta.url);
  const echo = running.adopt(new Worker(url, { type: "module" }), (echo) => echo.terminate());
  return await new Promise((resolve) => echo.onmessage = ({ data }) => resolve(data));
}

async function allUp(node: BenchNode): Promise<void> {
  await node.waitFor(
    "every server is up",
    ({ backends: [{ servers }] }) => servers.every(({ state }) => state === "up"),
  );
}

/** What `ctx` gives a plugin in its real sandbox beyond streams: datagrams to its target, an environment for a granted program. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createGranting } from "../../runtime/plugin/granted.ts";
import { nothingGranted } from "../../runtime/plugin/grants.ts";
import { Registry } from "../../runtime/plugin/registry.ts";
import { probe } from "../../runtime/health/probe.ts";
import { openCgroups } from "../../runtime/os/cgroup.ts";
import { systemClock } from "../../runtime/os/clock.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import type { Checker } from "../../plugins/contract.ts";

const host = { node: "dlp1", cluster: "edge", labels: {} };
const log = createLogger({ role: "control", write: () => {} });

/** Runs `main` as a checker against 127.0.0.1:`port`, with these grants. */
async function check(main: string, requests: string, grants: Partial<typeof nothingGranted>, port: number) {
  const directory = Deno.makeTempDirSync({ prefix: "tandem-context-" });
  Deno.chmodSync(directory, 0o755);
  Deno.mkdirSync(`${directory}/src`);
  Deno.writeTextFileSync(
    `${directory}/src/plugin.yaml`,
    `name: acme/sample\nversion: 1.0.0\nkind: checker\nentry: main.ts\npublisher: { name: Acme }\nrequests: ${requests}\n`,
  );
  Deno.writeTextFileSync(`${directory}/src/main.ts`, main);
  const registry = new Registry({
    directory,
    host: () => host,
    isolation: "available",
    clock: systemClock,
    log,
    changed: () => {},
    cgroups: openCgroups(),
    capabilities: createGranting({ directory, outward: { forbidden: [] } }),
  });
  try {
    const options = {
      name: "sample",
      source: `${directory}/src`,
      grants: { ...nothingGranted, ...grants },
      sha256: null,
    };
    const { problems } = await registry.apply([options], [{ id: "use", plugin: "sample", with: {} }]);
    assert.deepEqual(problems, []);
    const target = { backend: "dns", server: "a", address: "127.0.0.1", port, labels: {} };
    const checker = registry.checker("use") as unknown as Checker<unknown>;
    return await probe(checker, {}, target, 10_000, { clock: systemClock, host, log });
  } finally {
    await registry.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a plugin's datagrams reach its target, and answers come back one by one", async () => {
  const echo = createSocket("udp4");
  await new Promise<void>((resolve) => echo.bind(0, "127.0.0.1", () => resolve()));
  echo.on("message", (message, { port, address }) => {
    echo.send(message, port, address);
    echo.send("more", port, address);
  });
  try {
    const { state, reason } = await check(
      `import { defineChecker } from "tandem/plugin";
export default defineChecker({
  async check(_target, ctx) {
    await using socket = await ctx.connect({ transport: "udp" });
    await socket.write(new TextEncoder().encode("hello"));
    const decoder = new TextDecoder();
    const words = [decoder.decode(await socket.read() ?? undefined), decoder.decode(await socket.read() ?? undefined)];
    return { state: "up", reason: words.join(" and ") };
  },
});`,
      "{ net: [targets] }",
      { net: ["targets"] },
      echo.address().port,
    );
    assert.deepEqual([state, reason], ["up", "hello and more"]);
  } finally {
    echo.close();
  }
});

Deno.test("a plugin gives a granted program names of its own, and none that a loader or a shell obeys", async () => {
  const main = (env: string) =>
    `import { defineChecker } from "tandem/plugin";
export default defineChecker({
  async check(_target, ctx) {
    const { output } = await ctx.run!("show", { args: ["x"], env: ${env} });
    return { state: "up", reason: output };
  },
});`;
  const grants = { commands: { show: ["/bin/sh", "-c", 'echo "$TANDEM_WORD $1"', "sh"] } };
  const shown = await check(main(`{ TANDEM_WORD: "hi" }`), "{ commands: [show] }", grants, 80);
  assert.deepEqual([shown.state, shown.reason], ["up", "hi x"]);
  for (const name of ["LD_PRELOAD", "PATH", "BASH_ENV", "TANDEM_x", "X\\nTANDEM_A"]) {
    const refused = await check(main(`{ "${name}": "/tmp/x" }`), "{ commands: [show] }", grants, 80);
    assert.equal(refused.state, "down", name);
    assert.match(refused.reason, /must begin with TANDEM_ or HAPROXY_/, name);
  }
});

/** Third-party plugins of a real pair: a checker, a policy and a notifier from directories, their processes killed and hung. */
import assert from "node:assert/strict";
import { explain } from "../../runtime/demo/measure.ts";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import { Pair } from "../support/pair.ts";
import { pairAddress, type Status, tandem } from "../support/tandem.ts";

const manifest = (name: string, kind: string, more = "") =>
  `name: acme/${name}\nversion: 1.0.0\nkind: ${kind}\napi: 1\nentry: main.ts\npublisher: { name: Acme }\n${more}`;

const sources: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Says what its configuration wants said, once it has connected.
  wish: {
    "plugin.yaml": manifest(
      "wish",
      "checker",
      `requests: { net: [targets] }
config:
  type: object
  properties: { down: { type: array, items: { type: string }, default: [] }, spin: { type: boolean, default: false } }
  required: []
  additionalProperties: false
`,
    ),
    "main.ts": `import { defineChecker, s } from "tandem/plugin";
export default defineChecker({
  config: { down: s.list(s.string(), { default: [] }), spin: s.boolean({ default: false }) },
  async check(target, ctx) {
    await using _connection = await ctx.connect();
    if (ctx.config.spin) for (;;);
    if (ctx.config.down.includes(target.server)) return { state: "down", reason: "not wanted" };
    return { state: "up", reason: "as wished" };
  },
});
`,
  },
  topmost: {
    "plugin.yaml": manifest("topmost", "policy"),
    "main.ts": `import { definePolicy } from "tandem/plugin";
export default definePolicy({
  plan({ servers }) {
    const weights = Object.fromEntries(servers.map(({ name }, index) => [name, index === 0 ? 1 : 0]));
    return { ttlMs: 3_600_000, weights, explain: "all to the first" };
  },
});
`,
  },
  book: {
    "plugin.yaml": manifest("book", "notifier", "requests: { commands: [write] }\n"),
    "main.ts": `import { defineNotifier } from "tandem/plugin";
export default defineNotifier({
  async notify(event, ctx) { await ctx.run!("write", { input: event.seq + " " + event.type + " " + event.text + "\\n" }); },
});
`,
  },
};

const check = (wanted: string) => `{ use: wish, with: ${wanted}, interval: 300ms, timeout: 300ms, rise: 2, fall: 2 }`;

function withPlugins(text: string, directory: string, wanted: string): string {
  return text
    .replace("balance: roundrobin", "balance: { use: topmost, fallback: roundrobin }")
    .replace(/check: \{.*\}/, `check: ${check(wanted)}`) + `plugins:
  wish: { source: ./wish, grants: { net: [targets] } }
  topmost: { source: ./topmost }
  book: { source: ./book, grants: { commands: { write: [/bin/sh, -c, "cat >> ${directory}/book.txt"] } } }
notify: [{ use: book, events: ["*"], from: all }]
`;
}

const pluginOf = (status: Status, name: string) =>
  status.plugins.find((one) => one.name === name) ?? assert.fail(`no plugin ${name}`);
const states = ({ backends: [{ servers }] }: Status) => servers.map(({ name, state }) => `${name} ${state}`);

Deno.test("plugins of a pair that serves: their verdicts, plans and events, and what their deaths do not do", async (t) => {
  await using pair = await Pair.start({ instance: ["handover: { connections: auto, drain: 3s }"] });
  const directory = pair.scratch.path;
  // Plugins have uids of their own: what they run from must be where those may go.
  await Deno.chmod(directory, 0o755);
  const node = pair.node("dlp1");
  const reach = ["--admin", `unix:${directory}/dlp1.sock`];
  const plain = await Deno.readTextFile(pair.file);
  for (const [name, files] of Object.entries(sources)) {
    await Deno.mkdir(`${directory}/${name}`);
    for (const [file, text] of Object.entries(files)) await Deno.writeTextFile(`${directory}/${name}/${file}`, text);
  }
  const client = await pair.client({ kept: 4, pause: 10, pace: 10 });
  await client.requests(50);
  const before = (await node.status()).vrrp[0].counters.transitions;

  const reload = async (wanted: string) => {
    await Deno.writeTextFile(pair.file, withPlugins(plain, directory, wanted));
    return (await tandem(["reload", ...reach])).stdout;
  };
  /** Runs `steps` and asserts that the client noticed nothing. */
  const unnoticed = async (steps: () => Promise<void>) => {
    const from = Client.now();
    await steps();
    await client.requests(50);
    assert.deepEqual(client.failures(await client.since(from)).map(explain), []);
  };
  const shares = async () => {
    const from = Client.now();
    await client.requests(60);
    return [...client.shares(await client.since(from)).keys()].sort();
  };
  const kill = async (name: string, signal: Deno.Signal) => {
    const { pid, restarts } = pluginOf(await node.status(), name);
    Deno.kill(pid ?? assert.fail(`${name} does not run`), signal);
    return restarts;
  };

  await t.step("a reload brings them, and they answer", async () => {
    await unnoticed(async () => {
      assert.match(await reload("{}"), /created wish, topmost, book/);
      await node.waitFor("all run", ({ plugins }) => plugins.every(({ state }) => state === "running"));
      await node.waitFor(
        "its verdicts",
        ({ backends: [{ servers }] }) => servers.every(({ reason }) => reason === "as wished"),
      );
      await node.waitFor("its plan", ({ backends: [{ plan }] }) => plan?.explain === "all to the first");
    });
    assert.deepEqual(await shares(), ["node01"]);
  });

  await t.step("what a checker says is done, but for the last server", async () => {
    await unnoticed(async () => {
      await reload("{ down: [node01] }");
      await node.waitFor("node01 is down", (status) => states(status).join() === "node01 down,node02 up");
      assert.deepEqual(await shares(), ["node02"]);
      await reload("{ down: [node01, node02] }");
      const reason = await node.waitFor(
        "node02 is kept",
        ({ backends: [{ servers: [, last] }] }) => last.reason.startsWith("kept in as one of the last") && last.reason,
      );
      assert.match(reason, /though its check says down: not wanted$/);
      assert.deepEqual(states(await node.status()), ["node01 down", "node02 up"]);
    });
    await reload("{}");
    await node.waitFor("both are up", (status) => states(status).join() === "node01 up,node02 up");
  });

  await t.step("killed processes come back; verdicts stay, the fallback balances meanwhile", async () => {
    await unnoticed(async () => {
      const restarts = await Promise.all([kill("wish", "SIGKILL"), kill("topmost", "SIGKILL")]);
      await node.waitFor(
        "they are back",
        (status) =>
          pluginOf(status, "wish").restarts > restarts[0] && pluginOf(status, "topmost").restarts > restarts[1] &&
          pluginOf(status, "wish").state === "running" && pluginOf(status, "topmost").state === "running",
      );
      assert.deepEqual(states(await node.status()), ["node01 up", "node02 up"]);
    });
    await node.waitFor("its plan", ({ backends: [{ plan }] }) => plan?.explain === "all to the first");
  });

  await t.step(
    "a checker that never yields is killed until it is quarantined, and TCP checks in its place",
    async () => {
      await unnoticed(async () => {
        await reload("{ spin: true }");
        const reason = await node.waitFor(
          "TCP checks",
          ({ backends: [{ servers: [one] }] }) => one.reason.startsWith("connected") && one.reason,
          15_000,
        );
        assert.match(reason, /; (no verdict of plugin "wish"|the checker gave no answer)/);
        assert.deepEqual(states(await node.status()), ["node01 up", "node02 up"]);
        await node.waitFor("it is killed", (status) => pluginOf(status, "wish").restarts > 0, 15_000);
      });
      await pair.server("node02").stop();
      await node.waitFor("TCP sees who is gone", (status) => states(status).join() === "node01 up,node02 down");
      await pair.startServer("node02");
      await reload("{}");
      await node.waitFor("a reload ends it", (status) => states(status).join() === "node01 up,node02 up", 15_000);
    },
  );

  await t.step("a plugin that cannot start keeps the one that runs", async () => {
    await unnoticed(async () => {
      const { pid } = pluginOf(await node.status(), "topmost");
      const broken = sources.topmost["main.ts"].replace("ttlMs: 3_600_000", "ttlMs: nothing()").replace(
        "definePolicy({",
        'definePolicy({ init() { throw new Error("not today"); },',
      );
      await Deno.writeTextFile(`${directory}/topmost/main.ts`, broken);
      const { stdout } = await tandem(["reload", ...reach]);
      assert.match(stdout, /updated topmost.*not today \(at main\.ts:2:\d+\); the one that runs goes on/);
      assert.equal(pluginOf(await node.status(), "topmost").pid, pid);
      await Deno.writeTextFile(`${directory}/topmost/main.ts`, sources.topmost["main.ts"]);
      await tandem(["reload", ...reach]);
    });
  });

  await t.step("events are told in order, each once, and nothing of all this moved the address", async () => {
    const { stdout } = await tandem(["events", "--json", "--limit", "1000", ...reach]);
    const last = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}").seq;
    const told = await until("the last event is told", async () => {
      const text = await Deno.readTextFile(`${directory}/book.txt`);
      const numbers = text.trim().split("\n").map((line) => Number(line.split(" ")[0]));
      return numbers.includes(last) && numbers;
    }, { timeout: 10_000 });
    assert.deepEqual(told, told.toSorted((a, b) => a - b));
    assert.equal(new Set(told).size, told.length);
    assert.equal((await node.status()).vrrp[0].counters.transitions, before);
    assert.deepEqual(await pair.lan.holders(pairAddress), ["dlp1"]);
  });
});

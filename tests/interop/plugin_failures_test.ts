/** What becomes of a whole node when its plugins and notifiers fail: as much as they say, and of nobody's request anything. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type Status, tandem, type TandemNode } from "../support/tandem.ts";
import { answering, freePort, get, Origin } from "./proxy_support.ts";

/** This machine, as it is. */
const here = { name: "n1", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;

const manifest = (name: string, kind: string, more = "") =>
  `name: acme/${name}\nversion: 1.0.0\nkind: ${kind}\napi: 1\nentry: main.ts\npublisher: { name: Acme }\n${more}`;

/** Does what it is told, by whoever listens on another port of the server. */
const obedient = {
  "plugin.yaml": manifest(
    "obedient",
    "checker",
    `requests: { net: [targets] }
config: { type: object, properties: { port: { type: integer } }, required: [port], additionalProperties: false }
`,
  ),
  "main.ts": `import { defineChecker, s } from "tandem/plugin";
export default defineChecker({
  config: { port: s.integer() },
  async check(target, ctx) {
    await using connection = await ctx.connect({ port: ctx.config.port });
    await connection.write(new TextEncoder().encode(target.server));
    const word = new TextDecoder().decode(await connection.read() ?? new Uint8Array());
    if (word === "exit") Deno.exit(3);
    if (word === "never") await new Promise(() => {});
    return word === "down" ? { state: "down", reason: "told so" } : { state: "up", reason: "told so" };
  },
});
`,
};

/** Sends all to the first server, until the second's weight says otherwise. */
const moody = {
  "plugin.yaml": manifest("moody", "policy"),
  "main.ts": `import { definePolicy } from "tandem/plugin";
export default definePolicy({
  async plan({ servers }) {
    const [one, two] = servers;
    if (two?.weight === 7) await new Promise(() => {});
    if (two?.weight === 8) for (;;);
    if (two?.weight === 9) Deno.exit(3);
    return { ttlMs: 1000, weights: { [one.name]: 1 }, explain: "all to the first" };
  },
});
`,
};

/** Dies of the first delivery of what is about a server named one. */
const fragile = {
  "plugin.yaml": manifest("fragile", "notifier", "requests: { commands: [write] }\n"),
  "main.ts": `import { defineNotifier } from "tandem/plugin";
export default defineNotifier({
  async notify(event, ctx) {
    await ctx.run!("write", { input: event.id + " " + event.about + "#" + event.attempt + "\\n" });
    if (event.about === "web/one" && event.attempt === 1) Deno.exit(3);
  },
});
`,
};

/** Tells the obedient checker what to do, server by server. */
class Orders implements Disposable {
  readonly words = new Map<string, string>();
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = (this.#listener.addr as Deno.NetAddr).port;

  constructor() {
    void (async () => {
      for await (const conn of this.#listener) void this.#serve(conn).catch(() => {});
    })().catch(() => {});
  }

  all(word: string): void {
    for (const server of ["one", "two"]) this.words.set(server, word);
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    using _conn = conn;
    const buffer = new Uint8Array(64);
    const server = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    await conn.write(new TextEncoder().encode(this.words.get(server) ?? "up"));
    await conn.read(buffer);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** Requests one after the other, until it is asked what came of them. */
class Traffic {
  readonly letters: string[] = [];
  readonly #failures: string[] = [];
  #over = false;
  readonly #running: Promise<void>;

  constructor(port: number) {
    this.#running = (async () => {
      while (!this.#over) {
        const answer = await get(port).catch((error) => `no answer: ${error}`);
        if (/^HTTP\/1\.1 200 /.test(answer)) this.letters.push(answer.slice(-1));
        else this.#failures.push(answer);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
  }

  /** Which servers answered the next requests. */
  async next(count = 20): Promise<string> {
    const from = this.letters.length;
    await until("requests go on", () => this.letters.length >= from + count);
    return [...new Set(this.letters.slice(from + 1, from + count))].sort().join("");
  }

  async failures(): Promise<readonly string[]> {
    this.#over = true;
    await this.#running;
    return this.#failures;
  }
}

class World implements AsyncDisposable {
  readonly one = new Origin(answering("a"));
  readonly two = new Origin(answering("b"));
  readonly orders = new Orders();
  readonly scratch = new Scratch();
  readonly port = freePort();
  node!: TandemNode;

  /** A node whose backend and top level have these lines too. */
  static async start(lines: (world: World) => { backend: string; top: string }): Promise<World> {
    const world = new World();
    // Plugins have uids of their own: what they run from must be where those may go.
    await Deno.chmod(world.scratch.path, 0o755);
    for (const [name, files] of Object.entries({ obedient, moody, fragile })) {
      await Deno.mkdir(world.scratch.file(name));
      for (const [file, text] of Object.entries(files)) {
        await Deno.writeTextFile(world.scratch.file(`${name}/${file}`), text);
      }
    }
    await world.write(lines(world));
    const { path: directory } = world.scratch;
    world.node = await startTandem(here, { file: world.scratch.file("tandem.yaml"), directory });
    await world.node.waitFor("it runs", ({ phase }) => phase === "running");
    return world;
  }

  async write({ backend, top }: { readonly backend: string; readonly top: string }): Promise<void> {
    await Deno.writeTextFile(
      this.scratch.file("tandem.yaml"),
      `version: 1
admin: { bind: none, socket: ${this.scratch.path}/n1.sock }
frontends: { in: { bind: "127.0.0.1:${this.port}", default_backend: web } }
backends:
  web:
    ${backend}
    servers: { one: 127.0.0.1:${this.one.port}, two: 127.0.0.1:${this.two.port} }
${top}
`,
    );
  }

  async reload(lines: { readonly backend: string; readonly top: string }): Promise<void> {
    await this.write(lines);
    const { status, body } = await this.node.api("POST", "/api/v1/reload");
    assert.equal(status, 200, body);
  }

  async say(server: string, change: unknown): Promise<void> {
    const { status, body } = await this.node.api("PUT", `/api/v1/backends/web/servers/${server}`, change);
    assert.equal(status, 200, body);
  }

  async events(): Promise<{ id: string; seq: number; type: string; text: string }[]> {
    const { body } = await this.node.api("GET", "/api/v1/events?limit=1000");
    return JSON.parse(body).events ?? JSON.parse(body);
  }

  /** Runs a command of the program on this node. */
  run(args: readonly string[]) {
    return tandem([...args, "--admin", `unix:${this.scratch.path}/n1.sock`], { cwd: this.scratch.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node?.stop();
    await this.one[Symbol.asyncDispose]();
    await this.two[Symbol.asyncDispose]();
    this.orders[Symbol.dispose]();
    this.scratch[Symbol.dispose]();
  }
}

const checked = ({ orders }: World) => ({
  backend:
    `check: { use: obedient, with: { port: ${orders.port} }, interval: 300ms, timeout: 200ms, rise: 1, fall: 1 }`,
  top: "plugins: { obedient: { source: ./obedient, grants: { net: [targets], net_unsafe: [targets] } } }",
});
const serversOf = ({ backends: [{ servers }] }: Status) => servers;
const states = (status: Status) => serversOf(status).map(({ state }) => state).join(" ");
const reasons = (status: Status) => serversOf(status).map(({ reason }) => reason);
const plugin = ({ plugins: [one] }: Status) => one;

Deno.test("a checker that dies at every call is quarantined after five times, until it is reset", async () => {
  await using world = await World.start(checked);
  const { node, orders } = world;
  await node.waitFor("its verdicts", (status) => reasons(status).every((one) => one === "told so"));
  const traffic = new Traffic(world.port);
  orders.all("exit");
  const began = performance.now();
  const last = await node.waitFor(
    "it is quarantined",
    (status) => plugin(status).state === "quarantined" && status,
    20_000,
  );
  // 100 + 200 + 400 + 800 ms, give or take a quarter, and the checks between them.
  assert.ok(performance.now() - began > 1000, "it was not left alone between its deaths");
  assert.match(plugin(last).reason, /5 failures|failed 5|five/i);
  assert.equal(states(last), "up up");
  await node.waitFor(
    "TCP checks in its place",
    (status) => reasons(status).every((one) => /^connected in .*; .*no verdict of plugin "obedient"/.test(one)),
  );
  const told = (await world.events()).filter(({ type }) => type === "plugin.state").at(-1);
  assert.match(told?.text ?? "", /plugin obedient is quarantined/);
  assert.match(
    (await world.run(["plugin", "list"])).stdout,
    /obedient +acme\/obedient 1\.0\.0 +not locked +quarantined: /,
  );

  orders.all("up");
  const { restarts } = plugin(await node.status());
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual([plugin(await node.status()).state, plugin(await node.status()).restarts], [
    "quarantined",
    restarts,
  ]);
  const { stdout } = await world.run(["plugin", "reset", "obedient"]);
  assert.match(stdout, /^obedient is (idle|starting|running)/);
  await node.waitFor("its verdicts again", (status) => reasons(status).every((one) => one === "told so"));
  assert.equal(plugin(await node.status()).state, "running");
  await assert.rejects(world.run(["plugin", "reset", "nobody"]), /There is no plugin "nobody"/);
  assert.deepEqual(await traffic.failures(), []);
});

Deno.test("a checker without a verdict freezes its servers, and after three intervals TCP judges them", async () => {
  await using world = await World.start(checked);
  const { node, orders } = world;
  await node.waitFor("its verdicts", (status) => reasons(status).every((one) => one === "told so"));
  await world.two[Symbol.asyncDispose]();
  const since = performance.now();
  orders.all("never");
  const first = await node.waitFor(
    "no verdict",
    (status) => reasons(status).every((one) => /no verdict of plugin/.test(one)) && status,
  );
  assert.equal(states(first), "up up", "no verdict says nothing of a server");
  const last = await node.waitFor(
    "TCP judges them",
    (status) => states(status) === "up down" && reasons(status)[0].startsWith("connected") && status,
  );
  // A check that had begun when it was told to be silent, at most a time-out before.
  const frozen = performance.now() - since;
  assert.ok(frozen > 3 * 300 - 200, `frozen for ${frozen.toFixed(0)} ms`);
  assert.match(reasons(last)[0], /^connected in/);
  assert.match(reasons(last)[1], /^connect refused after/);
});

Deno.test("a checker cannot take out the last server, whatever it says and however often", async () => {
  await using world = await World.start(checked);
  const { node, orders } = world;
  const traffic = new Traffic(world.port);
  for (let round = 0; round < 3; round++) {
    orders.all("down");
    const status = await node.waitFor(
      "one is kept",
      (status) =>
        /kept in as one of the last, though its check says down: told so/.test(reasons(status).join()) && status,
    );
    assert.match(states(status), /^(up down|down up)$/);
    assert.match(await traffic.next(), /^[ab]$/);
    orders.all("up");
    await node.waitFor("both are up", (status) => states(status) === "up up");
  }
  assert.deepEqual(await traffic.failures(), []);
});

Deno.test("a policy that does not answer, spins or dies leaves the picking to the fallback, and costs no request", async () => {
  await using world = await World.start(() => ({
    backend: "balance: { use: moody, fallback: roundrobin }",
    top: "plugins: { moody: { source: ./moody, limits: { deadline: 500ms } } }",
  }));
  const { node } = world;
  const planned = (status: Status) => status.backends[0].plan?.explain === "all to the first";
  await node.waitFor("its plan", planned);
  const traffic = new Traffic(world.port);
  assert.equal(await traffic.next(), "a");
  for (const weight of [7, 8, 9]) {
    await world.say("two", { weight });
    await node.waitFor(`it fails at ${weight}`, (status) => !planned(status));
    await until("the fallback picks", async () => await traffic.next() === "ab");
    await world.say("two", { weight: 1 });
    await node.waitFor(`its plan after ${weight}`, planned, 20_000);
    await until("it picks again", async () => await traffic.next() === "a");
  }
  assert.deepEqual(await traffic.failures(), []);
});

/** Takes events, and answers each with what `status` says. */
class Hook implements AsyncDisposable {
  readonly heard: { readonly id: string; readonly seq: number; readonly about: string; readonly attempt: number }[] =
    [];
  status: (about: string, attempt: number) => number = () => 204;
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const event = await request.json();
    this.heard.push(event);
    return new Response(null, { status: this.status(event.about, event.attempt) });
  });
  readonly url = `http://127.0.0.1:${this.#server.addr.port}/`;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("a notifier's events are in order, tried three times, kept over a reload, and what is dropped is told", async () => {
  await using hook = new Hook();
  const lines = (world: World, more = "") => ({
    backend: "balance: roundrobin",
    top: `notify:
  - { use: webhook, with: { url: "${hook.url}"${more} }, events: server.state }
  - { use: command, with: { command: [/bin/sh, -c, "cat >> ${world.scratch.path}/dropped"] }, events: dropped }`,
  });
  await using world = await World.start((world) => lines(world));
  const { node } = world;
  const abouts = () => hook.heard.map(({ about, attempt }) => `${about}#${attempt}`);
  const notifier = async () => (await node.status()).notifiers[0];
  const told = (count: number) => until("it is told", () => hook.heard.length >= count, { timeout: 15_000 });

  // Fails twice: the same event, and the next waits for it.
  hook.status = (about, attempt) => about === "web/one" && attempt < 3 ? 500 : 204;
  await world.say("one", { state: "maint" });
  await world.say("two", { state: "drain" });
  await told(4);
  assert.deepEqual(abouts(), ["web/one#1", "web/one#2", "web/one#3", "web/two#1"]);
  assert.equal(new Set(hook.heard.slice(0, 3).map(({ id }) => id)).size, 1);

  // A reload changes the entry while two wait: both are told, in order, by the new one.
  hook.heard.length = 0;
  hook.status = () => 500;
  await world.say("one", { state: "ready" });
  await world.say("two", { state: "ready" });
  await told(1);
  await until("status says why", async () => (await notifier()).last_error === "the webhook answered 500");
  await world.reload(lines(world, ", headers: { x-changed: one }"));
  hook.status = () => 204;
  await told(3);
  assert.deepEqual(abouts(), ["web/one#1", "web/one#2", "web/two#1"]);
  assert.equal((await notifier()).dropped, 0);

  // Three tries, then it is dropped, which the other notifier hears of, and the metric.
  hook.heard.length = 0;
  hook.status = (about) => about === "web/one" ? 500 : 204;
  await world.say("one", { state: "maint" });
  await world.say("two", { state: "drain" });
  await told(4);
  assert.deepEqual(abouts(), ["web/one#1", "web/one#2", "web/one#3", "web/two#1"]);
  const dropped = await until("the drop is told", async () => {
    const text = await Deno.readTextFile(world.scratch.file("dropped")).catch(() => "");
    return text.includes("\n") && JSON.parse(text);
  });
  assert.deepEqual([dropped.type, dropped.severity, dropped.about, dropped.fields.event], [
    "dropped",
    "warning",
    "notify.0",
    hook.heard[0].id,
  ]);
  assert.match(
    dropped.text,
    /^webhook \(notify\.0\) was not told of \S+, server\.state of web\/one: 3 tries failed, last: the webhook answered 500$/,
  );
  const { body } = await node.api("GET", "/metrics");
  assert.match(body, /^tandem_notifier_dropped_total\{notifier="notify\.0",use="webhook"\} 1$/m);
});

Deno.test("a notifier that dies of an event gets it again, and the next ones after it", async () => {
  await using world = await World.start(({ scratch }) => ({
    backend: "balance: roundrobin",
    top: `plugins:
  fragile: { source: ./fragile, grants: { commands: { write: [/bin/sh, -c, "cat >> ${scratch.path}/told"] } } }
notify: [{ use: fragile, events: server.state }]`,
  }));
  await world.say("two", { state: "drain" });
  await world.say("one", { state: "maint" });
  await world.say("two", { state: "ready" });
  const told = await until("all is told", async () => {
    const lines = (await Deno.readTextFile(world.scratch.file("told")).catch(() => "")).trim().split("\n");
    return lines.length === 4 && lines.map((line) => line.split(" "));
  }, { timeout: 15_000 });
  assert.deepEqual(told.map(([, about]) => about), ["web/two#1", "web/one#1", "web/one#2", "web/two#1"]);
  assert.equal(told[1][0], told[2][0], "the same event has the same id");
  const [{ delivered, retried, dropped }] = (await world.node.status()).notifiers;
  assert.deepEqual([delivered, retried, dropped], [3, 1, 0]);
});

Deno.test("a notifier that never answers holds back nobody: its queue is bounded, and what falls out of it is told in few words", async () => {
  const answered = Promise.withResolvers<void>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    await answered.promise;
    return new Response(null, { status: 204 });
  });
  // The server waits for its answers, however the test ends.
  using _release = { [Symbol.dispose]: () => answered.resolve() };
  await using world = await World.start(({ scratch }) => ({
    backend: "balance: roundrobin",
    top: `notify:
  - { use: webhook, with: { url: "http://127.0.0.1:${server.addr.port}/" }, events: "*" }
  - { use: command, with: { command: [/bin/sh, -c, "cat >> ${scratch.path}/dropped"] }, events: dropped }`,
  }));
  const { node } = world;
  const traffic = new Traffic(world.port);
  for (let round = 0; round < 1050; round++) await world.say("two", { state: round % 2 === 0 ? "maint" : "ready" });
  const [webhook] = (await node.status()).notifiers;
  assert.equal(webhook.waiting, 1000);
  assert.ok(webhook.dropped >= 50, `dropped ${webhook.dropped}`);
  const told = await until("the drops are told", async () => {
    const text = await Deno.readTextFile(world.scratch.file("dropped")).catch(() => "");
    const events = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    return events.reduce((sum, { fields }) => sum + fields.count, 0) >= 50 && events;
  }, { timeout: 20_000 });
  assert.ok(told.length <= 4, `${told.length} events about 50 drops`);
  assert.match(told[0].text, /was not told of .*more than 1000 events wait/);
  answered.resolve();
  await node.waitFor("all is told in the end", ({ notifiers: [{ waiting }] }) => waiting === 0, 30_000);
  assert.deepEqual(await traffic.failures(), []);
});

/** Plugins as an operator has them: a directory, grants, uses, reloads. */
import assert from "node:assert/strict";
import { openCgroups } from "../../runtime/os/cgroup.ts";
import { systemClock } from "../../runtime/os/clock.ts";
import type { CheckerContext, Event, PolicyInput, Target } from "../../plugins/contract.ts";
import { nothingGranted } from "../../runtime/plugin/grants.ts";
import { pack } from "../../runtime/plugin/pack.ts";
import { type PluginOptions, Registry, type UseOptions } from "../../runtime/plugin/registry.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";

const manifest = (kind: string, more = "") =>
  `name: acme/sample
version: 1.0.0
kind: ${kind}
entry: main.ts
publisher: { name: Acme }
${more}
config:
  type: object
  properties: { word: { type: string }, password: { type: string, x-tandem: secret } }
  required: [word]
  additionalProperties: false
`;

class Place implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "tandem-registry-" });
  readonly changes: string[] = [];
  readonly lines: string[] = [];
  readonly registry: Registry;
  /** A reload may bring others. */
  labels: Readonly<Record<string, string>> = { zone: "a" };

  constructor() {
    Deno.chmodSync(this.directory, 0o755);
    this.registry = new Registry({
      directory: this.directory,
      host: () => ({ node: "dlp1", cluster: "edge", labels: this.labels }),
      cgroups: openCgroups(),
      isolation: "available",
      clock: systemClock,
      log: createLogger({ role: "control", write: (line) => this.lines.push(line), format: "json" }),
      changed: (plugin, state, reason) => this.changes.push(`${plugin} ${state}: ${reason}`),
    });
  }

  /** Writes the plugin's files; again to change them. */
  source(name: string, files: Readonly<Record<string, string>>): string {
    const source = `${this.directory}/src-${name}`;
    Deno.mkdirSync(source, { recursive: true });
    for (const [path, text] of Object.entries(files)) Deno.writeTextFileSync(`${source}/${path}`, text);
    return source;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}

const options = (name: string, source: string): PluginOptions => ({
  name,
  source,
  grants: nothingGranted,
  sha256: null,
});
const use = (plugin: string, config: unknown, id = `backends.web.check`): UseOptions => ({ id, plugin, with: config });

const target: Target = { backend: "web", server: "node01", address: "192.0.2.1", port: 80, labels: {} };

/** What the prober gives a checker, as far as a test needs it. */
function context(deadline = 2000): CheckerContext<unknown> {
  return {
    config: null,
    host: { node: "dlp1", cluster: "edge", labels: {}, api: 1 },
    signal: AbortSignal.timeout(deadline),
    clock: { now: Date.now, monotonic: () => performance.now(), sleep: () => Promise.resolve() },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    connect: () => Promise.reject(new Error("connect refused")),
  };
}

const checkerSource = `import { defineChecker, s } from "tandem/plugin";
export default defineChecker({
  config: { word: s.string(), password: s.optional(s.secret()) },
  init(ctx) { if (ctx.config.word === "bad") throw new Error("cannot start with " + ctx.config.word); },
  async check(target, ctx) {
    if (ctx.config.word === "connect") await ctx.connect();
    return { state: "up", reason: ctx.config.word + " " + target.server + " " + ctx.host.node };
  },
});
`;

Deno.test("a checker answers for each of its uses with that use's config", async () => {
  await using place = new Place();
  const source = place.source("sample", { "plugin.yaml": manifest("checker"), "main.ts": checkerSource });
  const uses = [use("sample", { word: "one" }, "a"), use("sample", { word: "two" }, "b")];
  assert.deepEqual(await place.registry.apply([options("sample", source)], uses), { problems: [] });
  assert.equal(place.registry.status()[0].state, "idle");
  const [a, b] = [place.registry.checker("a"), place.registry.checker("b")];
  assert.deepEqual(await a.check(target, context(10_000)), { state: "up", reason: "one node01 dlp1" });
  assert.deepEqual(await b.check(target, context()), { state: "up", reason: "two node01 dlp1" });
  const [status] = place.registry.status();
  assert.deepEqual([status.plugin, status.state, status.restarts, status.calls], [
    "acme/sample 1.0.0",
    "running",
    0,
    2,
  ]);
});

Deno.test("a checker's failures are down where the server is to blame, and unknown where the plugin is", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("checker", "requests: { net: [targets] }"),
    "main.ts": `export default { kind: "checker", async check(target: any, ctx: any) {
      if (target.server === "refused") await ctx.connect();
      if (target.server === "nonsense") return { state: "fine" };
      if (target.server === "late") await new Promise(() => {});
      if (target.server === "silent") await ctx.clock.sleep(60000);
      return { state: "up", reason: "ok" };
    } };`,
  });
  const granted = { ...options("sample", source), grants: { ...nothingGranted, net: ["targets"] } };
  await place.registry.apply([granted], [use("sample", { word: "x" })]);
  const checker = place.registry.checker("backends.web.check");
  await checker.check(target, context(10_000));
  const found = async (server: string) => await checker.check({ ...target, server }, context(300));
  assert.deepEqual(await found("refused"), { state: "down", reason: "connect refused" });
  assert.deepEqual((await found("silent")).state, "down");
  assert.deepEqual(await found("late"), {
    state: "unknown",
    reason: 'no verdict of plugin "sample": it gave no answer by its deadline',
  });
  const nonsense = await found("nonsense");
  assert.equal(nonsense.state, "unknown");
  assert.match(
    nonsense.reason,
    /no verdict of plugin "sample": state must be one of up, standby, drain, down, got "fine"/,
  );
});

Deno.test("with: is checked against the schema before anything runs", async () => {
  await using place = new Place();
  const source = place.source("sample", { "plugin.yaml": manifest("checker"), "main.ts": checkerSource });
  const { problems } = await place.registry.apply([options("sample", source)], [use("sample", { wrd: "one" })]);
  assert.deepEqual(problems, [
    'Plugin "sample" failed at start: backends.web.check.with.wrd: is unknown; there is word, password; backends.web.check.with.word: is missing',
  ]);
  assert.deepEqual(place.registry.status(), []);
});

Deno.test("a grant that is missing is named with the line to add", async () => {
  await using place = new Place();
  const text = manifest("checker", "requests: { net: [targets] }");
  const source = place.source("sample", { "plugin.yaml": text, "main.ts": checkerSource });
  const { problems } = await place.registry.apply([options("sample", source)], []);
  assert.match(problems[0], /plugins\.sample\.grants: the plugin asks for connections .* add net: \[targets\]/);
});

Deno.test("a reload swaps what changed, keeps what did not, and keeps the old where the new fails", async () => {
  await using place = new Place();
  const source = place.source("sample", { "plugin.yaml": manifest("checker"), "main.ts": checkerSource });
  const apply = (word: string) => place.registry.apply([options("sample", source)], [use("sample", { word })]);
  const check = async () => await place.registry.checker("backends.web.check").check(target, context(10_000));
  await apply("one");
  await check();
  const pid = place.registry.status()[0].pid;
  await apply("one");
  assert.equal(place.registry.status()[0].pid, pid, "Nothing changed, and it was started again");
  const { problems } = await apply("bad");
  assert.match(
    problems[0],
    /init of "backends\.web\.check" failed: cannot start with bad \(at main\.ts:4:52\); the one that runs goes on/,
  );
  assert.deepEqual(await check(), { state: "up", reason: "one node01 dlp1" });
  assert.equal(place.registry.status()[0].pid, pid);
  await apply("two");
  assert.deepEqual(await check(), { state: "up", reason: "two node01 dlp1" });
  assert.notEqual(place.registry.status()[0].pid, pid);
  place.source("sample", { "main.ts": checkerSource.replace("ctx.host.node };", '"changed" };') });
  await apply("two");
  assert.deepEqual(await check(), { state: "up", reason: "two node01 changed" });
  await place.registry.apply([], []);
  assert.deepEqual(place.registry.status(), []);
});

Deno.test("a file that changes under a running plugin changes nothing until a reload", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("checker"),
    "main.ts":
      `export default { kind: "checker", async check() { return { state: "up", reason: (await import("./late.ts")).default }; } };`,
    "late.ts": `export default "first";`,
  });
  await place.registry.apply([options("sample", source)], [use("sample", { word: "x" })]);
  place.source("sample", { "late.ts": `export default "second";` });
  const verdict = await place.registry.checker("backends.web.check").check(target, context(10_000));
  assert.equal(verdict.reason, "first");
});

Deno.test("a packed plugin runs as its directory does, and only with the hash that was locked", async () => {
  await using place = new Place();
  const files = { "plugin.yaml": manifest("checker"), "main.ts": checkerSource };
  const source = place.source("sample", files);
  const encoder = new TextEncoder();
  const packed = `${place.directory}/sample.tandem`;
  Deno.writeFileSync(packed, pack(new Map(Object.entries(files).map(([path, text]) => [path, encoder.encode(text)]))));
  await place.registry.apply([options("sample", source)], [use("sample", { word: "one" })]);
  const { sha256 } = place.registry.status()[0];
  const locked = { ...options("sample", packed), sha256 };
  assert.deepEqual(await place.registry.apply([locked], [use("sample", { word: "one" })]), { problems: [] });
  const verdict = await place.registry.checker("backends.web.check").check(target, context(10_000));
  assert.equal(verdict.state, "up");
  place.source("sample", { "main.ts": checkerSource + "\n" });
  const { problems } = await place.registry.apply([{ ...locked, source }], []);
  assert.match(problems[0], /its files are not those of tandem\.lock/);
});

const event: Event = {
  v: 1,
  id: "dlp1-1",
  seq: 1,
  at: "2026-01-01T00:00:00.000Z",
  node: "dlp1",
  cluster: "edge",
  type: "server.state",
  severity: "warning",
  about: "web/node01",
  resolves: null,
  text: "node01 is down",
  attempt: 1,
  fields: {},
};

Deno.test("a notifier says what becomes of a failed delivery", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("notifier"),
    "main.ts": `import { defineNotifier, GiveUp, Retry, s } from "tandem/plugin";
      export default defineNotifier({ config: { word: s.string() }, notify(event) {
        if (event.text === "later") throw new Retry("busy", 1500);
        if (event.text === "never") throw new GiveUp("rejected");
        if (event.text === "oops") throw new Error("broken");
      } });`,
  });
  await place.registry.apply([options("sample", source)], [use("sample", { word: "x" }, "notify.0")]);
  const notifier = place.registry.notifier("notify.0");
  const notify = async (text: string) => await notifier.notify({ ...event, text }, 10_000);
  assert.deepEqual(await notify("fine"), { result: "delivered" });
  assert.deepEqual(await notify("later"), { result: "again", reason: "busy", afterMs: 1500 });
  assert.deepEqual(await notify("never"), { result: "dropped", reason: "rejected" });
  assert.deepEqual(await notify("oops"), { result: "again", reason: "broken (at main.ts:5:42)", afterMs: null });
});

Deno.test("a policy plans, and a plan that is none is an error of the plugin", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("policy"),
    "main.ts": `import { definePolicy, s } from "tandem/plugin";
      export default definePolicy({ config: { word: s.string() }, plan({ servers, because }) {
        if (because === "weights") return { ttlMs: 1000, weights: { nobody: 1 } };
        return { ttlMs: 1000, weights: Object.fromEntries(servers.map((server) => [server.name, server.labels.zone === "a" ? 3 : 1])) };
      } });`,
  });
  await place.registry.apply([options("sample", source)], [use("sample", { word: "x" }, "backends.web.balance")]);
  const policy = place.registry.policy("backends.web.balance");
  const server = (name: string, zone: string) => ({
    name,
    address: "192.0.2.1",
    port: 80,
    weight: 1,
    backup: false,
    labels: { zone },
    connections: 0,
    queued: 0,
    latencyMs: null,
    errorRate: 0,
  });
  const input: PolicyInput = {
    backend: "web",
    generation: 1,
    because: "start",
    servers: [server("a", "a"), server("b", "b")],
  };
  assert.deepEqual({ ...(await policy.plan(input, 10_000)).weights }, { a: 3, b: 1 });
  await assert.rejects(policy.plan({ ...input, because: "weights" }, 1000), /weights names the server "nobody"/);
});

Deno.test("what a plugin's own code throws is in the log once, and in last_error, with its file and line", async () => {
  await using place = new Place();
  const kinds = {
    check: ["checker", `check() { throw new Error("the database hates me"); }`],
    plan: ["policy", `plan() { throw new TypeError("no plan today " + Date.now()); }`],
    notify: ["notifier", `async notify() { await null; throw new Error("cannot tell"); }`],
  } as const;
  for (const [method, [kind, main]] of Object.entries(kinds)) {
    place.source(method, {
      "plugin.yaml": manifest(kind).replace("required: [word]", "required: []"),
      "main.ts": `export default { kind: "${kind}",\n  ${main} };`,
    });
  }
  const sources = Object.keys(kinds).map((name) => options(name, `${place.directory}/src-${name}`));
  const uses = Object.keys(kinds).map((name) => use(name, {}, name));
  assert.deepEqual(await place.registry.apply(sources, uses), { problems: [] });
  const input = { backend: "web", generation: 1, because: "start", servers: [] } as const;
  for (let time = 0; time < 3; time++) {
    assert.deepEqual(await place.registry.checker("check").check(target, context(10_000)), {
      state: "down",
      reason: "the database hates me",
    });
    await assert.rejects(place.registry.policy("plan").plan(input, 10_000), /no plan today \d+ \(at main\.ts:2:18\)/);
    assert.deepEqual(await place.registry.notifier("notify").notify(event, 10_000), {
      result: "again",
      reason: "cannot tell (at main.ts:2:38)",
      afterMs: null,
    });
  }
  const errors = place.registry.status().map(({ lastError }) => lastError?.replace(/\d{10,}/, "N"));
  assert.deepEqual(errors, [
    "the database hates me (at main.ts:2:19)",
    "no plan today N (at main.ts:2:18)",
    "cannot tell (at main.ts:2:38)",
  ]);
  const said = place.lines.map((line) => (JSON.parse(line).text ?? "").replace(/\d{10,}/, "N"));
  assert.deepEqual(said.filter((text) => / threw /.test(text)), [
    "[check] check threw Error: the database hates me (at main.ts:2:19)",
    "[plan] plan threw TypeError: no plan today N (at main.ts:2:18)",
    "[notify] notify threw Error: cannot tell (at main.ts:2:38)",
  ]);
});

Deno.test("what init and loading throw is told with file and line", async () => {
  await using place = new Place();
  const mains = {
    init: `export default { kind: "checker",\n  init() { throw new Error("no init today"); }, check() {} };`,
    load: `\nthrow new Error("at the top");`,
  };
  for (const [name, main] of Object.entries(mains)) {
    place.source(name, {
      "plugin.yaml": manifest("checker").replace("required: [word]", "required: []"),
      "main.ts": main,
    });
    await place.registry.apply([options(name, `${place.directory}/src-${name}`)], [use(name, {}, name)]);
    await place.registry.checker(name).check(target, context(10_000));
    const [{ lastError, reason }] = place.registry.status();
    const wanted = name === "init"
      ? /init of "init" failed: no init today \(at main\.ts:2:18\)/
      : /Error: at the top \(at main\.ts:2:7\)/;
    assert.match(lastError!, wanted);
    assert.match(reason, wanted);
    assert.ok(place.changes.some((change) => wanted.test(change)), place.changes.join("\n"));
  }
});

Deno.test("a reload that changes what a plugin is told of its node swaps it", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("checker"),
    "main.ts": checkerSource.replace("ctx.host.node", "ctx.host.labels.zone"),
  });
  const apply = () => place.registry.apply([options("sample", source)], [use("sample", { word: "one" }, "a")]);
  await apply();
  assert.equal((await place.registry.checker("a").check(target, context(10_000))).reason, "one node01 a");
  const { pid } = place.registry.status()[0];
  await apply();
  assert.equal(place.registry.status()[0].pid, pid, "nothing changed");
  place.labels = { zone: "b" };
  await apply();
  assert.equal((await place.registry.checker("a").check(target, context(10_000))).reason, "one node01 b");
});

for (const password of ["answer", "type", "down", "state", "info"]) {
  Deno.test(`a secret "${password}" is hidden in sentences, and breaks nothing that the protocol goes by`, async () => {
    await using place = new Place();
    const main = checkerSource.replace(
      "return {",
      `ctx.log.info("it is " + ctx.config.password);
    if (target.server === "two") throw new Error("no " + ctx.config.password);
    return {`,
    );
    const more = "requests: { secrets: [password], endpoints: [web] }";
    const source = place.source("sample", { "plugin.yaml": manifest("checker", more), "main.ts": main });
    const web = { url: "https://a.example/", headers: { "x-level": "info" }, secretHeaders: [] };
    const grants = { ...nothingGranted, secrets: ["pg"], endpoints: { web } };
    const uses = [use("sample", { word: password, password }, "a")];
    assert.deepEqual(await place.registry.apply([{ ...options("sample", source), grants }], uses), { problems: [] });
    const checker = place.registry.checker("a");
    assert.deepEqual(await checker.check(target, context(10_000)), { state: "up", reason: "••• node01 dlp1" });
    assert.deepEqual(await checker.check({ ...target, server: "two" }, context()), { state: "down", reason: "no •••" });
    assert.equal(place.registry.status()[0].state, "running");
    assert.equal(
      place.lines.map((line) => JSON.parse(line)).filter(({ text }) => text === "[sample] it is •••").length,
      2,
    );
  });
}

Deno.test("what was not granted is not in ctx, and what was is", async () => {
  await using place = new Place();
  const source = place.source("sample", {
    "plugin.yaml": manifest("checker", "requests: { store: 1KiB, endpoints: [web] }"),
    "main.ts": checkerSource.replace(
      "ctx.host.node",
      '["store", "fetch", "send", "run"].filter((name) => name in ctx)',
    ),
  });
  const grants = { ...nothingGranted, store: 1024, endpoints: { web: { url: "https://a.example/" } } };
  await place.registry.apply([{ ...options("sample", source), grants }], [use("sample", { word: "has" }, "a")]);
  assert.equal((await place.registry.checker("a").check(target, context(10_000))).reason, "has node01 store,fetch");
});

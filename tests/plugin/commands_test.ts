/** The commands of authors: what `plugin new` writes and what is in plugins/examples passes them unchanged. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { appKit } from "../../runtime/control/app_kit.ts";
import { check } from "../../runtime/plugin/commands/check.ts";
import { conformance, sampleConfig } from "../../runtime/plugin/commands/conformance.ts";
import { run as create } from "../../runtime/plugin/commands/new.ts";
import { test, watching } from "../../runtime/plugin/commands/test.ts";
import { openKit, openWorkshop } from "../../runtime/plugin/commands/workshop.ts";
import { readSource } from "../../runtime/plugin/source.ts";
import type { JsonSchema } from "../../plugins/declaration.ts";

const kits = { app: appKit };

for (const kind of ["checker", "policy", "notifier", "app"]) {
  Deno.test(`plugin new ${kind} makes a plugin that passes plugin check and plugin test`, async () => {
    using place = openKit(kits);
    const directory = `${place.directory}/made`;
    await create([kind, "acme/made", directory], kits);
    assert.deepEqual(await check(directory, place, false), { findings: [], remarks: [], wrote: true });
    assert.deepEqual(await check(directory, place, true), { findings: [], remarks: [], wrote: false });
    assert.ok(await test(directory, place));
  });
}

const examples = fileURLToPath(new URL("../../plugins/examples/", import.meta.url));
for (const { name } of Deno.readDirSync(examples)) {
  Deno.test(`the example ${name} passes plugin check and plugin test`, async () => {
    using place = openKit(kits);
    assert.deepEqual(await check(`${examples}${name}`, place, true), { findings: [], remarks: [], wrote: false });
    assert.ok(await test(`${examples}${name}`, place));
  });
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What `tandem plugin WORDS…` says, both streams together. */
async function tandem(
  words: readonly string[],
  cwd?: string,
): Promise<{ readonly code: number; readonly said: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `${root}mod.ts`, "plugin", ...words],
    env: { NO_COLOR: "1" },
    cwd,
  }).output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** A directory with these files, beside a manifest where none is given. */
function written(directory: string, kind: string, files: Readonly<Record<string, string>>): string {
  Deno.mkdirSync(directory);
  for (const [path, text] of Object.entries({ "plugin.yaml": manifest(kind), ...files })) {
    Deno.writeTextFileSync(`${directory}/${path}`, text);
  }
  return directory;
}

const manifest = (kind: string) =>
  `name: acme/bad\nversion: 1.0.0\nkind: ${kind}\nentry: main.ts\npublisher: { name: Acme }\n`;

const mistakes: [name: string, main: string, finding: RegExp][] = [
  [
    "an import from npm",
    `import x from "npm:left-pad";\nexport default {};`,
    /main\.ts:1:16: "npm:left-pad" would be fetched/,
  ],
  [
    "a file that is missing",
    `\nimport { x } from "./gone.ts";\nexport default {};`,
    /main\.ts:2:20: "\.\/gone\.ts" does not exist/,
  ],
  ["a file outside", `export * from "../../secret.ts";`, /main\.ts:1:16: "\.\.\/\.\.\/secret\.ts" is outside/],
  ["a bare import", `import { Hono } from "hono";`, /main\.ts:1:23: "hono" is no file of the plugin/],
  [
    "a wrong type",
    `import { defineChecker } from "tandem/plugin";\nexport default defineChecker({ check: () => ({ state: "fine", reason: "" }) });`,
    /TS2322[\s\S]*main\.ts:2/,
  ],
  [
    "a connection it does not ask for",
    `import { defineChecker } from "tandem/plugin";\nexport default defineChecker({\n  async check(_t, ctx) { await ctx.connect(); return { state: "up", reason: "" }; } });`,
    /main\.ts:3:32: uses ctx\.connect, but plugin\.yaml does not ask for net: \[targets\]/,
  ],
  [
    "a secret it does not ask for",
    `import { defineChecker, s } from "tandem/plugin";\nexport default defineChecker({ config: { key: s.secret() }, check: () => ({ state: "up", reason: "" }) });`,
    /plugin\.yaml:1:1: declares the secret "key" and does not ask for it/,
  ],
  [
    "a pattern that is none",
    `import { defineChecker, s } from "tandem/plugin";\nexport default defineChecker({ config: { a: s.string({ pattern: "(" }) }, check: () => ({ state: "up", reason: "" }) });`,
    /main\.ts: config: a\.pattern: is none: Invalid regular expression/,
  ],
  [
    "a default that its own field refuses",
    `import { defineChecker, s } from "tandem/plugin";\nexport default defineChecker({ config: { a: s.integer({ maximum: 5, default: 9 }) }, check: () => ({ state: "up", reason: "" }) });`,
    /main\.ts: config: a\.default: must be 5 or less, got 9/,
  ],
  ["an error at its top", `throw new Error("at the top");`, /main\.ts: Error: at the top \(at main\.ts:1:7\)/],
  ["no plugin", `export const x = 1;`, /main\.ts: TypeError: "main\.ts" must export a plugin by default/],
];
for (const [name, main, finding] of mistakes) {
  Deno.test(`plugin check finds ${name} where it is`, async () => {
    using place = openKit(kits);
    const directory = `${place.directory}/bad`;
    Deno.mkdirSync(directory);
    Deno.writeTextFileSync(`${directory}/plugin.yaml`, manifest("checker"));
    Deno.writeTextFileSync(`${directory}/main.ts`, main);
    const { findings } = await check(directory, place, false);
    assert.match(findings.join("\n"), finding);
  });
}

const bad: [kind: "checker" | "policy" | "notifier" | "app", main: string, rule: RegExp][] = [
  ["checker", `check: () => ({ state: "up", reason: "always" })`, /a server that refuses/],
  ["checker", `check: async () => { await new Promise(() => {}); }`, /gave no answer/],
  ["policy", `plan: () => ({ ttlMs: 1000, weights: {} })`, /at least one server/],
  ["notifier", `async notify(_e: unknown, ctx: any) { await ctx.fetch("x").catch(() => {}); }`, /counts as delivered/],
  [
    "notifier",
    `async notify(_e: unknown, ctx: any) { await ctx.send("x", "").catch(() => {}); }`,
    /counts as delivered/,
  ],
  ["notifier", `async notify(_e: unknown, ctx: any) { await ctx.run("hook").catch(() => {}); }`, /counts as delivered/],
  ["notifier", `async notify(_e: unknown, ctx: any) { await ctx.fetch("y"); }`, /Endpoint "y" is not granted/],
  ["app", `fetch: () => { throw new Error("not like this"); }`, /every method[^:]*: GET \/ is answered 500: it threw/],
  ["app", `fetch: () => new Promise(() => {})`, /every method[^:]*: gave no answer within 2000 ms/],
  [
    "app",
    `fetch: (r: Request) => new Response(decodeURIComponent(new URL(r.url).pathname))`,
    /no browser[^:]*: GET \/%ff%fe is answered 500/,
  ],
];
const asking = "requests: { endpoints: [x], commands: [hook], store: 1KiB }\n";
for (const [kind, main, wanted] of bad) {
  Deno.test(`conformance of kind ${kind} catches ${main}`, async () => {
    using place = openKit(kits);
    const directory = `${place.directory}/bad`;
    Deno.mkdirSync(directory);
    Deno.writeTextFileSync(`${directory}/plugin.yaml`, manifest(kind) + asking);
    Deno.writeTextFileSync(`${directory}/main.ts`, `export default { kind: "${kind}", ${main} };`);
    await using workshop = await openWorkshop(await readSource(directory), place);
    await workshop.call("init", null, 1000, { config: sampleConfig(workshop.loaded.schema as JsonSchema) });
    if (kind === "app") workshop.serve();
    const failures: string[] = [];
    for (const rule of conformance[kind]) {
      await rule.test(workshop).catch((error) => failures.push(`${rule.name}: ${error.message}`));
    }
    assert.match(failures.join("\n"), wanted);
  });
}

const throwing: [kind: string, main: string, said: RegExp][] = [
  ["policy", `plan() { throw new Error("boom in plan"); }`, /in time … FAILED: boom in plan \(at main\.ts:2:18\)/],
  ["checker", `init() { throw new Error("no init today"); }, check() {}`, /FAILED: no init today \(at main\.ts:2:18\)/],
  [
    "checker",
    `check() { Promise.reject(new Error("nobody awaits")); return { state: "down", reason: "" }; }`,
    /Unhandled rejection: Error: nobody awaits \(at main\.ts:2:28\)/,
  ],
  ["app", `fetch() { throw new TypeError("app boom"); }`, /A request failed: TypeError: app boom \(at main\.ts:2:19\)/],
  [
    "app",
    `import { Hono } from "hono";\nexport default new Hono().all("*", () => { throw new TypeError("app boom"); });`,
    / {2}error: TypeError: app boom \(at main\.ts:2:50\) \(\d+ times\)\n/,
  ],
];
for (const [kind, main, said] of throwing) {
  Deno.test(`plugin test says where a ${kind} with ${main} threw`, async () => {
    using place = openKit(kits);
    const text = main.includes("default") ? main : `export default { kind: "${kind}",\n  ${main} };`;
    const files = { "main.ts": text };
    const result = await tandem(["test", written(`${place.directory}/made`, kind, files)]);
    assert.match(result.said, said);
  });
}

Deno.test("one plugin that cannot be read leaves plugin list the others, and steers no terminal", async () => {
  using place = openKit(kits);
  const { directory } = place;
  const main = { "main.ts": `export default { kind: "policy" };` };
  written(`${directory}/fine`, "policy", main);
  written(`${directory}/bomb`, "policy", { ...main, "plugin.yaml": `config: &c { properties: { a: *c } }\n` });
  written(`${directory}/loud`, "policy", {
    ...main,
    "plugin.yaml": manifest("policy").replace("name: Acme", `name: "Acme\\e[2J\\nsha256 0"`),
  });
  const added = await tandem(["add", "./loud"], directory);
  assert.equal(added.code, 1);
  assert.match(added.said, /loud\/plugin\.yaml:5:20: publisher\.name: must be one line of plain text/);
  const entry = (name: string) => ({ source: `./${name}`, plugin: "acme/bad", version: "1.0.0", sha256: "" });
  const plugins = { bomb: entry("bomb"), fine: entry("fine"), loud: entry("loud") };
  Deno.writeTextFileSync(`${directory}/tandem.lock`, JSON.stringify({ version: 1, plugins }));
  const { said } = await tandem(["list"], directory);
  assert.match(said, /bomb .*CANNOT BE READ: \.\/bomb\/plugin\.yaml:1:31: \*c: is an alias of what holds an alias/);
  assert.match(said, /fine .*CHANGED: 1\.0\.0/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(added.said + said, /[\x00-\x09\x0b-\x1f]/);
});

Deno.test("plugin check refuses a declaration that steers a terminal", async () => {
  using place = openKit(kits);
  const main = `import { defineChecker, s } from "tandem/plugin";
export default defineChecker({
  config: { a: s.string({ description: "\\x1b[31mred" }) },
  check: () => ({ state: "down", reason: "" }),
});`;
  const { findings } = await check(written(`${place.directory}/bad`, "checker", { "main.ts": main }), place, false);
  assert.match(findings.join("\n"), /main\.ts: config\.properties\.a\.description: must be one line of plain text/);
});

Deno.test("plugin check takes ctx in pieces and names that are computed, and remarks what it does not see", async () => {
  using place = openKit(kits);
  const main = `import { defineChecker } from "tandem/plugin";
export default defineChecker({
  async check(_target, { connect, ...context }) {
    const names = ["pager"];
    await context.fetch!(names[0]);
    await using _ = await connect();
    return { state: "up", reason: "" };
  },
});`;
  const directory = written(`${place.directory}/made`, "checker", {
    "main.ts": main,
    "plugin.yaml": manifest("checker") + "requests: { net: [targets], endpoints: [pager] }\n",
  });
  const { findings, remarks } = await check(directory, place, false);
  assert.deepEqual(findings, []);
  assert.equal(remarks.length, 2);
  assert.match(remarks[0], /plugin\.yaml:1:1: asks for net: \[targets\], and ctx\.connect\(\) is nowhere to be seen/);
  const { code, said } = await tandem(["check", directory]);
  assert.equal(code, 0);
  assert.match(said, /remark: .*asks for the endpoint "pager", and ctx\.fetch\("pager"\) is nowhere/);
  assert.equal((await tandem(["pack", directory], place.directory)).code, 0);
});

Deno.test("plugin pack makes the same bytes however often, in the directory itself", async () => {
  using place = openKit(kits);
  const directory = `${place.directory}/made`;
  await create(["policy", "acme/made", directory], kits);
  await check(directory, place, false);
  const before = await readSource(directory);
  const packs: string[] = [];
  for (let time = 0; time < 3; time++) {
    const { code, said } = await tandem(["pack", "--output", `made-${time}.tandem`], directory);
    assert.equal(code, 0, said);
    packs.push(new Uint8Array(Deno.readFileSync(`${directory}/made-${time}.tandem`)).toBase64());
  }
  assert.equal(new Set(packs).size, 1);
  assert.equal((await readSource(directory)).sha256, before.sha256);
  // Only what is one: a file of that name may be the plugin's own.
  Deno.writeTextFileSync(`${directory}/words.tandem`, "mine");
  assert.ok((await readSource(directory)).files.has("words.tandem"));
});

for (const name of ["notes ä.txt", "my main#1.ts", "a\x1b[31m.txt"]) {
  Deno.test(`plugin check and plugin pack refuse the file ${JSON.stringify(name)} by its name, and write nothing`, async () => {
    using place = openKit(kits);
    const directory = written(`${place.directory}/made`, "policy", {
      "main.ts": `export default { kind: "policy", plan() {} };`,
      [name]: "",
    });
    const { findings } = await check(directory, place, true);
    assert.match(findings.join("\n"), /made\/(notes ä\.txt|my main#1\.ts|a\.txt): must be named with A-Z/);
    assert.equal((await tandem(["pack", directory], place.directory)).code, 1);
    assert.deepEqual([...Deno.readDirSync(place.directory)].filter(({ name }) => name.endsWith(".tandem")), []);
  });
}

Deno.test("plugin pack writes nothing that could not be read", async () => {
  using place = openKit(kits);
  const directory = written(`${place.directory}/made`, "policy", {
    "plugin.yaml": manifest("policy").replace("main.ts", "main_test.ts"),
    "main_test.ts": `export default { kind: "policy", plan() {} };`,
  });
  await check(directory, place, false);
  const { code, said } = await tandem(["pack", directory], place.directory);
  assert.equal(code, 1);
  assert.match(said, /Cannot pack .*: entry: there is no "main_test\.ts"/);
  assert.deepEqual([...Deno.readDirSync(place.directory)].filter(({ name }) => name.endsWith(".tandem")), []);
});

Deno.test("plugin test --watch goes on after what does not parse, and sees what changes during a test", async () => {
  using place = openKit(kits);
  const directory = written(`${place.directory}/made`, "policy", { "main.ts": "const = ;" });
  const controller = new AbortController();
  const seen: string[] = [];
  await watching(directory, async () => {
    const text = Deno.readTextFileSync(`${directory}/main.ts`);
    seen.push(text);
    if (text === "third") return controller.abort();
    Deno.writeTextFileSync(`${directory}/main.ts`, seen.length === 1 ? "second" : "third");
    await test(directory, place);
  }, controller.signal);
  assert.deepEqual(seen, ["const = ;", "second", "third"]);
});

const asks: [kind: string, requests: string, main: string][] = [
  ["notifier", "{ endpoints: [log] }", `async notify(e: any, ctx: any) { await ctx.send("log", e.text); }`],
  [
    "notifier",
    "{ commands: [hook] }",
    `async notify(e: any, ctx: any) { const { code } = await ctx.run("hook", { input: e.text }); if (code) throw 1; }`,
  ],
  ["notifier", "{ store: 1KiB }", `async init(ctx: any) { await ctx.store.set("a", "b"); }, notify() {}`],
  [
    "policy",
    "{ store: 1KiB }",
    `async plan({ servers }: any, ctx: any) {
      await ctx.store.set("a", "b");
      return { ttlMs: 1000, weights: { [servers[0].name]: Number((await ctx.store.get("a")).length) } };
    }`,
  ],
];
for (const [kind, requests, main] of asks) {
  Deno.test(`plugin test gives a ${kind} what it asks for: ${requests}`, async () => {
    using place = openKit(kits);
    const directory = written(`${place.directory}/made`, kind, {
      "plugin.yaml": `${manifest(kind)}requests: ${requests}\n`,
      "main.ts": `export default { kind: "${kind}", ${main} };`,
    });
    assert.ok(await test(directory, place));
  });
}

/** The commands of authors: what `plugin new` writes and what is in plugins/examples passes them unchanged. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { appKit } from "../../runtime/control/app_kit.ts";
import { check } from "../../runtime/plugin/commands/check.ts";
import { conformance, sampleConfig } from "../../runtime/plugin/commands/conformance.ts";
import { run as create } from "../../runtime/plugin/commands/new.ts";
import { test } from "../../runtime/plugin/commands/test.ts";
import { openKit, openWorkshop } from "../../runtime/plugin/commands/workshop.ts";
import { readSource } from "../../runtime/plugin/source.ts";
import type { JsonSchema } from "../../plugins/declaration.ts";

const kits = { app: appKit };

for (const kind of ["checker", "policy", "notifier", "app"]) {
  Deno.test(`plugin new ${kind} makes a plugin that passes plugin check and plugin test`, async () => {
    using place = openKit(kits);
    const directory = `${place.directory}/made`;
    await create([kind, "acme/made", directory], kits);
    assert.deepEqual(await check(directory, place, false), { findings: [], wrote: true });
    assert.deepEqual(await check(directory, place, true), { findings: [], wrote: false });
    assert.ok(await test(directory, place));
  });
}

const examples = fileURLToPath(new URL("../../plugins/examples/", import.meta.url));
for (const { name } of Deno.readDirSync(examples)) {
  Deno.test(`the example ${name} passes plugin check and plugin test`, async () => {
    using place = openKit(kits);
    assert.deepEqual(await check(`${examples}${name}`, place, true), { findings: [], wrote: false });
    assert.ok(await test(`${examples}${name}`, place));
  });
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
  ["app", `fetch: () => { throw new Error("not like this"); }`, /every method[^:]*: GET \/ is answered 500: it threw/],
  ["app", `fetch: () => new Promise(() => {})`, /every method[^:]*: gave no answer within 2000 ms/],
  [
    "app",
    `fetch: (r: Request) => new Response(decodeURIComponent(new URL(r.url).pathname))`,
    /no browser[^:]*: GET \/%ff%fe is answered 500/,
  ],
];
for (const [kind, main, wanted] of bad) {
  Deno.test(`conformance of kind ${kind} catches ${main}`, async () => {
    using place = openKit(kits);
    const directory = `${place.directory}/bad`;
    Deno.mkdirSync(directory);
    const asks = main.includes("ctx.fetch") ? "requests: { endpoints: [x] }\n" : "";
    Deno.writeTextFileSync(`${directory}/plugin.yaml`, manifest(kind) + asks);
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

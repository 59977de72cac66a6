/** plugins/README.md: its examples are taken as they are written there. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { main } from "../../../runtime/cli.ts";
import { defineApp, defineChecker, defineNotifier, definePolicy, type Plan } from "../../../plugins/contract.ts";
import * as kit from "../../../plugins/testing.ts";
import { decodeManifest } from "../../../runtime/plugin/manifest.ts";
import { template } from "../../../runtime/plugin/commands/templates.ts";
import { Scratch } from "../../support/scratch.ts";

const plugins = fileURLToPath(new URL("../../../plugins/", import.meta.url));
const guide = Deno.readTextFileSync(`${plugins}README.md`);

const AsyncFunction = async function () {}.constructor as FunctionConstructor;
/** Variables that its secrets are in. */
const KEYS = ["HOOK_KEY", "PAGING_KEY"];

/** The blocks of a section, in order. */
function blocks(section: string, language: string): string[] {
  const text = guide.split(`\n## ${section}\n`)[1].split("\n## ")[0];
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block]) => block);
}

Deno.test("the guide shows the main.ts that plugin new writes", () => {
  const files = template({ name: "acme/smtp", publisher: "acme", kind: "checker", packages: {} });
  assert.equal(blocks("First plugin in five minutes", "ts")[0], files["main.ts"]);
});

Deno.test("the guide's plugin.yaml is one", () => {
  assert.deepEqual(decodeManifest(blocks("plugin.yaml", "yaml")[0]).problems, []);
});

Deno.test("the guide's plan is one", async () => {
  const plan = new Function(blocks("Policy", "ts ignore")[0]) as () => Plan;
  await kit.simulate(definePolicy({ plan }), { config: {}, servers: [{ name: "node01" }, { name: "node02" }], for: 1 });
});

Deno.test("the guide's tests run as they are written", async () => {
  const [, body] = blocks("Testing", "ts ignore")[0].split(/^import .*$/m);
  const checker = defineChecker({
    async check(_target, ctx) {
      await using connection = await ctx.connect();
      await connection.write(new TextEncoder().encode("PING\r\n"));
      return { state: "up", reason: String(await connection.read()) };
    },
  });
  const policy = definePolicy({
    plan: ({ servers }) => ({ ttlMs: 1000, weights: Object.fromEntries(servers.map(({ name }) => [name, 1])) }),
  });
  const notifier = defineNotifier({ notify: async (_event, ctx) => void await ctx.fetch!("pager") });
  const app = defineApp({ fetch: (request, ctx) => ctx.forward("web", request) });
  const given = { ...kit, checker, policy, notifier, app, config: {}, servers: [{ name: "a" }, { name: "b" }] };
  await new AsyncFunction(...Object.keys(given), body)(...Object.values(given));
});

/** What the guide leaves out because its reader has it. */
const around: [section: string, more: string][] = [
  ["App", "version: 1\nsecrets: { door: { env: PAGING_KEY } }\nbackends: { web: { servers: { a: 192.0.2.1:80 } } }\n"],
  ["In tandem.yaml", "version: 1\n"],
];
for (const [section, more] of around) {
  Deno.test(`the guide's configuration under ${section} passes tandem check`, async () => {
    using place = new Place();
    assert.equal(await place.check(more + blocks(section, "yaml")[0]), 0);
  });
}

Deno.test("the guide's checks of its own pass tandem check", async () => {
  using place = new Place();
  const checks = blocks("In tandem.yaml", "yaml")[1].trim().split("\n");
  const backends = checks.map((line, index) => `  b${index}:\n    ${line}\n    servers: { a: 192.0.2.1:80 }\n`);
  assert.equal(await place.check(`version: 1\nbackends:\n${backends.join("")}`), 0);
});

/** The examples under the names that the guide gives them, and the secrets. */
class Place extends Scratch {
  constructor() {
    super();
    for (const [name, example] of Object.entries({ "pg-role": "pg_role", pager: "pager", zones: "zone_latency" })) {
      Deno.mkdirSync(this.file(name));
      for (const { name: file } of Deno.readDirSync(`${plugins}examples/${example}`)) {
        Deno.copyFileSync(`${plugins}examples/${example}/${file}`, this.file(`${name}/${file}`));
      }
    }
    const door = template({ name: "acme/door", publisher: "acme", kind: "app", packages: {} });
    Deno.mkdirSync(this.file("door"));
    Deno.writeTextFileSync(this.file("door/main.ts"), door["main.ts"]);
    const asking = door["plugin.yaml"].replace("requests: {}", "requests: { secrets: [key] }");
    const schema = "{ type: object, properties: { key: { type: string, x-tandem: secret } }, required: [key] }";
    Deno.writeTextFileSync(this.file("door/plugin.yaml"), `${asking}config: ${schema}\n`);
    Deno.writeTextFileSync(this.file("pg.pass"), "correct-horse");
    for (const name of KEYS) Deno.env.set(name, "battery-staple");
  }

  async check(text: string): Promise<number> {
    Deno.writeTextFileSync(this.file("tandem.yaml"), text.replace("/etc/tandem/pg.pass", this.file("pg.pass")));
    return await main(["check", this.file("tandem.yaml")]);
  }

  override [Symbol.dispose](): void {
    for (const name of KEYS) Deno.env.delete(name);
    super[Symbol.dispose]();
  }
}

import assert from "node:assert/strict";
import { knownPlugins } from "./known_plugins.ts";
import { configOf, type Reading } from "./loading.ts";
import { problemsOf } from "./loading.ts";

const reading: Reading = { plugins: knownPlugins(), readSecret: () => "sesame" };

const head = `version: 1
secrets: { pg: { file: /pg.pass }, page: { env: PAGE } }
`;
const pgRole = "plugins: { pg-role: { source: ./pg-role, grants: { net: [targets], secrets: [pg] } } }";
const backend = (lines: string) => `backends: { db: { servers: { one: 192.0.2.1:5432 }, ${lines} } }\n`;

const front = (route: string) => `frontends: { web: { bind: "127.0.0.1:80", routes: [{ ${route} }] } }\n`;

/** Name, lines after the head, problems. */
type Row = readonly [name: string, lines: string, ...problems: string[]];

const rows: readonly Row[] = [
  [
    "a checker with its secret",
    `${pgRole}\n${backend("check: { use: pg-role, with: { role: primary, password: { secret: pg } }, interval: 1s }")}`,
  ],
  [
    "a missing grant is the line to add",
    `plugins: { pg-role: { source: ./pg-role } }\n`,
    "3:21: plugins.pg-role.grants: the plugin asks for connections to the servers it checks; add net: [targets]",
    "3:21: plugins.pg-role.grants: the plugin asks for secrets for password; add secrets: [NAME], with NAME from secrets:",
  ],
  [
    "a secret that was not granted",
    `${pgRole}\n${backend("check: { use: pg-role, with: { password: { secret: page } } }")}`,
    '4:94: backends.db.check.with.password: secret "page" is not granted; plugins.pg-role.grants: add secrets: [page]',
  ],
  [
    "with: is judged by the plugin's own schema, where it is written",
    `${pgRole}\n${backend("check: { use: pg-role, with: { role: leader, password: { secret: pg }, lag: 3 } }")}`,
    '4:90: backends.db.check.with.role: must be one of primary, replica, any, got "leader"',
    "4:129: backends.db.check.with.lag: is unknown; there is role, user, password, database, maxLag",
  ],
  [
    "what is required and missing",
    `${pgRole}\n${backend("check: { use: pg-role }")}`,
    "4:60: backends.db.check.with.password: is missing: of that user, by SCRAM-SHA-256",
  ],
  [
    "a use of what is not declared",
    `${pgRole}\n${backend("check: { use: pg-rol }, balance: { use: zones }")}`,
    '4:67: backends.db.check.use: unknown checker "pg-rol"; did you mean "pg-role"?',
    '4:93: backends.db.balance.use: unknown policy "zones"; there is roundrobin, leastconn, random, first, source, uri, header, cookie, pg-role',
  ],
  [
    "a plugin of another kind",
    `${pgRole}\n${backend("balance: { use: pg-role }")}`,
    '4:69: backends.db.balance.use: "pg-role" is a checker, and a policy is wanted here',
  ],
  [
    "a policy, its with: and its fallback",
    `plugins: { zones: { source: ./zones, with: { prefer: 0.8 } } }\n` +
    backend("balance: { use: zones, with: { minUp: 0 }, fallback: header }"),
    "4:91: backends.db.balance.with.minUp: must be 1 or more, got 0",
    '4:106: backends.db.balance.fallback: must be roundrobin, leastconn, random, first, source or uri, got "header"',
  ],
  [
    "a source that is no plugin, a name that is taken",
    "plugins: { other: { source: ./none }, tcp: { source: ./pg-role } }",
    "3:29: plugins.other.source: ./none: has no plugin.yaml",
    '3:44: plugins.tcp: "tcp" comes with Tandem: give the plugin another name',
  ],
  [
    "servers on this machine are reached only by net_unsafe",
    `${pgRole}
backends: { db: { check: { use: pg-role, with: { password: x } }, servers: { one: 127.0.0.1:5432 } } }
`,
    `4:83: backends.db.servers.one: plugin "pg-role" would reach 127.0.0.1, this machine's or a node's own; to allow it, add to plugins.pg-role.grants: net_unsafe: [targets]`,
  ],
  [
    "grants that mean nothing",
    "plugins: { pg-role: { source: ./pg-role, grants: { net: [targets, all], net_unsafe: [hook], secrets: [pgg], store: 1 } } }",
    '3:67: plugins.pg-role.grants.net[1]: must be targets, got "all"',
    '3:86: plugins.pg-role.grants.net_unsafe[0]: must be targets or an endpoint, got "hook"; there is targets',
    '3:103: plugins.pg-role.grants.secrets[0]: unknown secret "pgg"; did you mean "pg"?',
    '3:116: plugins.pg-role.grants.store: needs a unit: write "1B", "1kB" or "1MB"',
  ],
  [
    "notifiers, ours and a plugin's",
    `plugins: { pager: { source: ./pager, grants: { secrets: [page], store: 16KiB, endpoints: { events: https://e.example/ } } } }
notify:
  - { use: webhook, with: { url: "https://hooks.example/x", secret: { secret: page } }, events: ["vrrp.*", server.state], min_severity: warning, from: active, flap: 30s }
  - { use: pager, with: { routingKey: { secret: page } }, events: "*" }
`,
  ],
  [
    "notifiers that cannot be",
    `notify:
  - { use: webhok }
  - { use: webhook }
  - { use: command, with: { command: [/bin/true], args: [] }, events: [server.stat], min_severity: high }
`,
    '4:12: notify[0].use: unknown notifier "webhok"; did you mean "webhook"?',
    "5:5: notify[1].with.url: is missing: where events are posted",
    "6:57: notify[2].with.args: is unknown; there is command",
    '6:72: notify[2].events[0]: unknown event "server.stat"; did you mean "server.state"?',
    '6:100: notify[2].min_severity: must be info, notice, warning or error, got "high"',
  ],
  [
    "an application: its grants, its with:, a route by its name",
    `plugins: { door: { source: ./door, with: { keys: { ann: ${"0f".repeat(32)} } } } }
${front("app: door, on_failure: block")}`,
  ],
  [
    "an application whose with: is wrong, and routes to what is none",
    `plugins: { door: { source: ./door, with: { keys: { ann: x }, backen: y } }, pager: { source: ./pg-role, grants: { net: [targets], secrets: [pg] } } }
${front("match: { path: /a }, app: dor }, { match: { path: /b }, app: pager }, { app: door.ts")}`,
    '3:57: plugins.door.with.keys.ann: must be text like ^[0-9a-f]{64}$, got "x"',
    "3:70: plugins.door.with.backen: is unknown; there is keys, backend",
    '4:80: frontends.web.routes[0].app: unknown app "dor"; did you mean "door"?',
    '4:115: frontends.web.routes[1].app: "pager" is a checker, and an app is wanted here',
    '4:131: frontends.web.routes[2].app: unknown app "door.ts"; a file is written "./door.ts"',
  ],
  [
    "an application without what it needs",
    `plugins: { door: { source: ./door } }\n${front("app: door")}`,
    "3:18: plugins.door.with.keys: is missing: SHA-256 of each caller's key, by name",
  ],
  [
    "a file that is not there",
    front("app: ./gone.ts"),
    '3:59: frontends.web.routes[0].app: "/etc/tandem/gone.ts" does not exist',
  ],
];

for (const [name, lines, ...problems] of rows) {
  Deno.test(`load() judges plugins: ${name}`, () => {
    assert.deepEqual(problemsOf(head + lines, reading), problems);
  });
}

Deno.test("load() refuses a plugin whose files are not those of tandem.lock", () => {
  const locked = { ...reading, plugins: knownPlugins("bb") };
  assert.deepEqual(problemsOf(head + pgRole, locked), [
    "3:31: plugins.pg-role.source: its files are not those of tandem.lock: sha256 aa, locked is bb; if they may run, tandem plugin add ./pg-role",
  ]);
});

Deno.test("load() gives each use its with:, secrets opened, over what the plugin's own says", () => {
  const text = `${head}plugins:
  pg-role: { source: ./pg-role, with: { user: monitor, maxLag: 5s }, grants: { net: [targets], secrets: [pg] }, limits: { memory: 32MB } }
backends:
  db:
    check: { use: pg-role, with: { password: { secret: pg }, maxLag: 1s } }
    servers: { one: 192.0.2.1:5432, two: { address: 192.0.2.2:5432, check: { with: { role: replica } } } }
`;
  const { backends: [{ check, servers }], plugins: [plugin] } = configOf(text, reading);
  assert.deepEqual(check?.with, { user: "monitor", maxLag: "1s", password: "sesame" });
  assert.deepEqual([check?.plugin, check?.panic], ["backends.db.check", 1]);
  const own = servers[1].check;
  assert.deepEqual(own !== "shared" && [own?.plugin, own?.with], [
    "backends.db.servers.two.check",
    { user: "monitor", maxLag: "1s", password: "sesame", role: "replica" },
  ]);
  assert.deepEqual([plugin.plugin, plugin.limits], ["acme/pg-role 1.0.0", { memory: 32e6, deadline: 2000 }]);
});

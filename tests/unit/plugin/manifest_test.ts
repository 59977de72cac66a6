import assert from "node:assert/strict";
import { decodePlan, decodeVerdict } from "../../../plugins/answers.ts";
import { defineChecker, type JsonSchema, s, schemaOf } from "../../../plugins/contract.ts";
import { KEY_SOURCES, KEY_TABLES, PLAN_PICKS } from "../../../plugins/plan_bounds.ts";
import { planFault } from "../../../runtime/proxy/balance/plan_check.ts";
import { effectiveGrants, nothingGranted } from "../../../runtime/plugin/grants.ts";
import { HOST_ENTRY, KIT_FILES, SDK_ENTRY, STAGE_ENTRY, TEST_ENTRY } from "../../../runtime/plugin/kit_files.ts";
import { appKit } from "../../../runtime/control/app_kit.ts";
import { decodeManifest, formatManifestProblem } from "../../../runtime/plugin/manifest.ts";
import { checkOptions } from "../../../runtime/plugin/options.ts";
import { contradictions } from "../../../runtime/plugin/schema.ts";
import { pack, unpack } from "../../../runtime/plugin/pack.ts";

const text = `name: acme/pg-role
version: 1.2.0
kind: checker
api: 1
entry: main.ts
requests: { net: [targets], secrets: [password], store: 64KiB }
limits: { memory: 96MB, deadline: 500ms }
publisher: { name: Acme, license: Apache-2.0 }
`;

Deno.test("decodeManifest() reads the contract's example", () => {
  const { manifest } = decodeManifest(text);
  assert.deepEqual(manifest, {
    name: "acme/pg-role",
    version: "1.2.0",
    kind: "checker",
    api: 1,
    entry: "main.ts",
    requests: { net: ["targets"], secrets: ["password"], endpoints: [], commands: [], store: 65536 },
    limits: { memory: 96_000_000, deadline: 500 },
    publisher: { name: "Acme", homepage: null, support: null, license: "Apache-2.0" },
    config: {},
  });
});

const mistakes: [name: string, from: string, to: string, problem: string][] = [
  [
    "an unknown kind",
    "kind: checker",
    "kind: balancer",
    'p:3:7: kind: must be one of checker, policy, notifier, app, got "balancer"',
  ],
  [
    "a reserved kind",
    "kind: checker",
    "kind: discovery",
    'p:3:7: kind: must be one of checker, policy, notifier, app, got "discovery": that kind is not in this version',
  ],
  [
    "a name without publisher",
    "acme/pg-role",
    "pg-role",
    'p:1:7: name: must be PUBLISHER/NAME in lower case, as acme/pg-role, got "pg-role"',
  ],
  [
    "a version that is a number",
    "1.2.0",
    "1.2",
    "p:2:10: version: must be a version of three numbers, as 1.2.0, got 1.2",
  ],
  ["another API", "api: 1", "api: 2", "p:4:6: api: must be 1, got 2: this version of Tandem runs no other"],
  [
    "an entry outside",
    "main.ts",
    "../main.ts",
    'p:5:8: entry: must be inside the plugin\'s directory, got "../main.ts"',
  ],
  [
    "an unknown key",
    "entry: main.ts",
    "entry: main.ts\nport: 80",
    "p:6:1: port: is unknown; there is name, version, kind, api, entry, requests, limits, publisher, config",
  ],
  [
    "an unknown request",
    "net: [targets]",
    "files: [a]",
    "p:6:13: requests.files: is unknown; there is net, secrets, endpoints, commands, store",
  ],
  ["another net", "[targets]", "[10.0.0.0/8]", 'p:6:19: requests.net.0: may only hold targets, got "10.0.0.0/8"'],
  ["a size without unit", "96MB", "96", "p:7:19: limits.memory: must be a size with its unit, as 64MB, got 96"],
  ["too much memory", "96MB", "4GiB", 'p:7:19: limits.memory: must be 0.015625GiB to 1GiB, got "4GiB"'],
  ["a missing publisher", "name: Acme, ", "", "p:8:12: publisher.name: is missing: must say who publishes it"],
];
for (const [name, from, to, problem] of mistakes) {
  Deno.test(`decodeManifest() finds ${name} where it is`, () => {
    const { problems } = decodeManifest(text.replace(from, to));
    assert.deepEqual(problems.map((one) => formatManifestProblem("p", one)), [problem]);
  });
}
const ESC = "\\e[31m"; // as YAML writes it in double quotes
const hostile: [name: string, from: string, to: string, problem: RegExp][] = [
  [
    "a publisher that steers a terminal",
    "Acme,",
    `"Acme${ESC}",`,
    /^p:8:20: publisher\.name: must be one line of plain text/,
  ],
  ["a publisher with lines of its own", "Acme,", '"Acme\\nsha256 0",', /^p:8:20: publisher\.name: must be one line/],
  ["a license that turns what follows", "Apache-2.0", '"A\\u202eB"', /^p:8:35: publisher\.license: must be one line/],
  ["an entry that steers a terminal", "main.ts", `"${ESC}main.ts"`, /^p:5:8: entry: must be one line of plain text/],
  ["a key that steers a terminal", "api: 1", `"a${ESC}": 1`, /^p:4:1: a: is unknown/],
  [
    "a description that steers a terminal",
    "api: 1",
    `config:\n  properties:\n    x: { description: "${ESC}" }`,
    /^p:6:23: config\.properties\.x\.description: must be one line of plain text, got "\\u001b\[31m"$/,
  ],
  [
    "a choice with a line of its own",
    "api: 1",
    `config: { enum: ["a\\nb"] }`,
    /^p:4:17: config\.enum: must be a list of plain/,
  ],
  ["a pattern with an escape", "api: 1", `config: { pattern: "${ESC}" }`, /^p:4:20: config\.pattern: must be one line/],
  [
    "a name with an escape",
    "api: 1",
    `config: { properties: { "${ESC}": {} } }`,
    /config\.properties\.: must have a name/,
  ],
  [
    "properties that are none",
    "api: 1",
    "config: { properties: null, required: [x], enum: 5 }",
    /^p:4:50: config\.enum: .*, got 5$/,
  ],
  [
    "a schema that is none",
    "api: 1",
    "config: { properties: { a: 1 } }",
    /^p:4:28: config\.properties\.a: must be a map, got 1/,
  ],
  [
    "a requirement that is none",
    "api: 1",
    "config: { required: { a: 1 } }",
    /config\.required: must be a list of names/,
  ],
  [
    "an unknown type",
    "api: 1",
    "config: { items: { type: date } }",
    /config\.items\.type: must be one of string, .*, got "date"/,
  ],
  ["a length that is none", "api: 1", "config: { minLength: -1 }", /config\.minLength: must be 0 or more, got -1/],
  ["an alias of nothing", "acme/pg-role", "*nope", /^p:1:7: \*nope: is an alias of nothing$/],
  [
    "an alias of itself",
    "api: 1",
    "config: &c { properties: { a: *c } }",
    /^p:4:31: \*c: is an alias of what holds an alias$/,
  ],
  [
    "a bomb of aliases",
    "api: 1",
    `x: [&a [1,1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], [*b,*b,*b,*b,*b,*b,*b,*b,*b]]`,
    /\*b: is an alias of what holds an alias$/,
  ],
  ["too many aliases", "api: 1", `x: [&a 1, ${"*a, ".repeat(200)}]`, /has more than 100 aliases/],
  [
    "too much behind aliases",
    "api: 1",
    `x: [&a [${"1, ".repeat(200)}], ${"*a, ".repeat(50)}]`,
    /for more than 1000 values/,
  ],
  ["what is nested without end", "api: 1", `x: ${"[".repeat(20_000)}`, /^p:\d+:\d+: (cannot be read|is not YAML): /],
];
for (const [name, from, to, problem] of hostile) {
  Deno.test(`decodeManifest() refuses ${name}`, () => {
    const problems = decodeManifest(text.replace(from, to)).problems.map((one) => formatManifestProblem("p", one));
    assert.ok(problems.some((one) => problem.test(one)), problems.join("\n").slice(0, 500));
    // deno-lint-ignore no-control-regex
    for (const one of problems) assert.doesNotMatch(one, /[\x00-\x1f\x7f-\x9f\u202e]/);
  });
}
Deno.test("decodeManifest() takes an alias that only repeats, and a default that is sent as it is", () => {
  const fine = decodeManifest(
    text.replace("name: Acme", "name: &acme Acme").replace("Apache-2.0", "*acme") +
      'config: { properties: { a: { default: "PING\\r\\n" } } }\n',
  );
  assert.deepEqual(fine.problems, []);
  assert.equal(fine.manifest?.publisher.license, "Acme");
  assert.equal(fine.manifest?.config.properties?.a.default, "PING\r\n");
});

Deno.test("decodeManifest() tells all mistakes at once", () => {
  assert.equal(decodeManifest("kind: x\nentry: 1\n").problems.length, 5);
});
Deno.test("decodeManifest() refuses what is not a map", () => {
  assert.match(decodeManifest("[]").problems[0].message, /must be a map/);
  assert.match(decodeManifest("a: [").problems[0].message, /is not YAML/);
});

const requests = {
  net: ["targets"] as const,
  secrets: ["password"],
  endpoints: ["hook"],
  commands: ["do"],
  store: 100,
};
Deno.test("effectiveGrants() names the line that each missing grant needs", () => {
  assert.deepEqual(effectiveGrants("pg", requests, nothingGranted).missing, [
    "plugins.pg.grants: the plugin asks for connections to the servers it checks; add net: [targets]",
    'plugins.pg.grants: the plugin asks for the endpoint "hook"; add endpoints: { hook: { url: "https://…" } }',
    'plugins.pg.grants: the plugin asks for the command "do"; add commands: { do: [/path/to/program] }',
    "plugins.pg.grants: the plugin asks for secrets for password; add secrets: [NAME], with NAME from secrets:",
    "plugins.pg.grants: the plugin asks for 100 bytes of store; add store: 100B",
  ]);
});
Deno.test("effectiveGrants() gives what was asked for, not all that was granted", () => {
  const granted = {
    net: ["targets"],
    secrets: ["pg"],
    endpoints: { hook: {}, other: {} },
    commands: { do: ["/bin/true"] },
    store: 1000,
  };
  const { grants } = effectiveGrants("pg", requests, granted);
  assert.deepEqual(grants, { targets: true, endpoints: ["hook"], commands: ["do"], store: 100 });
});

const schema = schemaOf({
  role: s.oneOf(["primary", "replica"], { default: "primary" }),
  password: s.secret({ description: "of the user" }),
  maxLag: s.duration({ default: "10s" }),
  port: s.optional(s.integer({ minimum: 1, maximum: 65535 })),
  tags: s.list(s.string(), { default: [] }),
  limits: s.map(s.number(), { default: {} }),
});
const options: [name: string, value: unknown, result: unknown][] = [
  ["the least", { password: "hunter22" }, {
    password: "hunter22",
    role: "primary",
    maxLag: 10_000,
    tags: [],
    limits: {},
  }],
  ["all", { password: "x", role: "replica", maxLag: "1.5s", port: 1, tags: ["a"], limits: { a: 1 } }, {
    password: "x",
    role: "replica",
    maxLag: 1500,
    port: 1,
    tags: ["a"],
    limits: { a: 1 },
  }],
];
for (const [name, value, result] of options) {
  Deno.test(`checkOptions() takes ${name}`, () => {
    const checked = checkOptions(schema, value);
    assert.deepEqual(checked.problems, []);
    assert.deepEqual(checked.value, result);
    assert.deepEqual(checked.secrets, [(value as { password: string }).password]);
  });
}
Deno.test("a default is written as an operator writes it, in lists and maps too", () => {
  const { config } = defineChecker({
    config: {
      waits: s.list(s.duration(), { default: ["1s", "500ms"] }),
      ages: s.map(s.duration(), { default: { a: "2s" } }),
      modes: s.list(s.oneOf(["x", "y"]), { default: ["x"] }),
      deep: s.list(s.list(s.duration()), { default: [["1m"]] }),
      port: s.optional(s.integer()),
    },
    check(_target, { config }) {
      const waits: readonly number[] = config.waits, ages: Readonly<Record<string, number>> = config.ages;
      const modes: readonly ("x" | "y")[] = config.modes, port: number | undefined = config.port;
      return { state: "up", reason: `${waits} ${ages} ${modes} ${port}` };
    },
  });
  // @ts-expect-error milliseconds are what is read
  s.list(s.duration(), { default: [1000] });
  // @ts-expect-error no such choice
  s.list(s.oneOf(["x", "y"]), { default: ["z"] });
  assert.deepEqual(checkOptions(schemaOf(config!), {}), {
    value: { waits: [1000, 500], ages: { a: 2000 }, modes: ["x"], deep: [[60_000]] },
    problems: [],
    secrets: [],
  });
});
const wrongOptions: [value: Record<string, unknown>, problem: string][] = [
  [{ password: undefined }, "password: must be text"],
  [{ role: "master" }, 'role: must be one of primary, replica, got "master"'],
  [{ maxLag: 10 }, "maxLag: must be text, got 10"],
  [{ maxLag: "10" }, 'maxLag: must be a duration with its unit, as 2s, got "10"'],
  [{ port: 70000 }, "port: must be 1 to 65535, got 70000"],
  [{ port: 1.5 }, "port: must be a whole number, got 1.5"],
  [{ tags: ["a", 1] }, "tags.1: must be text, got 1"],
  [{ pasword: "x" }, "pasword: is unknown; there is role, password, maxLag, port, tags, limits"],
  [{ ["__proto__"]: "x" }, "__proto__: is unknown; there is role, password, maxLag, port, tags, limits"],
];
for (const [value, problem] of wrongOptions) {
  Deno.test(`checkOptions() finds ${JSON.stringify(value)}`, () => {
    const { problems } = checkOptions(schema, { password: "hunter22", ...value });
    assert.deepEqual(problems.map(({ path, message }) => `${path.join(".")}: ${message}`), [problem]);
  });
}
Deno.test("checkOptions() says what is missing, and shows no secret", () => {
  const message = (value: unknown) => checkOptions(schema, value).problems[0].message;
  assert.equal(message({}), "is missing: of the user");
  assert.equal(message({ password: 12345678 }), "must be text");
});
Deno.test("checkOptions() tries no pattern of a plugin that could take for ever", () => {
  const began = performance.now();
  checkOptions({ type: "string", pattern: "^(a+)+$" }, "a".repeat(200) + "!");
  assert.ok(performance.now() - began < 50);
});

Deno.test("checkOptions() prints nothing that steers a terminal", () => {
  const steered = { properties: { a: { type: "integer", default: "\x9b31m\u202e" } }, type: "object" } as const;
  assert.deepEqual(checkOptions(steered, {}).problems, [{
    path: ["a"],
    message: 'must be a whole number, got " 31m "',
  }]);
});

const contradicting: [field: Record<string, unknown>, problem: string | null][] = [
  [
    { type: "string", pattern: "(" },
    "properties.x.pattern: is none: Invalid regular expression: /(/u: Unterminated group",
  ],
  [{ type: "integer", maximum: 5, default: 9 }, "properties.x.default: must be 5 or less, got 9"],
  [{ type: "string", pattern: "^a", default: "b" }, 'properties.x.default: must be text like ^a, got "b"'],
  [{ type: "array", items: { type: "string" }, default: ["a", 1] }, "properties.x.default.1: must be text, got 1"],
  [
    { type: "object", additionalProperties: { pattern: "[" } },
    "properties.x.additionalProperties.pattern: is none: Invalid regular expression: /[/u: Unterminated character class",
  ],
  [{ type: "string", "x-tandem": "duration", default: "10s" }, null],
];
for (const [field, problem] of contradicting) {
  Deno.test(`contradictions() of ${JSON.stringify(field)}`, () => {
    const found = contradictions({ type: "object", properties: { x: field as JsonSchema } });
    assert.deepEqual(
      found.map(({ path, message }) => `${path.join(".")}: ${message}`),
      problem === null ? [] : [problem],
    );
  });
}

const files = new Map([["plugin.yaml", "a"], ["main.ts", "b\n\0"], ["lib/x.ts", ""]].map(([path, body]) => [
  path,
  new TextEncoder().encode(body),
]));
Deno.test("pack() gives the same bytes whatever the order, and unpack() the files", () => {
  const packed = pack(files);
  assert.deepEqual(pack(new Map([...files].reverse())), packed);
  assert.deepEqual([...unpack(packed)].sort(), [...files].sort());
});
const line = (header: string, body = "") => new TextEncoder().encode(`TANDEM-PLUGIN 1\n${header}\n${body}\n`);
const broken: [name: string, bytes: Uint8Array, error: RegExp][] = [
  ["another file", new TextEncoder().encode("PK"), /not a packed plugin/],
  ["a path upwards", line('{"path":"../x","bytes":0}'), /outside of the plugin/],
  ["an absolute path", line('{"path":"/etc/x","bytes":0}'), /outside of the plugin/],
  ["a hidden file", line('{"path":".x","bytes":0}'), /outside of the plugin/],
  ["a length that lies", line('{"path":"x","bytes":100}', "short"), /cut off in "x"/],
  ["a negative length", line('{"path":"x","bytes":-1}'), /no length/],
  ["a header that is none", line("{"), /not JSON/],
];
for (const [name, bytes, error] of broken) {
  Deno.test(`unpack() refuses ${name}`, () => assert.throws(() => unpack(bytes), error));
}

const verdicts: [value: unknown, result: unknown][] = [
  [{ state: "up", reason: "ok" }, { state: "up", reason: "ok" }],
  [{ state: "up", reason: "ok", weightPercent: 50, more: 1 }, { state: "up", reason: "ok", weightPercent: 50 }],
  [{ state: "standby", reason: "replica" }, { state: "standby", reason: "replica" }],
  [{ state: "down", reason: "a\nb", phase: "status", got: "500" }, {
    state: "down",
    reason: "a b",
    phase: "status",
    got: "500",
  }],
];
for (const [value, result] of verdicts) {
  Deno.test(`decodeVerdict() takes ${JSON.stringify(value)}`, () => assert.deepEqual(decodeVerdict(value), result));
}
const noVerdicts: [value: unknown, error: RegExp][] = [
  [null, /a verdict must be an object, got null/],
  [{ state: "unknown", reason: "x" }, /state must be one of up, standby, drain, down, got "unknown"/],
  [{ state: "up" }, /reason must be text, got nothing/],
  [{ state: "up", reason: "x", weightPercent: 101 }, /weightPercent must be a number from 0 to 100, got 101/],
  // As NaN arrives.
  [{ state: "up", reason: "x", weightPercent: null }, /weightPercent must be .* got null, as NaN and Infinity arrive/],
];
for (const [value, error] of noVerdicts) {
  Deno.test(`decodeVerdict() refuses ${JSON.stringify(value)}`, () => assert.throws(() => decodeVerdict(value), error));
}

const servers = new Set(["a", "b"]);
Deno.test("decodePlan() takes weights, pick and key", () => {
  const plan = {
    ttlMs: 1000,
    weights: { a: 1, b: 0 },
    pick: "random2",
    key: { from: "header", name: "x-user", table: "maglev" },
  };
  const decoded = decodePlan(plan, servers);
  assert.deepEqual({ ...decoded, weights: { ...decoded.weights } }, plan);
});
const noPlans: [change: Record<string, unknown>, error: RegExp][] = [
  [{ weights: { c: 1 } }, /names the server "c", which was not given/],
  [{ weights: { a: -1 } }, /weights\.a must be a number from 0 to 65535/],
  [{ weights: { a: 1e9 } }, /weights\.a must be/],
  [{ weights: { a: 0 } }, /at least one server more than 0/],
  [{ ttlMs: 1 }, /ttlMs must be a number from 100 to 3600000, got 1/],
  [{ pick: "fastest" }, /pick must be one of smooth, random2, leastconn, first/],
  [{ key: { from: "header", name: "a b", table: "ring" } }, /key\.name must be a token/],
  [{ ttlMs: null }, /ttlMs must be .* got null, as NaN and Infinity arrive/],
  [{ weights: { a: null } }, /weights\.a must be .* got null, as NaN and Infinity arrive/],
  ...[null, 1, 0, 500, 100.1].map((bound): [Record<string, unknown>, RegExp] => [
    { key: { from: "path", table: "ring", bound } },
    /key\.bound must be above 1 and at most 100, got /,
  ]),
];
for (const [change, error] of noPlans) {
  Deno.test(`decodePlan() refuses ${JSON.stringify(change)}`, () => {
    assert.throws(() => decodePlan({ ttlMs: 1000, weights: { a: 1 }, ...change }, servers), error);
  });
}

Deno.test("decodePlan() takes no plan that the engine refuses", () => {
  const keys = [
    ...KEY_SOURCES.map((from) => ({ from, name: "x", table: "ring" })),
    ...KEY_TABLES.map((table) => ({ from: "path", table })),
    ...[1.01, 1.25, 100].map((bound) => ({ from: "client_ip", table: "maglev", bound })),
  ];
  const changes = [
    ...keys.map((key) => ({ key })),
    ...PLAN_PICKS.map((pick) => ({ pick })),
    ...[100, 3_600_000].map((ttlMs) => ({ ttlMs })),
    ...[0.001, 65_535].map((a) => ({ weights: { a } })),
  ];
  for (const change of changes) {
    const plan = decodePlan({ ttlMs: 1000, weights: { a: 1 }, ...change }, servers);
    assert.equal(planFault(plan, [...servers]), null, JSON.stringify(change));
  }
});

Deno.test("KIT_FILES holds all that the two stages and the SDK import, and nothing else", async () => {
  const imported = await filesOf([STAGE_ENTRY, HOST_ENTRY, SDK_ENTRY, TEST_ENTRY]);
  assert.deepEqual(Object.keys(KIT_FILES).sort(), imported);
});

Deno.test("appKit() adds what the host of an application imports, and the packages", async () => {
  const { files, imports, entry } = await appKit();
  const both = Object.keys({ ...KIT_FILES, ...files }).filter((path) => !path.startsWith("packages/"));
  const imported = await filesOf([STAGE_ENTRY, HOST_ENTRY, SDK_ENTRY, TEST_ENTRY, entry]);
  assert.deepEqual(both.sort(), imported);
  for (const specifier of ["hono", "hono/cors", "hono/basic-auth", "hono/streaming"]) {
    assert.ok(imports[specifier]?.slice(2) in files, specifier);
  }
});

/** The modules that `entries` import, by path from the top. Types are gone when they run: only what code imports counts. */
async function filesOf(entries: readonly string[]): Promise<string[]> {
  const top = new URL("../../../", import.meta.url);
  const imported = new Set<string>();
  for (const entry of entries) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", new URL(entry, top).pathname],
    }).output();
    const modules: { specifier: string; dependencies?: { code?: { specifier: string } }[] }[] = JSON.parse(
      new TextDecoder().decode(stdout),
    ).modules;
    const visit = (specifier: string) => {
      if (imported.has(specifier)) return;
      imported.add(specifier);
      const module = modules.find((one) => one.specifier === specifier);
      for (const { code } of module?.dependencies ?? []) if (code) visit(code.specifier);
    };
    visit(new URL(entry, top).href);
  }
  return [...imported].filter((url) => url.startsWith("file:")).map((url) => url.slice(top.href.length)).sort();
}

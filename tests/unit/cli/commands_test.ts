import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import denoJson from "../../../deno.json" with { type: "json" };
import { commands } from "../../../runtime/cli/commands.ts";
import { parseOptions, reachOptions } from "../../../runtime/cli/options.ts";
import { version } from "../../../runtime/version.ts";

const main = fileURLToPath(new URL("../../../mod.ts", import.meta.url));

/** Runs the program as a user does, far from any configuration. */
async function tandem(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const directory = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", main, ...args],
      cwd: directory,
      env: { TANDEM_CONFIG: "", TANDEM_ADMIN: "", NO_COLOR: "1", ...env },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the command line answers with the exit codes of contract §3, and in one sentence", async () => {
  const nobody = "http://127.0.0.1:1";
  const rows: [string, string[], number, RegExp][] = [
    ["version", ["--version"], 0, /^$/],
    ["overview", ["--help"], 0, /^$/],
    ["help of a command", ["failover", "--help"], 0, /^$/],
    ["a mistyped command", ["stauts"], 2, /^tandem: Unknown command "stauts"; did you mean "status"\?\n$/],
    ["a command of later", ["doctor"], 2, /^tandem: "doctor" is not in this version\n$/],
    ["an unknown option", ["status", "--jsn"], 2, /^tandem: Unknown option '--jsn'; see tandem status --help\n$/],
    ["a word too many", ["reload", "now"], 2, /^tandem: "reload" does not take "now"/],
    ["a word too few", ["weight", "web/a"], 2, /^tandem: "weight" needs more words/],
    [
      "ready has no end",
      ["ready", "web/a", "--for", "1h"],
      2,
      /^tandem: Unknown option '--for'; see tandem ready --help\n$/,
    ],
    ["no server", ["drain", "web"], 2, /^tandem: A server is BACKEND\/SERVER, got "web"/],
    ["neither instance nor all", ["failover"], 2, /^tandem: Name one INSTANCE, or --all/],
    [
      "no configuration",
      ["run"],
      2,
      /^tandem: No configuration: none at \.\/tandem\.yaml or \/etc\/tandem\/tandem\.yaml/,
    ],
    [
      "a configuration that is not there",
      ["run", "--config", "x.yaml"],
      2,
      /^tandem: Cannot read the configuration "x.yaml": it does not exist\n$/,
    ],
    [
      "nobody answers",
      ["status", "--admin", nobody],
      3,
      /^tandem: No node answers at http:\/\/127\.0\.0\.1:1; is it running\?/,
    ],
    ["help of plugin", ["plugin", "--help"], 0, /^$/],
    ["help of plugin reset", ["plugin", "reset", "--help"], 0, /^$/],
    [
      "a plugin to reset",
      ["plugin", "reset"],
      2,
      /^tandem: "plugin reset" needs more words; see tandem plugin reset --help/,
    ],
    ["nobody to reset it", ["plugin", "reset", "x", "--admin", nobody], 3, /^tandem: No node answers at/],
    ["nothing to list, and nobody to ask", ["plugin", "list"], 0, /^$/],
    ["nobody to ask who was named", ["plugin", "list", "--admin", nobody], 3, /^tandem: No node answers at/],
    ["a mistyped verb", ["plugin", "rest"], 2, /^tandem: Unknown command "plugin rest"/],
    [
      "nobody at the socket",
      ["events", "--admin", "/nonexistent.sock"],
      3,
      /^tandem: No node answers at unix:\/nonexistent\.sock/,
    ],
  ];
  await Promise.all(rows.map(async ([name, args, code, stderr]) => {
    const answer = await tandem(args);
    assert.equal(answer.code, code, `${name}: ${answer.stderr}`);
    assert.match(answer.stderr, stderr, name);
  }));
});

Deno.test("a reload of a wrong configuration ends with 2, one that cannot be had with 1", async () => {
  let status = 200;
  await using node = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ error: "why" }, { status, headers: { "x-tandem": version } }),
  );
  for (const [refused, expected] of [[422, 2], [409, 1], [503, 1], [500, 1]]) {
    status = refused;
    const { code, stderr } = await tandem(["reload", "--admin", `http://127.0.0.1:${node.addr.port}`]);
    assert.deepEqual([code, stderr], [expected, "tandem: why\n"], String(refused));
  }
});

Deno.test("a configuration that is not UTF-8 is said to be that", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const utf16 = new Uint8Array(
    new Uint16Array([0xfeff, ..."version: 1"].map((one) => typeof one === "number" ? one : one.charCodeAt(0))).buffer,
  );
  try {
    for (
      const [bytes, why] of [
        [utf16, "it is UTF-16; save it as UTF-8"],
        [
          new Uint8Array([...new TextEncoder().encode("version: 1\n# "), 0xe4]),
          "it is not UTF-8 at line 2, byte 3 of it; save it as UTF-8",
        ],
      ] as const
    ) {
      await Deno.writeFile(file, bytes);
      const { code, stderr } = await tandem(["check", file]);
      assert.deepEqual([code, stderr], [2, `tandem: Cannot read the configuration "${file}": ${why}\n`]);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("an order says what the node could not keep", async () => {
  await using node = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      Response.json({ state: "drain", weight: 1, reason: "x", text: "done", missing: ["The disk is full"] }, {
        headers: { "x-tandem": version },
      }),
  );
  const at = `http://127.0.0.1:${node.addr.port}`;
  for (const args of [["drain", "b/a"], ["failover", "VI_1"], ["failback", "VI_1"]]) {
    const { code, stderr } = await tandem([...args, "--admin", at]);
    assert.deepEqual([code, stderr], [0, "The disk is full\n"], args[0]);
  }
});

Deno.test("what others wrote cannot move the cursor or forge a line", async () => {
  const evil = "\x1b[31mEVIL\x07\x9b\u202e\n2026-01-01T00:00:00.000Z  error    vrrp.transition  forged";
  const shown = "\\u001b[31mEVIL\\u0007\\u009b\\u202e\\n2026-01-01T00:00:00.000Z  error    vrrp.transition  forged";
  const event = { seq: 1, at: "2026-01-01T00:00:00.000Z", severity: "notice", type: "server.state", text: evil };
  const status = {
    ...{ node: evil, version, phase: "running", uptime_s: 1, io: null, config: { file: "f" }, missing: [evil] },
    ...{ vrrp: [], frontends: [], backends: [], plugins: [], notifiers: [] },
    overrides: [{ kind: "server", about: "b/a", state: "drain", weight: null, by: evil, reason: evil, until: null }],
  };
  const answers: Readonly<Record<string, unknown>> = {
    "/api/v1/events": [event],
    "/api/v1/logs": { lines: [evil] },
    "/api/v1/status": status,
  };
  await using node = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ url }) => {
    const answer = answers[new URL(url).pathname] ?? { state: "drain", weight: 1, reason: evil, text: evil };
    return Response.json(answer, { headers: { "x-tandem": version } });
  });
  const at = `http://127.0.0.1:${node.addr.port}`;
  const orders = [["events"], ["logs"], ["status"], ["drain", "b/a"], ["failover", "VI_1"], ["failback", "VI_1"]];
  await Promise.all([...orders, ["reload"], ["plugin", "reset", "x"]].map(async (args) => {
    const { code, stdout } = await tandem([...args, "--admin", at]);
    assert.equal(code, 0, args[0]);
    assert.ok(stdout.includes(shown), `${args[0]}: ${JSON.stringify(stdout)}`);
    assert.doesNotMatch(stdout, /^2026-01-01T00:00:00.000Z {2}error/m, args[0]);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/, args[0]);
  }));
  const { stdout } = await tandem(["events", "--json", "--admin", at]);
  assert.deepEqual(JSON.parse(stdout), event);
});

Deno.test("check lists every problem on stderr", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, "version: 2\nfrontend: {}\n");
    const { code, stdout, stderr } = await tandem(["check", file]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /:1:10: version: .*\n.*:2:1: frontend: unknown key.*\n2 problems/);
    await Deno.writeTextFile(
      file,
      'version: 1\nbackends: { "a\\e[31m\\nb": { servers: { s: "192.0.2.1:80" } } }\n"x\\ny": 1\n',
    );
    const { stderr: keys } = await tandem(["check", file]);
    assert.match(
      keys,
      /^[^\n]*:2:13: backends\.a\\u001b\[31m\\nb: [^\n]*\n[^\n]*:3:1: x\\ny: unknown key[^\n]*\n2 problems/,
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("help lists the options of the usage line, and no others", () => {
  for (const { name, usage, options, nested, hidden } of commands) {
    if (hidden || nested) continue;
    const listed = options.map(([option]) => option.split(" ")[0]);
    const used: readonly string[] = usage.match(/--[a-z]+/g) ?? [];
    const reaching = ["--admin", "--config", "--node"];
    assert.deepEqual([...listed].filter((option) => !reaching.includes(option) && !used.includes(option)), [], name);
    assert.deepEqual([...used].filter((option) => !listed.includes(option)), [], name);
  }
});

Deno.test("completion scripts are good shell", async () => {
  const { stdout } = await tandem(["completion", "bash"]);
  const bash = new Deno.Command("bash", { args: ["-n"], stdin: "piped" }).spawn();
  const writer = bash.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdout));
  await writer.close();
  assert.equal((await bash.status).code, 0);
  assert.match(stdout, /^ {4}plugin\) words="new check test pack add remove list reset --help" ;;$/m);
  assert.match(stdout, /^ {4}completion\) words="bash zsh --help" ;;$/m);
  assert.match((await tandem(["completion", "zsh"])).stdout, /^#compdef tandem\n[^]*'1:word:\(bash zsh\)'/);
});

Deno.test("every command is loaded by a module that runs", async () => {
  for (const command of commands.filter(({ name }) => name !== "role" && name !== "demo")) {
    assert.equal(typeof (await command.load()).run, "function", command.name);
  }
});

Deno.test("parseOptions() keeps what the command knows", () => {
  const { values, positionals } = parseOptions("failover", ["VI_1", "--admin", "h:1", "--all"], {
    ...reachOptions,
    all: { type: "boolean" },
  }, [0, 1]);
  assert.deepEqual([values.admin, values.all, positionals], ["h:1", true, ["VI_1"]]);
});

Deno.test("the version is the one of deno.json", () => {
  assert.equal(version, denoJson.version);
});

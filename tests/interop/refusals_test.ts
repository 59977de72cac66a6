/** What cannot work is said in one clear sentence, with an exit code, and without a stack trace. */
import assert from "node:assert/strict";
import { command, type Output } from "../support/command.ts";
import { Pair } from "../support/pair.ts";
import { tandem, tandemCommand } from "../support/tandem.ts";
import { Scratch } from "../support/scratch.ts";
import { publicCopy, unprivileged } from "../support/unprivileged.ts";

const timeout = 20_000;

function assertRefused(output: Output, sentence: RegExp, code?: number): void {
  if (code === undefined) assert.notEqual(output.code, 0, output.stderr);
  else assert.equal(output.code, code, output.stderr);
  assert.match(output.stderr, sentence);
  assert.doesNotMatch(output.stderr, /^\s+at .*:\d+:\d+\)?$/m, "no stack trace");
  assert.doesNotMatch(output.stderr, /Uncaught|undefined/);
}

Deno.test("a port that is taken", async () => {
  await using pair = await Pair.prepare();
  const host = pair.lan.host("dlp1");
  await using holder = host.spawn([
    Deno.execPath(),
    "eval",
    'Deno.listen({ hostname: "0.0.0.0", port: 80 }); Deno.stdout.writeSync(new TextEncoder().encode("listening")); setInterval(() => {}, 1000)',
  ]);
  await holder.said(/listening/);
  const argv = tandemCommand(["run", "--config", pair.file, "--node", "dlp1"]);
  const output = await host.run(argv, { timeout, allowFailure: true, env: { TANDEM_STATE_DIR: pair.scratch.path } });
  assertRefused(output, /192\.168\.219\.100:80.*(in use|taken|holds|EADDRINUSE)/);
});

Deno.test("a missing capability", async () => {
  await using pair = await Pair.prepare();
  using copy = await publicCopy();
  await Deno.chmod(pair.scratch.path, 0o777);
  const run = [
    copy.deno,
    "run",
    "-A",
    "--no-prompt",
    `${copy.source}/mod.ts`,
    "run",
    "--config",
    pair.file,
    "--node",
    "dlp1",
  ];
  const output = await pair.lan.host("dlp1").run(unprivileged(run), {
    timeout,
    allowFailure: true,
    env: { ...copy.env, TANDEM_STATE_DIR: `${pair.scratch.path}/state` },
    clearEnv: true,
    cwd: "/",
  });
  assertRefused(output, /CAP_NET_(RAW|ADMIN)/);
});

Deno.test("a configuration with ten mistakes lists ten mistakes", async () => {
  using scratch = new Scratch();
  const file = scratch.file("tandem.yaml");
  await Deno.writeTextFile(
    file,
    `version: 1
vrrp:
  VI_1:
    interface: ens32
    virtual_router_id: 300
    version: 4
    priority: 0
    advert_int: 1
    virtual_addresses: [192.168.219.300/24]
    preemt: true
frontends:
  http-in:
    bind: "VI_2:80"
    mode: htp
    default_backend: nowhere
backends:
  web:
    servers:
      node01: 192.168.219.136:99999
`,
  );
  for (const args of [["check", file], ["run", "--config", file]]) {
    const output = await tandem(args, { timeout, allowFailure: true });
    assertRefused(output, /tandem\.yaml:5:\d+: vrrp\.VI_1\.virtual_router_id: /, 2);
    const lines = output.stderr.split("\n").filter((line) => /tandem\.yaml:\d+:\d+: /.test(line));
    assert.equal(lines.length, 10, output.stderr);
    assert.match(output.stderr, /preempt/, "the nearest known name");
  }
});

Deno.test("a command that does not exist, and a node that does not answer", async () => {
  assertRefused(await tandem(["stauts"], { timeout, allowFailure: true }), /status/, 2);
  assertRefused(
    await tandem(["status", "--admin", "http://127.0.0.1:1"], { timeout, allowFailure: true }),
    /127\.0\.0\.1:1/,
    3,
  );
});

Deno.test("no configuration", async () => {
  using scratch = new Scratch();
  const output = await tandem(["run"], { timeout, allowFailure: true, cwd: scratch.path, env: { TANDEM_CONFIG: "" } });
  assertRefused(output, /tandem\.yaml/);
});

Deno.test("the demo where nobody may make namespaces", async () => {
  // A user namespace that allows no further one, and no capability in it: what a restricted user has.
  const program = tandemCommand(["demo", "--once"]);
  const shell = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"';
  const output = await command(["unshare", "--user", "--map-root-user", "sh", "-c", shell, "sh", ...program], {
    timeout,
    allowFailure: true,
  });
  assertRefused(output, /Cannot make namespaces: .*sysctl -w user\.max_user_namespaces=\d+/, 1);
});

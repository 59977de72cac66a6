import assert from "node:assert/strict";
import type { CommandCheckConfig } from "../../../plugins/health/command.ts";
import { builtInCheckers } from "../../../runtime/control/builtin_checkers.ts";
import { probe } from "../../../runtime/health/probe.ts";
import { systemClock } from "../../../runtime/os/clock.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";

const target = {
  backend: "web",
  server: "node01",
  address: "192.0.2.1",
  port: 5432,
  labels: { zone: "a", "a.b": "c" },
};

async function run(script: string, options: Partial<CommandCheckConfig> = {}, timeout = 5000) {
  const checker = builtInCheckers(null)("command") ?? assert.fail("no such checker");
  const config: CommandCheckConfig = { command: ["/bin/sh", "-c", script, "sh"], ...options };
  const { state, reason } = await probe(checker, config, target, timeout, {
    clock: systemClock,
    host: { node: "n1", cluster: "edge", labels: {} },
    log: createLogger({ role: "test", write: () => {} }),
  });
  return [state, reason.replace(/[\d.]+ ms/g, "T ms")];
}

Deno.test("command checker goes by the exit code, and its last line is the reason", async () => {
  const rows: [string, string, string, string][] = [
    ["0", "exit 0", "up", "exit code 0 in T ms"],
    ["0 and a word", "echo looking; echo 'lag 3 s'; echo", "up", "lag 3 s"],
    ["1", "exit 1", "down", "exit code 1"],
    ["3 and a word", "echo 'lag 40 s'; exit 3", "down", "exit code 3: lag 40 s"],
    ["a complaint", "echo oops >&2; exit 1", "down", "exit code 1: oops"],
    ["what it says is before what it complains of", "echo no; echo oops >&2; exit 1", "down", "exit code 1: no"],
    ["a signal", "kill -9 $$", "down", "exit code 137"],
    ["colours of a terminal", "printf '\\033[31mred\\033[0m'", "up", "[31mred [0m"],
    ["the end of much", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end", "up", "end"],
    ["much", "head -c 100000 /dev/zero | tr '\\0' x; exit 1", "down", `exit code 1: ${"x".repeat(200)}`],
    [
      "it writes no large files",
      "head -c 9000000 /dev/zero > ${TMPDIR:-/tmp}/tandem-command-$$ && echo done; code=$?; rm -f ${TMPDIR:-/tmp}/tandem-command-$$; exit $code",
      "down",
      "exit code 153: File size limit exceeded",
    ],
  ];
  for (const [name, script, state, reason] of rows) assert.deepEqual(await run(script), [state, reason], name);
});

Deno.test("command checker tells the program what is checked, and nothing of ours", async () => {
  const show =
    "echo $TANDEM_BACKEND $TANDEM_SERVER $TANDEM_ADDRESS $TANDEM_PORT $TANDEM_NODE $TANDEM_CLUSTER $TANDEM_LABEL_ZONE $TANDEM_LABEL_A_B $#";
  assert.deepEqual(await run(show), ["up", "web node01 192.0.2.1 5432 n1 edge a c 0"]);
  assert.deepEqual(await run("env | cut -d= -f1 | grep -v ^TANDEM_ | sort | tr '\\n' ' '"), ["up", "LANG PATH PWD"]);
  const haproxy = await run(
    'echo "$*" $HAPROXY_PROXY_NAME $HAPROXY_SERVER_NAME $HAPROXY_SERVER_ADDR $HAPROXY_SERVER_PORT',
    {
      arguments: "haproxy",
    },
  );
  assert.deepEqual(haproxy, ["up", "NOT_USED NOT_USED 192.0.2.1 5432 web node01 192.0.2.1 5432"]);
});

Deno.test("command checker ends what takes too long, with all that it has started", async () => {
  const mark = `${Math.trunc(performance.now() * 1000) + 100_000}`;
  const began = performance.now();
  assert.deepEqual(await run(`sleep ${mark} & sleep ${mark}`, {}, 200), ["down", "no answer within T ms"]);
  // What it leaves in the background is ended with it, and not waited for.
  assert.deepEqual(await run(`sleep ${mark} & echo started`), ["up", "started"]);
  assert.ok(performance.now() - began < 3000, "waited for what it left");
  const left = await new Deno.Command("pgrep", { args: ["-f", `sleep ${mark}`] }).output();
  assert.equal(new TextDecoder().decode(left.stdout), "");
});

Deno.test("command checker says of a program that is not there that it is not there", async () => {
  const [state, reason] = await run("", { command: ["/nonexistent/check"] });
  assert.equal(state, "down");
  assert.match(reason, /^exit code 127: .*\/nonexistent\/check: not found$/);
});

Deno.test({
  name: "command checker has no privileges of control",
  ignore: Deno.uid() !== 0,
  async fn() {
    assert.deepEqual(await run('echo "$(id -u) $(id -G)"'), ["up", "65534 65534"]);
    const own = builtInCheckers({ uid: 12345, gid: 23456 })("command") ?? assert.fail("no such checker");
    const config = {
      command: ["/bin/sh", "-c", 'echo "$(id -u) $(id -G) $(grep CapEff /proc/self/status | cut -f2)"'],
    };
    const { reason } = await probe(own, config, target, 5000, {
      clock: systemClock,
      host: { node: "n1", cluster: "edge", labels: {} },
      log: createLogger({ role: "test", write: () => {} }),
    });
    assert.equal(reason, "12345 23456 0000000000000000");
  },
});

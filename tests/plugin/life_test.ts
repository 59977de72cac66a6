/** The life of a sandbox: cold start, crash and return, quarantine, stop, the death of control, and what is told of it. */
import assert from "node:assert/strict";
import { PluginUnavailable } from "../../runtime/plugin/failure.ts";
import { Arena, checkerWith } from "./arena.ts";

/** What a machine of cgroup v2 alone shows; beside v1 the controllers are elsewhere. */
const hasMemoryCgroups = readOr("/sys/fs/cgroup/cgroup.controllers", "").includes("memory");
const isRoot = Deno.uid() === 0;

Deno.test("a plugin starts when it is first needed, and says what confines it", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin("lazy", checkerWith(""));
  assert.equal(plugin.sandbox.status().state, "idle");
  assert.deepEqual(await plugin.check("a", 10_000), { state: "up", reason: "went on" });
  const { state, measures, pid, startMs } = plugin.sandbox.status();
  assert.equal(state, "running");
  assert.ok(startMs !== null && startMs > 0);
  const missing = measures.filter((measure) => measure.state === "missing").map(({ name }) => name);
  const cgroup = hasMemoryCgroups ? [] : ["memory cgroup"];
  assert.deepEqual(missing, [...cgroup, ...(isRoot ? [] : ["own network", "own mounts", "own uid"])]);
  // What the kernel says of the process, not what the process said of itself.
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1];
  assert.equal(field("Seccomp"), "2");
  assert.equal(field("NoNewPrivs"), "1");
  assert.equal(field("CapEff"), "0000000000000000");
  assert.equal(field("CapPrm"), "0000000000000000");
  if (isRoot) {
    assert.equal(field("CapBnd"), "0000000000000000");
    assert.doesNotMatch(field("Uid")!, /\b0\b/);
    assert.notEqual(Deno.readLinkSync(`/proc/${pid}/ns/net`), Deno.readLinkSync("/proc/self/ns/net"));
  }
  assert.match(Deno.readTextFileSync(`/proc/${pid}/limits`), /Max core file size\s+0\s+0/);
  // Field 41 of stat is the scheduling policy; 5 is SCHED_IDLE.
  assert.equal(Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ")[38], "5");
});

Deno.test("a plugin that crashes is back, and the answer in between is no answer", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin("crash", checkerWith(`if (target.server === "die") Deno.exit(1);`));
  await plugin.check("a", 10_000);
  await assert.rejects(plugin.check("die", 1000), PluginUnavailable);
  await assert.rejects(plugin.check("a", 1000), /backing off: its process ended by itself: exit code 1; starts again/);
  while (plugin.sandbox.status().state !== "running") await pause(20);
  assert.deepEqual(await plugin.check("a", 1000), { state: "up", reason: "went on" });
  assert.equal(plugin.sandbox.status().restarts, 1);
});

Deno.test("a plugin that fails five times in a minute is left alone until it is reset", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin("doomed", {
    "main.ts": `export default { kind: "checker", init() { setTimeout(() => Deno.exit(9), 1); }, check() {} };`,
  });
  await plugin.sandbox.start().catch(() => {});
  assert.match(await plugin.reached("quarantined"), /failed 5 times in a minute, last: .*exit code 9/);
  await assert.rejects(plugin.check("a", 100), /quarantined/);
  plugin.sandbox.reset();
  assert.equal(plugin.sandbox.status().state, "idle");
});

Deno.test("a plugin that ignores every signal and every word is stopped in two seconds", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin("stubborn", {
    "main.ts": `for (const s of ["SIGTERM", "SIGINT", "SIGHUP"] as const) Deno.addSignalListener(s, () => {});
Deno.exit = (() => {}) as any;
setInterval(() => {}, 1000);
export default { kind: "checker", check: () => ({ state: "up", reason: "still here" }) };`,
  });
  await plugin.check("a", 10_000);
  const { pid } = plugin.sandbox.status();
  Deno.kill(pid!, "SIGTERM");
  assert.equal((await plugin.check("b", 1000)).reason, "still here");
  const began = performance.now();
  await plugin.sandbox.stop();
  assert.ok(performance.now() - began < 4000);
  assert.throws(() => Deno.kill(pid!, "SIGCONT"), Deno.errors.NotFound);
});

Deno.test("a plugin dies with control, even in the middle of a loop", async () => {
  await using arena = new Arena();
  const program = `${arena.directory}/control.ts`;
  const here = new URL(".", import.meta.url);
  Deno.writeTextFileSync(
    program,
    `
import { Arena, checkerWith } from "${new URL("arena.ts", here)}";
const arena = new Arena();
const plugin = await arena.plugin("orphan", checkerWith("for (;;);"));
await plugin.sandbox.start();
plugin.check("a", 60000).catch(() => {});
await Deno.stdout.write(new TextEncoder().encode(plugin.sandbox.status().pid + " " + arena.directory + "\\n"));
setTimeout(() => {}, 60000);
`,
  );
  const config = new URL("../../deno.json", here).pathname;
  const control = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "--config", config, program],
    stdout: "piped",
    stderr: "null",
    stdin: "null",
  }).spawn();
  const reader = control.stdout.getReader();
  const [pid, directory] = new TextDecoder().decode((await reader.read()).value).trim().split(" ");
  control.kill("SIGKILL");
  await control.status;
  await reader.cancel();
  for (let tries = 0; isAlive(Number(pid)); tries++) {
    assert.ok(tries < 50, `Process ${pid} outlived its control`);
    await pause(20);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a secret is shown nowhere, whatever the plugin says", async () => {
  await using arena = new Arena();
  const secret = "correct-horse-battery";
  const plugin = await arena.plugin(
    "loud",
    checkerWith(`
      ctx.log.info("password " + ctx.config.password, { password: ctx.config.password, [ctx.config.password]: 1 });
      console.log(ctx.config.password);
      Deno.stderr.writeSync(new TextEncoder().encode(ctx.config.password + "\\n"));
      if (target.server === "throw") throw new Error("login with " + ctx.config.password + " failed");
      return { state: "down", reason: "login with " + ctx.config.password, got: ctx.config.password };`),
    { config: { password: secret }, secrets: [secret] },
  );
  assert.deepEqual(await plugin.check("a", 10_000), { state: "down", reason: "login with •••", got: "•••" });
  await assert.rejects(plugin.check("throw", 1000), { message: "login with ••• failed" });
  await plugin.sandbox.stop();
  assert.ok(plugin.log.length >= 3);
  assert.doesNotMatch(JSON.stringify([plugin.log, plugin.states, plugin.sandbox.status()]), /correct-horse/);
});

Deno.test("what a plugin logs is one plain line each, and not too many", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin(
    "artist",
    checkerWith(
      `ctx.log.info("\\x1b[2J\\x1b]0;title\\x07first\\n2026-01-01T00:00:00Z error control forged\\r\\u202eback");
      ctx.log.error("y".repeat(20000));
      for (let i = 0; i < 1000; i++) ctx.log.debug("line " + i);`,
    ),
  );
  await plugin.check("a", 10_000);
  await plugin.sandbox.stop();
  assert.equal(plugin.log[0], "info: first 2026-01-01T00:00:00Z error control forged back");
  assert.ok(plugin.log[1].length < 8300);
  assert.ok(plugin.log.length < 250, `${plugin.log.length} lines`);
});

Deno.test("isolation: strict loads nothing where the machine offers less than all", async () => {
  await using arena = new Arena();
  const plugin = await arena.plugin("strict", checkerWith(""), { isolation: "strict" });
  if (isRoot) {
    assert.deepEqual(await plugin.check("a", 10_000), { state: "up", reason: "went on" });
  } else {
    await assert.rejects(plugin.check("a", 10_000), /isolation: strict, and this machine offers less: own uid/);
    assert.equal(plugin.sandbox.status().state, "quarantined");
  }
});

function readOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isAlive(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1][0] !== "Z";
  } catch {
    return false;
  }
}

/**
 * Plugins that mean harm, each run for real in its sandbox beside a neighbour that is checked all the time. A row says what
 * the plugin does and what the operator sees; that the neighbour and control did not suffer holds for every row.
 */
import assert from "node:assert/strict";
import { describeFailure, PluginThrew, PluginUnavailable } from "../../runtime/plugin/failure.ts";
import { Arena, type ArenaPlugin, checkerWith } from "./arena.ts";
import { type Attack, attacks, isSlow } from "./attacks.ts";

/** Burning a processor is noticed after three seconds: those run at once, which makes it worse for the neighbour. */
Deno.test("a hostile plugin achieves nothing and disturbs nobody", async (t) => {
  await using arena = new Arena();
  const neighbour = await arena.plugin("neighbour", checkerWith(""));
  await neighbour.check("warm-up", 10_000);
  const step = (attack: Attack, index: number) => ({
    name: attack.name,
    async fn() {
      const plugin = await arena.plugin(`attack-${index}`, checkerWith(attack.does, attack.before));
      await plugin.sandbox.start();
      await using _watch = watch(neighbour);
      await run(attack, plugin);
      await plugin.sandbox.stop();
    },
    sanitizeOps: false,
    sanitizeResources: false,
    sanitizeExit: false,
  });
  const slow = attacks.filter(isSlow);
  await Promise.all(slow.map((attack, index) => t.step(step(attack, index))));
  for (const [index, attack] of attacks.entries()) {
    if (!isSlow(attack)) await t.step(step(attack, 100 + index));
  }
  assert.equal(neighbour.sandbox.status().restarts, 0);
});

async function run(attack: Attack, plugin: ArenaPlugin): Promise<void> {
  let got: string;
  let error: unknown = null;
  try {
    got = (await plugin.check("go", 500, { fetch: () => new Promise(() => {}) })).reason;
  } catch (thrown) {
    error = thrown;
    assert.ok(error instanceof PluginThrew || error instanceof PluginUnavailable, String(error));
    got = error.message;
  }
  if (attack.gets) assert.match(got, attack.gets);
  if (attack.ends instanceof RegExp) {
    assert.match(await within(8000, plugin.reached("backing off"), "its end"), attack.ends);
  }
  assertSeen(attack, plugin, error);
}

/** What the operator reads in `status` and in the log: why it ended, what it threw, that it was late; and nothing forged. */
function assertSeen(attack: Attack, { sandbox, log }: ArenaPlugin, error: unknown): void {
  const { state, lastError, timeouts, calls } = sandbox.status();
  assert.equal(calls, 1);
  if (attack.ends instanceof RegExp) assert.match(lastError ?? "none", attack.ends);
  if (attack.ends === null) {
    assert.equal(state, "running");
    assert.equal(lastError, error instanceof PluginThrew ? describeFailure(error) : null);
    assert.equal(timeouts, error instanceof PluginUnavailable ? 1 : 0);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
  // One line is one line, of which a plugin may write a hundred a second; metrics are no lines.
  const lines = log.filter((line) => !line.startsWith("metric: "));
  // deno-lint-ignore no-control-regex
  for (const line of log) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028-\u202e]/);
  assert.ok(lines.length < 1000 && lines.every((line) => line.length < 8400), `${lines.length} lines`);
}

/** Checks the neighbour every 20 ms until disposed: each must be answered, and soon. */
function watch(neighbour: ArenaPlugin): AsyncDisposable {
  let over = false;
  let slowest = 0;
  const watching = (async () => {
    while (!over) {
      const began = performance.now();
      const verdict = await neighbour.check("neighbour", 5000);
      assert.equal(verdict.reason, "went on");
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      over = true;
      await watching;
      // Generous, because the machine may be busy with other things; a neighbour that waits for the attacker waits 3 s.
      assert.ok(slowest < 1500, `The neighbour waited ${slowest.toFixed(0)} ms for an answer`);
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No sign of ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

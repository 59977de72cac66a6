/** What the kernel says of a process that ignores signals, and of what it starts. */
import assert from "node:assert/strict";

const module = new URL("../../../runtime/os/signals.ts", import.meta.url).href;

/** Signals that a process that ran `code` ignores and handles, and those a program ignores that it started. */
async function dispositions(code: string): Promise<{ ignored: bigint; handled: bigint; inherited: bigint }> {
  const program = `import * as signals from ${JSON.stringify(module)};
${code}
const child = new Deno.Command("cat", { args: ["/proc/self/status"] }).outputSync();
console.log(JSON.stringify([Deno.readTextFileSync("/proc/self/status"), new TextDecoder().decode(child.stdout)]));
Deno.exit(0);`;
  const args = ["eval", program];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  const [own, child] = JSON.parse(new TextDecoder().decode(stdout));
  const set = (status: string, name: string) => BigInt(`0x${new RegExp(`${name}:\\s*(\\w+)`).exec(status)?.[1]}`);
  return { ignored: set(own, "SigIgn"), handled: set(own, "SigCgt"), inherited: set(child, "SigIgn") };
}

const bits = (...signals: number[]) => signals.reduce((all, signal) => all | 1n << BigInt(signal - 1), 0n);
const SIGHUP = 1, SIGINT = 2, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15;

Deno.test("ignoreSignals() is for good: Deno has had them, and does not take them again", async () => {
  const all = bits(SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM);
  const { ignored, handled, inherited } = await dispositions(
    `signals.ignoreSignals("SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGTERM");`,
  );
  assert.deepEqual([ignored & all, handled & all, inherited & all], [all, 0n, all]);
});

Deno.test("refuseInspector() leaves SIGUSR1 to programs that are started", async () => {
  const { ignored, handled, inherited } = await dispositions("signals.refuseInspector();");
  const usr1 = bits(SIGUSR1);
  assert.deepEqual([ignored & usr1, handled & usr1, inherited & usr1], [0n, usr1, 0n]);
});

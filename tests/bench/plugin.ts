/**
 * What plugins cost: `deno run -A tests/bench/plugin.ts`. Start to first verdict, memory at rest, a hundred checks a second
 * whose connections are brokered, beside the same checks in this process. The echo server is a thread of this process, so its
 * part is in both figures; what brokering costs is the difference.
 */
import process from "node:process";
import type { Connection } from "../../plugins/contract.ts";
import { connect } from "../../runtime/health/connection.ts";
import { Arena, checkerWith } from "../plugin/arena.ts";

const TARGETS = 100, ROUNDS = 10;
const ask = new TextEncoder().encode("ping");

/** The check of both sides: connect, one exchange, close. */
const body = `await using connection = await ctx.connect();
  await connection.write(new TextEncoder().encode("ping"));
  const bytes = await connection.read();
  if (bytes === null) throw new Error("closed");`;

async function inProcess(connection: Connection): Promise<void> {
  await using open = connection;
  await open.write(ask);
  if (await open.read() === null) throw new Error("closed");
}

async function main(): Promise<void> {
  const echo = new Worker(new URL("./plugin_echo.ts", import.meta.url), { type: "module" });
  const port = await new Promise<number>((resolve) => echo.onmessage = ({ data }) => resolve(data));
  {
    await using arena = new Arena();
    const starts: number[] = [];
    for (let index = 0; index < 10; index++) {
      const began = performance.now();
      const plugin = await arena.plugin(`start-${index}`, checkerWith(""));
      await plugin.check("first", 10_000);
      starts.push(performance.now() - began);
      await plugin.sandbox.stop();
    }
    starts.sort((a, b) => a - b);
    say(`start to first verdict      p50 ${starts[5].toFixed(0)} ms, max ${starts[9].toFixed(0)} ms (budget 150)`);
    const plugin = await arena.plugin("checks", checkerWith(body));
    const connects = (signal: AbortSignal) => ({ connect: () => connect("127.0.0.1", port, signal) });
    const brokered = async () => {
      const signal = AbortSignal.timeout(5000);
      await plugin.check("node", 5000, connects(signal));
    };
    const direct = async () => await inProcess(await connect("127.0.0.1", port, AbortSignal.timeout(5000)));
    for (const [name, check] of [["in this process", direct], ["brokered", brokered]] as const) {
      await Promise.all(Array.from({ length: TARGETS }, check));
      const before = process.cpuUsage(), began = performance.now();
      for (let round = 0; round < ROUNDS; round++) await Promise.all(Array.from({ length: TARGETS }, check));
      const wall = performance.now() - began;
      const { user, system } = process.cpuUsage(before);
      const each = (user + system) / ROUNDS / TARGETS;
      say(
        `${TARGETS} checks, ${name.padEnd(16)} ${(wall / ROUNDS).toFixed(1)} ms a round, ${
          each.toFixed(0)
        } µs of control each`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { usage } = plugin.sandbox.status();
    say(
      `memory of one plugin        ${
        ((usage?.memory ?? 0) / 2 ** 20).toFixed(1)
      } MiB of its own, ${usage?.cpu} ms of processor so far`,
    );
  }
  echo.terminate();
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

if (import.meta.main) await main();

/** What a plugin's process costs before it does anything: time from nothing to its first verdict, and memory of its own. */
import { Arena, checkerWith } from "../plugin/arena.ts";
import type { Cost } from "./cost.ts";

const STARTS = 15;

export async function startCosts(running: AsyncDisposableStack): Promise<Cost[]> {
  const arena = running.use(new Arena());
  const starts: number[] = [];
  for (let index = 0; index < STARTS; index++) {
    const began = performance.now();
    const plugin = await arena.plugin(`start-${index}`, checkerWith(""));
    await plugin.check("first", 10_000);
    starts.push(performance.now() - began);
    await plugin.sandbox.stop();
  }
  starts.sort((a, b) => a - b);
  return [
    { what: "start to first verdict, p50", value: starts[STARTS >> 1], unit: "ms", budget: 150 },
    { what: "start to first verdict, worst of 15", value: starts[STARTS - 1], unit: "ms", budget: null },
    { what: "memory of its own, at rest", value: await memory(arena), unit: "MiB", budget: 24 },
  ];
}

/** MiB that nobody shares with it, once its heartbeat has been measured. */
async function memory(arena: Arena): Promise<number> {
  const plugin = await arena.plugin("rest", checkerWith(""));
  await plugin.check("first", 10_000);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  return (plugin.sandbox.status().usage?.memory ?? NaN) / 2 ** 20;
}

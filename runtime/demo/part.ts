/**
 * The demo's own processes, each in its machine's namespace: `demo part node NAME FILE`, `demo part web NAME ADDRESS`,
 * `demo part client`. They end with the process that started them, however that ends.
 */
import { libc } from "../os/libc.ts";
import { runClient } from "./client.ts";
import { virtualAddress } from "./picture.ts";
import { runWebServer } from "./web_server.ts";

const PR_SET_PDEATHSIG = 1;

export type Signal = "SIGKILL" | "SIGTERM";
const signalNumber: Readonly<Record<Signal, number>> = { SIGKILL: 9, SIGTERM: 15 };

/** Has the kernel send us `signal` when the process that started us is gone. */
export function endWithParent(signal: Signal): void {
  const parent = Deno.ppid;
  libc().prctl(PR_SET_PDEATHSIG, BigInt(signalNumber[signal]), 0n, 0n, 0n);
  // It may have ended before we asked.
  if (Deno.ppid !== parent) Deno.exit(1);
}

/** Runs one part; `runNode` runs the program's own `run` command with these arguments. The exit code. */
export async function runPart(
  args: readonly string[],
  runNode: (args: string[]) => Promise<number>,
): Promise<number> {
  endWithParent("SIGKILL");
  const [kind, name, subject] = args;
  switch (kind) {
    case "node":
      return await runNode(["run", "--config", subject, "--node", name]);
    case "web":
      await runWebServer(name, subject, 80);
      return 0;
    case "client":
      await runClient({ address: virtualAddress, port: 80, kept: 3, pause: 30 });
      return 0;
    default:
      throw new RangeError(`Part of the demo must be node, web or client, got "${kind}"`);
  }
}

/** A node on this machine as it is: one file, no VRRP, its processes' processor time by /proc. */
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type TandemNode } from "../support/tandem.ts";
import type { Status } from "../../runtime/control/status.ts";
import { cpuOfOne } from "./measure.ts";

/** This machine. */
const here = { name: "bench", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;

export class BenchNode implements AsyncDisposable {
  private constructor(readonly node: TandemNode, private readonly scratch: Scratch, private readonly file: string) {}

  /** Runs a node with `files` beside its configuration; `lines` are the configuration's. */
  static async start(files: Readonly<Record<string, string>>, lines: readonly string[]): Promise<BenchNode> {
    const scratch = new Scratch();
    // Plugins have uids of their own: what they run from must be where those may go.
    Deno.chmodSync(scratch.path, 0o755);
    for (const [path, text] of Object.entries(files)) {
      Deno.mkdirSync(new URL(".", `file://${scratch.path}/${path}`).pathname, { recursive: true });
      Deno.writeTextFileSync(`${scratch.path}/${path}`, text);
    }
    const file = scratch.file("tandem.yaml");
    try {
      await Deno.writeTextFile(file, configuration(scratch, lines));
      return new BenchNode(await startTandem(here, { file, directory: scratch.path }), scratch, file);
    } catch (error) {
      scratch[Symbol.dispose]();
      throw error;
    }
  }

  async reload(lines: readonly string[]): Promise<void> {
    await Deno.writeTextFile(this.file, configuration(this.scratch, lines));
    const { status, body } = await this.node.api("POST", "/api/v1/reload");
    if (status !== 200) throw new Error(`Cannot reload the node: ${status}: ${body}`);
  }

  waitFor<T>(what: string, probe: (status: Status) => T): Promise<Exclude<T, null | undefined | false>> {
    return this.node.waitFor(what, probe, 20_000);
  }

  /** The node's own process, without its children. */
  get control(): number {
    return this.node.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
    this.scratch[Symbol.dispose]();
  }
}

function configuration(scratch: Scratch, lines: readonly string[]): string {
  return [
    "version: 1",
    `admin: { bind: none, socket: ${scratch.path}/bench.sock }`,
    "proxy: { threads: 1 }",
    "log: { level: warning }",
    ...lines,
  ].join("\n") + "\n";
}

/** Percent of one core that each of `pids` uses over `seconds`. */
export async function shares(pids: readonly number[], seconds: number): Promise<number[]> {
  const before = pids.map(cpuOfOne);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return pids.map((pid, index) => (cpuOfOne(pid) - before[index]) / seconds / 10);
}

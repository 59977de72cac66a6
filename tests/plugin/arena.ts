/** A place where plugins of a test run for real: their files, their sandbox, and what the operator would have seen. */
import { type Cgroups, openCgroups } from "../../runtime/os/cgroup.ts";
import { systemClock } from "../../runtime/os/clock.ts";
import type { Verdict } from "../../plugins/contract.ts";
import type { Capabilities } from "../../runtime/plugin/broker.ts";
import { installKit } from "../../runtime/plugin/kit.ts";
import { redactor } from "../../runtime/plugin/output.ts";
import type { GrantedNames, PluginKind } from "../../runtime/plugin/protocol.ts";
import { Sandbox, type SandboxState } from "../../runtime/plugin/sandbox.ts";
import { pluginStage, pluginUid } from "../../runtime/plugin/stage.ts";

const MiB = 2 ** 20;

export interface ArenaPlugin {
  readonly sandbox: Sandbox;
  /** Log lines, as written: "info: text". */
  readonly log: string[];
  /** States it went through, with their reasons. */
  readonly states: [SandboxState, string][];
  /** One check of the server `server`. */
  check(server: string, deadline: number, capabilities?: Capabilities): Promise<Verdict>;
  /** Resolves when the plugin reaches `state`. */
  reached(state: SandboxState): Promise<string>;
}

export interface ArenaOptions {
  readonly kind?: PluginKind;
  readonly memory?: number;
  readonly config?: unknown;
  readonly secrets?: readonly string[];
  readonly isolation?: "available" | "strict";
  /** @default everything is there */
  readonly granted?: GrantedNames;
  /** @default what this machine has */
  readonly cgroups?: Cgroups;
}

/** Gone with everything in it when disposed. */
export class Arena implements AsyncDisposable {
  readonly #directory = Deno.makeTempDirSync({ prefix: "tandem-arena-" });
  readonly #sandboxes: Sandbox[] = [];
  readonly #cgroups = openCgroups();
  #uids = new Set<number>();

  constructor() {
    Deno.chmodSync(this.#directory, 0o755);
  }

  get directory(): string {
    return this.#directory;
  }

  /** A plugin of these files; `main.ts` is its entry. */
  async plugin(
    name: string,
    files: Readonly<Record<string, string>>,
    options: ArenaOptions = {},
  ): Promise<ArenaPlugin> {
    const directory = `${this.#directory}/${name}`;
    Deno.mkdirSync(directory);
    Deno.chmodSync(directory, 0o755);
    for (const [path, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${directory}/${path}`, text);
      Deno.chmodSync(`${directory}/${path}`, 0o644);
    }
    const memory = options.memory ?? 64 * MiB;
    const uid = pluginUid(name, this.#uids);
    this.#uids.add(uid);
    const kit = installKit(this.#directory);
    const log: string[] = [];
    const states: [SandboxState, string][] = [];
    const waiting = new Map<SandboxState, (reason: string) => void>();
    const sandbox = new Sandbox({
      name,
      clock: systemClock,
      process: {
        name,
        cgroups: options.cgroups ?? this.#cgroups,
        command: kit.command,
        stage: pluginStage({
          parent: Deno.pid,
          directory,
          kit,
          memory,
          user: Deno.uid() === 0 ? { uid, gid: uid } : null,
        }),
        entry: "main.ts",
        kind: options.kind ?? "checker",
        host: { node: "dlp1", cluster: "edge", labels: {} },
        // Whatever it does with them, the broker has the last word.
        granted: options.granted ?? { fetch: ["any"], send: ["any"], run: ["any"], store: true },
        memory,
        isolation: options.isolation ?? "available",
        redact: redactor(options.secrets ?? []),
        clock: systemClock,
      },
    }, {
      log: (level, text) => log.push(`${level}: ${text}`),
      metric: (metric, kind, value) => log.push(`metric: ${metric} ${kind} ${value}`),
      changed(state, reason) {
        states.push([state, reason]);
        waiting.get(state)?.(reason);
        waiting.delete(state);
      },
    });
    this.#sandboxes.push(sandbox);
    await sandbox.add({ id: "use", config: options.config ?? {} });
    return {
      sandbox,
      log,
      states,
      async check(server, deadline, capabilities) {
        const target = { backend: "web", server, address: "192.0.2.1", port: 80, labels: {} };
        const signal = AbortSignal.timeout(deadline);
        return await sandbox.call("check", "use", target, { signal, capabilities }) as Verdict;
      },
      reached: (state) => {
        const seen = states.findLast(([one]) => one === state);
        return seen ? Promise.resolve(seen[1]) : new Promise((resolve) => waiting.set(state, resolve));
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sandboxes.map((sandbox) => sandbox.stop()));
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** The entry of a checker whose `check` has this body. */
export function checkerWith(body: string, before = ""): Record<string, string> {
  return {
    "main.ts": `${before}
export default { kind: "checker", async check(target: any, ctx: any) { ${body}
  return { state: "up", reason: "went on" }; } };
`,
  };
}

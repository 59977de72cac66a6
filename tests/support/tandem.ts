/** Real Tandem nodes for the interop tests: the program itself in a host's namespace, spoken to over its admin socket. */
import { fileURLToPath } from "node:url";
import { command, Running, until } from "./command.ts";
import type { Status } from "../../runtime/control/status.ts";
import type { Host } from "./namespaces.ts";

/** What the classic pair needs to be told; everything has the value of the issue's picture. */
export interface PairOptions {
  /** Where sockets and state live: `DIRECTORY/NODE.sock`. */
  readonly directory: string;
  /** @default 2 */
  readonly version?: 2 | 3;
  /** @default "1s" */
  readonly advertInterval?: string;
  /** @default { dlp1: 101, dlp2: 100 } */
  readonly priority?: Readonly<Record<string, number>>;
  /** @default true */
  readonly preempt?: boolean;
  /** `null` = no authentication. @default "1111" at version 2 */
  readonly password?: string | null;
  /** The HTTP check of both servers, as flow YAML. @default "{ type: http, path: /, interval: 1s, timeout: 500ms, rise: 2, fall: 2 }" */
  readonly check?: string;
  /** Further lines of the instance, of the frontend, of the backend: each a line of YAML at their level. */
  readonly instance?: readonly string[];
  readonly frontend?: readonly string[];
  readonly backend?: readonly string[];
  /** @default { node01: "192.168.219.136:80", node02: "192.168.219.137:80" } */
  readonly servers?: Readonly<Record<string, string>>;
  /** Further top-level lines. */
  readonly top?: readonly string[];
}

/** Hosts of the picture, for `Lan.create`. */
export const pairHosts = {
  dlp1: "192.168.219.134/24",
  dlp2: "192.168.219.135/24",
  node01: "192.168.219.136/24",
  node02: "192.168.219.137/24",
  client: "192.168.219.10/24",
} as const;

/** The virtual IP of the picture. */
export const pairAddress = "192.168.219.100";

/** The one `tandem.yaml` of the pair, the same text for both nodes. */
export function pairConfig(options: PairOptions): string {
  const { directory, version = 2, advertInterval = "1s", priority = { dlp1: 101, dlp2: 100 } } = options;
  const password = options.password === undefined ? (version === 2 ? "1111" : null) : options.password;
  const servers = options.servers ?? { node01: "192.168.219.136:80", node02: "192.168.219.137:80" };
  const node = (name: string, address: string) =>
    `  ${name}: { address: ${address}, admin: { bind: null, socket: ${directory}/${name}.sock } }`;
  return [
    "version: 1",
    "nodes:",
    node("dlp1", "192.168.219.134"),
    node("dlp2", "192.168.219.135"),
    "vrrp:",
    "  VI_1:",
    "    interface: ens32",
    "    virtual_router_id: 51",
    `    version: ${version}`,
    `    advert_int: ${advertInterval}`,
    `    priority: { ${Object.entries(priority).map(([name, value]) => `${name}: ${value}`).join(", ")} }`,
    ...(options.preempt === undefined ? [] : [`    preempt: ${options.preempt}`]),
    ...(password === null ? [] : [`    authentication: { type: pass, password: ${JSON.stringify(password)} }`]),
    `    virtual_addresses: [${pairAddress}/24]`,
    ...(options.instance ?? []).map((line) => `    ${line}`),
    "frontends:",
    "  http-in:",
    '    bind: "VI_1:80"',
    "    forwardfor: true",
    "    default_backend: backend_servers",
    ...(options.frontend ?? []).map((line) => `    ${line}`),
    "backends:",
    "  backend_servers:",
    "    balance: roundrobin",
    `    check: ${options.check ?? "{ type: http, path: /, interval: 1s, timeout: 500ms, rise: 2, fall: 2 }"}`,
    ...(options.backend ?? []).map((line) => `    ${line}`),
    "    servers:",
    ...Object.entries(servers).map(([name, address]) => `      ${name}: ${address}`),
    ...(options.top ?? []),
  ].join("\n") + "\n";
}

/** The program as the tests start it; TANDEM_BINARY runs the compiled one instead. */
export function tandemCommand(args: readonly string[]): string[] {
  const binary = Deno.env.get("TANDEM_BINARY");
  if (binary) return [binary, ...args];
  const main = fileURLToPath(new URL("../../mod.ts", import.meta.url));
  return [Deno.execPath(), "run", "-A", "--no-prompt", main, ...args];
}

/** Runs a short command of the program on this machine. */
export function tandem(args: readonly string[], options?: Parameters<typeof command>[1]): ReturnType<typeof command> {
  return command(tandemCommand(args), options);
}

export type { Status };

export interface NodeOptions {
  /** Name in the configuration. @default the host's */
  readonly name?: string;
  /** The configuration file. */
  readonly file: string;
  /** As in `pairConfig`: the node's socket is `DIRECTORY/NAME.sock`, its state `DIRECTORY/NAME`. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running node. Disposing of it is a graceful stop. */
export class TandemNode extends Running {
  /** Undefined once it is stopped. */
  #admin: Deno.HttpClient | undefined;

  constructor(readonly host: Host, readonly node: string, options: NodeOptions) {
    const argv = tandemCommand(["run", "--config", options.file, "--node", node]);
    super(`tandem ${node}`, host.inside(argv), {
      env: { TANDEM_STATE_DIR: `${options.directory}/${node}`, ...options.env },
    });
    this.#admin = Deno.createHttpClient({ proxy: { transport: "unix", path: `${options.directory}/${node}.sock` } });
  }

  /** A request to the admin API; rejects while nobody answers. */
  async api(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
    const response = await fetch(`http://tandem${path}`, {
      method,
      client: this.#admin,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? undefined : { "content-type": "application/json" },
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.text() };
  }

  async status(): Promise<Status> {
    const { status, body } = await this.api("GET", "/api/v1/status");
    if (status !== 200) throw new Error(`Status of "${this.node}" answered ${status}: ${body}`);
    return JSON.parse(body);
  }

  /** State of its first instance, or null while it does not answer. */
  async state(): Promise<Status["vrrp"][number]["state"] | null> {
    return (await this.status().catch(() => null))?.vrrp[0]?.state ?? null;
  }

  /** Waits until `probe` holds of its status; the last log lines are in the error when it never does. */
  async waitFor<T>(
    what: string,
    probe: (status: Status) => T,
    timeout = 10_000,
  ): Promise<Exclude<T, null | undefined | false>> {
    try {
      return await until(`${this.node}: ${what}`, async () => {
        if (this.ended) throw new Error(`It ended with ${this.ended.signal ?? this.ended.code}`);
        return probe(await this.status());
      }, { timeout, interval: 25 });
    } catch (error) {
      const last = await this.status().catch(() => null);
      throw new Error(
        `${(error as Error).message}\nstatus: ${JSON.stringify(last)}\nlog:\n${this.output.slice(-6_000)}`,
        {
          cause: error,
        },
      );
    }
  }

  /** Process ids of its children, by role. */
  async children(): Promise<Map<string, number>> {
    const roles = new Map<string, number>();
    const listed = await command(["ps", "-o", "pid=,args=", "--ppid", String(this.pid)], { allowFailure: true });
    for (const line of listed.stdout.split("\n")) {
      const match = /^\s*(\d+) .*\brole (\w+)/.exec(line);
      if (match) roles.set(match[2], Number(match[1]));
    }
    return roles;
  }

  /** Ends every process of the node at once, as a power loss would. The host's interface stays up. */
  async crash(): Promise<void> {
    const family = [this.pid, ...(await this.children()).values()];
    for (const pid of family) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
    await this.exit;
  }

  override async stop(signal: Deno.Signal = "SIGTERM", timeout = 15_000): Promise<Deno.CommandStatus> {
    const status = await super.stop(signal, timeout);
    this.#admin?.close();
    this.#admin = undefined;
    return status;
  }
}

/** Starts a node on `host` and waits until its admin API answers. */
export async function startTandem(host: Host, options: NodeOptions): Promise<TandemNode> {
  const name = options.name ?? host.name;
  await Deno.mkdir(`${options.directory}/${name}`, { recursive: true });
  const node = new TandemNode(host, name, options);
  try {
    await node.waitFor("its admin API answers", () => true, 15_000);
  } catch (error) {
    await node.stop("SIGKILL");
    throw error;
  }
  return node;
}

/** Real peers for the interop tests: keepalived, HAProxy, nginx and tshark, started with generated configuration. */
import { command, Running, until } from "./command.ts";
import type { Host } from "./namespaces.ts";

/** One keepalived `vrrp_instance`; what is left out is keepalived's default. */
export interface KeepalivedInstance {
  readonly name?: string;
  readonly version?: 2 | 3;
  readonly virtualRouterId: number;
  readonly priority: number;
  /** Seconds, 0.01 and more at version 3. @default 1 */
  readonly advertInterval?: number;
  readonly password?: string;
  readonly addresses: readonly string[];
  readonly preempt?: boolean;
  readonly unicast?: { readonly source: string; readonly peers: readonly string[] };
  /** Further lines of the instance, as they are. */
  readonly lines?: readonly string[];
}

export interface KeepalivedOptions {
  /** Where configuration and pid files go; it must exist. */
  readonly directory: string;
  readonly instances: readonly KeepalivedInstance[];
  /** Lines of `global_defs`. */
  readonly globals?: readonly string[];
}

/** The configuration file of keepalived for these instances on `host`. */
export function keepalivedConfig(host: Host, options: KeepalivedOptions): string {
  const lines = ["global_defs {", ...(options.globals ?? []).map((line) => `  ${line}`), "}"];
  for (const [index, instance] of options.instances.entries()) {
    lines.push(
      `vrrp_instance ${instance.name ?? `VI_${index + 1}`} {`,
      `  state BACKUP`,
      `  interface ${host.device}`,
      `  version ${instance.version ?? 2}`,
      `  virtual_router_id ${instance.virtualRouterId}`,
      `  priority ${instance.priority}`,
      `  advert_int ${instance.advertInterval ?? 1}`,
    );
    if (instance.preempt === false) lines.push("  nopreempt");
    if (instance.password !== undefined) {
      lines.push("  authentication {", "    auth_type PASS", `    auth_pass ${instance.password}`, "  }");
    }
    if (instance.unicast) {
      lines.push(`  unicast_src_ip ${instance.unicast.source}`, "  unicast_peer {");
      lines.push(...instance.unicast.peers.map((peer) => `    ${peer}`), "  }");
    }
    lines.push("  virtual_ipaddress {", ...instance.addresses.map((address) => `    ${address}`), "  }");
    lines.push(...(instance.lines ?? []).map((line) => `  ${line}`), "}");
  }
  return lines.join("\n") + "\n";
}

/** A running keepalived; `output` is its detailed log. */
export class Keepalived extends Running {
  /**
   * Power loss. Killing the parent alone would be a graceful stop: its death signal makes the child send priority 0. The
   * caller pulls the cable (`lan.port(name, "down")`) first, or the address stays on a dead host.
   */
  async crash(): Promise<void> {
    this.signal("SIGSTOP");
    const children = await command(["pgrep", "-P", String(this.pid)], { allowFailure: true });
    for (const pid of children.stdout.split("\n").filter(Boolean)) Deno.kill(Number(pid), "SIGKILL");
    this.signal("SIGKILL");
    await this.exit;
  }
}

/** Starts keepalived on `host` and waits until its VRRP child runs. */
export async function startKeepalived(host: Host, options: KeepalivedOptions): Promise<Keepalived> {
  const base = `${options.directory}/keepalived-${host.name}`;
  await Deno.writeTextFile(`${base}.conf`, keepalivedConfig(host, options));
  const argv = [
    "keepalived",
    "-n",
    "-P",
    "-l",
    "-D",
    "-f",
    `${base}.conf`,
    "-p",
    `${base}.pid`,
    "-r",
    `${base}-vrrp.pid`,
  ];
  const keepalived = new Keepalived(`${host.name}: keepalived`, host.inside(argv));
  try {
    await keepalived.said(/Registering Kernel netlink command channel|Entering BACKUP STATE|Startup complete/);
  } catch (error) {
    await keepalived.stop("SIGKILL");
    throw error;
  }
  return keepalived;
}

/** Starts HAProxy with this configuration, one thread unless it says otherwise, and waits until `port` takes connections. */
export async function startHaproxy(host: Host, directory: string, config: string, port: number): Promise<Running> {
  const file = `${directory}/haproxy-${host.name}.cfg`;
  await Deno.writeTextFile(file, config);
  return await listening(host, host.spawn(["haproxy", "-db", "-f", file]), port);
}

/** Starts nginx in the foreground with these `server` blocks and waits until `port` takes connections. */
export async function startNginx(host: Host, directory: string, servers: string, port: number): Promise<Running> {
  const base = `${directory}/nginx-${host.name}`;
  await Deno.mkdir(base, { recursive: true });
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${base}/${name};`
  );
  await Deno.writeTextFile(
    `${base}/nginx.conf`,
    `daemon off; master_process off; worker_processes 1; pid ${base}/pid; error_log stderr warn;
events { worker_connections 20000; }
http { access_log off; keepalive_requests 1000000; ${paths.join(" ")}
${servers}
}
`,
  );
  const argv = ["nginx", "-p", base, "-e", "stderr", "-c", `${base}/nginx.conf`];
  return await listening(host, host.spawn(argv), port);
}

/** A capture on one host's interface; `fields()` reads it back through tshark's dissectors. */
export class Capture implements AsyncDisposable {
  #running: Running;
  constructor(private readonly file: string, running: Running) {
    this.#running = running;
  }

  /** Ends the capture: what was seen until now is in the file. */
  async stop(): Promise<void> {
    // Frames reach the file in batches; the last ones need a moment.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await this.#running.stop("SIGINT");
  }

  /** One row of field values for every frame that `filter` lets through; absent fields are "". */
  async fields<Name extends string>(
    filter: string,
    names: readonly Name[],
    preferences: readonly string[] = [],
  ): Promise<Record<Name, string>[]> {
    const argv = ["tshark", "-r", this.file, "-n", "-Y", filter, "-T", "fields", "-E", "separator=/t"];
    for (const preference of preferences) argv.push("-o", preference);
    const output = await command([...argv, ...names.flatMap((name) => ["-e", name])]);
    return output.stdout.split("\n").filter(Boolean).map((line) => {
      const values = line.split("\t");
      return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""])) as Record<Name, string>;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running.ended === null) await this.#running.stop("SIGINT");
  }
}

let captures = 0;

/** Starts to capture what `host` sees; `filter` is a capture filter such as "ip proto 112 or arp". */
export async function startCapture(host: Host, directory: string, filter: string): Promise<Capture> {
  const file = `${directory}/${host.name}-${captures++}.pcap`;
  const running = host.spawn(["tshark", "-q", "-n", "-i", host.device, "-f", filter, "-w", file]);
  try {
    await running.said(/Capturing on/);
    // "Capturing on" comes before the socket is open; the file's header after it.
    await until("tshark opened its capture file", () => Deno.statSync(file).size >= 24);
  } catch (error) {
    await running.stop("SIGKILL");
    throw error;
  }
  return new Capture(file, running);
}

/** Waits until a process listens on `port` in the host's namespace; stops it and says why when it does not. */
async function listening(host: Host, running: Running, port: number): Promise<Running> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  try {
    await until(`${running.name} listens on port ${port}`, async () => {
      if (running.ended) throw new Error(`"${running.name}" ended:\n${running.output}`);
      const table = (await host.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"])).stdout;
      return table.split("\n").some((row) => {
        const [, local, , state] = row.trim().split(/\s+/);
        return state === "0A" && local.endsWith(wanted);
      });
    });
  } catch (error) {
    await running.stop("SIGKILL");
    throw error;
  }
  return running;
}

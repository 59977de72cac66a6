/**
 * One switched network on this machine: a bridge in a namespace of its own, and a namespace per host with a veth pair to
 * it. Everything is gone at the end of the `await using` block, and what a killed test run left is swept at the next start.
 *
 *     await using lan = await Lan.create({ dlp1: "192.168.219.134/24", client: "192.168.219.10/24" });
 *     await lan.host("client").run(["ip", "-br", "address"]);
 */
import { command, type CommandOptions, type Output, Running } from "./command.ts";

/** A host of the network: its own namespace, one interface. */
export class Host {
  constructor(
    readonly name: string,
    /** As `ip netns` knows it. */
    readonly namespace: string,
    /** Its one interface. */
    readonly device: string,
    /** "192.168.219.134/24", or null for an interface without an address. */
    readonly cidr: string | null,
  ) {}

  /** The address without its prefix length. */
  get address(): string {
    if (this.cidr === null) throw new Error(`Host "${this.name}" has no address`);
    return this.cidr.split("/")[0];
  }

  /** `argv` as it must be started to run in this namespace; the process id is the command's own. */
  inside(argv: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.namespace}`, "--", ...argv];
  }

  run(argv: readonly string[], options?: CommandOptions): Promise<Output> {
    return command(this.inside(argv), options);
  }

  /** Starts a process that lives until it is disposed of. */
  spawn(argv: readonly string[], options?: { env?: Record<string, string>; cwd?: string }): Running {
    return new Running(`${this.name}: ${argv[0]}`, this.inside(argv), options);
  }

  /** `ip` in this namespace; `ip(["-j", "address"])`. */
  async ip(args: readonly string[]): Promise<string> {
    return (await command(["ip", "-n", this.namespace, ...args])).stdout;
  }

  /** IPv4 addresses of the interface, "192.168.219.100/24". */
  async addresses(device: string = this.device): Promise<string[]> {
    const links = JSON.parse(await this.ip(["-j", "-4", "address", "show", "dev", device])) as AddressDump[];
    return links.flatMap((link) => (link.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`));
  }

  async mac(device: string = this.device): Promise<string> {
    return (JSON.parse(await this.ip(["-j", "link", "show", "dev", device])) as { address: string }[])[0]
      .address;
  }

  /** MAC that this host's neighbour table has for `address`, or null. */
  async neighbour(address: string): Promise<string | null> {
    const found = JSON.parse(await this.ip(["-j", "neigh", "show", "to", address]) || "[]") as { lladdr?: string }[];
    return found[0]?.lladdr ?? null;
  }

  async sysctl(key: string, value: string): Promise<void> {
    await this.run(["sysctl", "-qw", `${key}=${value}`]);
  }
}

interface AddressDump {
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number }[];
}

export interface LanOptions {
  /** Name of every host's interface. @default "ens32" */
  readonly interface?: string;
}

let made = 0;

export class Lan implements AsyncDisposable {
  #hosts = new Map<string, Host>();

  private constructor(private readonly prefix: string) {}

  /** Makes the network: host names (at most 12 characters) and their addresses. */
  static async create(hosts: Readonly<Record<string, string | null>>, options: LanOptions = {}): Promise<Lan> {
    await sweep();
    const lan = new Lan(`td${Deno.pid}x${made++}`);
    try {
      await lan.#build(hosts, options.interface ?? "ens32");
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
    return lan;
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (!host) throw new Error(`No host "${name}" in this network, only ${[...this.#hosts.keys()].join(", ")}`);
    return host;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  /** The namespace of the bridge; each port there is named after its host. */
  get switch(): string {
    return `${this.prefix}-switch`;
  }

  /** Gives the host a second interface on the same switch. */
  async plug(name: string, device: string, cidr: string): Promise<void> {
    const { namespace } = this.host(name);
    await ipBatch(this.switch, [
      `link add ${name}-2 type veth peer name ${device} netns ${namespace}`,
      `link set ${name}-2 master br0 up`,
    ]);
    await ipBatch(namespace, [`link set ${device} up`, `address add ${cidr} brd + dev ${device}`]);
  }

  /** Pulls (`down`) or plugs (`up`) the host's cable at the switch: the host sees loss of carrier at once; frames flow up to 1 s after `up`. */
  async port(name: string, state: "up" | "down"): Promise<void> {
    await command(["ip", "-n", this.switch, "link", "set", "dev", this.host(name).name, state]);
  }

  /** The listed hosts no longer hear each other, everyone else still hears them: a true split brain. */
  async isolate(names: readonly string[], on: boolean): Promise<void> {
    for (const name of names) {
      await command(["bridge", "-n", this.switch, "link", "set", "dev", name, "isolated", on ? "on" : "off"]);
    }
  }

  /** Hosts whose interface holds `address` now. */
  async holders(address: string): Promise<string[]> {
    const found: string[] = [];
    for (const host of this.hosts) {
      const held = await host.addresses();
      if (held.some((cidr) => cidr.split("/")[0] === address)) found.push(host.name);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeNamespaces([...this.hosts.map((host) => host.namespace), this.switch]);
    this.#hosts.clear();
  }

  async #build(hosts: Readonly<Record<string, string | null>>, device: string): Promise<void> {
    await ipBatch(null, [`netns add ${this.switch}`]);
    await ipBatch(this.switch, [
      "link set lo up",
      // Without a querier a snooping bridge forgets who wants 224.0.0.18 and the adverts stop.
      "link add br0 type bridge mcast_snooping 0 forward_delay 0",
      "link set br0 up",
    ]);
    for (const [name, cidr] of Object.entries(hosts)) {
      if (name.length > 12) throw new RangeError(`Host name "${name}" has ${name.length} characters, at most 12`);
      const host = new Host(name, `${this.prefix}-${name}`, device, cidr);
      this.#hosts.set(name, host);
      await ipBatch(null, [`netns add ${host.namespace}`]);
      await ipBatch(this.switch, [
        `link add ${name} type veth peer name ${device} netns ${host.namespace}`,
        `link set ${name} master br0 up`,
      ]);
      await ipBatch(host.namespace, [
        "link set lo up",
        `link set ${device} up`,
        ...(cidr === null ? [] : [`address add ${cidr} brd + dev ${device}`]),
      ]);
    }
  }
}

async function ipBatch(namespace: string | null, lines: readonly string[]): Promise<void> {
  const where = namespace === null ? [] : ["-n", namespace];
  await command(["ip", ...where, "-batch", "-"], { stdin: lines.join("\n") + "\n" });
}

/** Kills what still runs in the namespaces (processes of this test only), then deletes them. */
async function removeNamespaces(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const inside = await command(["ip", "netns", "pids", name], { allowFailure: true });
    for (const pid of inside.stdout.split("\n").filter(Boolean)) {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
  for (const name of names) await command(["ip", "netns", "del", name], { allowFailure: true });
}

/** Removes networks of test processes that no longer exist. */
async function sweep(): Promise<void> {
  const listed = await command(["ip", "netns", "list"], { allowFailure: true });
  const names = listed.stdout.split("\n").map((line) => line.split(" ")[0]);
  await removeNamespaces(names.filter((name) => {
    const owner = /^td(\d+)x\d+-/.exec(name)?.[1];
    return owner !== undefined && !exists(`/proc/${owner}`);
  }));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

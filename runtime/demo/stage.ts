/** The demo's whole set: network, players and what can be done to them. Disposing of it ends every process. */
import { adminSocket, client, configuration, nodes, servers, virtualAddress } from "./picture.ts";
import { ClientFeed } from "./client_feed.ts";
import { DemoNetwork } from "./network.ts";
import { NodeApi, type NodeStatus } from "./node_api.ts";
import { Player } from "./player.ts";

/** What is so now, for the screen and for the steps. */
export interface View {
  /** Names of the nodes whose kernel holds the virtual IP: one, unless something is wrong or moving. */
  readonly holders: readonly string[];
  readonly nodes: readonly { readonly name: string; readonly running: boolean; readonly status: NodeStatus | null }[];
  readonly servers: readonly { readonly name: string; readonly running: boolean }[];
  /** Who has the MAC that the client's ARP table gives for the virtual IP. */
  readonly neighbour: { readonly mac: string | null; readonly owner: string | null };
}

export class Stage implements AsyncDisposable {
  readonly #network = new DemoNetwork([...nodes, ...servers, client]);
  readonly #players = new Map<string, Player>();
  readonly #apis: ReadonlyMap<string, NodeApi>;
  readonly #macs: ReadonlyMap<string, string>;
  #feed: ClientFeed | null = null;

  /** `directory` is for configuration, sockets, state and logs; it belongs to the caller. */
  constructor(private readonly directory: string) {
    Deno.writeTextFileSync(`${directory}/tandem.yaml`, configuration(directory));
    this.#apis = new Map(nodes.map(({ name }) => [name, new NodeApi(name, adminSocket(directory, name))]));
    this.#macs = new Map(nodes.map(({ name }) => [this.#network.mac(name), name]));
  }

  /** @throws {Error} before the client has started. */
  get feed(): ClientFeed {
    if (this.#feed === null) throw new Error("The demo's client has not started");
    return this.#feed;
  }

  /** As `feed`, null before the client has started. */
  get feedOrNull(): ClientFeed | null {
    return this.#feed;
  }

  startServer(name: string): void {
    const machine = servers.find((server) => server.name === name);
    if (machine === undefined) throw new RangeError(`No web server "${name}" in the demo`);
    this.#start(name, ["web", name, machine.address]);
  }

  /** Starts a node, with its cable in. */
  startNode(name: string): void {
    this.#network.cable(name, "in");
    const state = `${this.directory}/${name}`;
    Deno.mkdirSync(state, { recursive: true });
    this.#start(name, ["node", name, `${this.directory}/tandem.yaml`], { TANDEM_STATE_DIR: state });
  }

  startClient(): void {
    const player = this.#start(client.name, ["client"], {}, true);
    this.#feed = new ClientFeed(player.child.stdout);
  }

  /** Power loss: the cable is dead and every process of the machine ends, without a last word. */
  async crash(name: string): Promise<void> {
    this.#network.cable(name, "out");
    await this.#players.get(name)?.kill();
  }

  /** Stops a web server as an init system would; its machine stays up and refuses connections. */
  async stopServer(name: string): Promise<void> {
    await this.#players.get(name)?.stop();
  }

  running(name: string): boolean {
    return this.#players.get(name)?.running ?? false;
  }

  api(node: string): NodeApi {
    const api = this.#apis.get(node);
    if (api === undefined) throw new RangeError(`No node "${node}" in the demo`);
    return api;
  }

  holders(): string[] {
    return this.#network.holders(nodes, virtualAddress);
  }

  /** Who the client's ARP table says has the virtual IP. */
  neighbour(): View["neighbour"] {
    const mac = this.#feed?.mac ?? null;
    return { mac, owner: mac === null ? null : this.#macs.get(mac) ?? null };
  }

  async view(): Promise<View> {
    const seen = nodes.map(async ({ name }) => {
      const running = this.running(name);
      return { name, running, status: running ? await this.api(name).status() : null };
    });
    return {
      nodes: await Promise.all(seen),
      holders: this.holders(),
      servers: servers.map(({ name }) => ({ name, running: this.running(name) })),
      neighbour: this.neighbour(),
    };
  }

  /** The end of a machine's log, for an error that nobody could explain otherwise. */
  log(name: string, lines = 12): string {
    try {
      return Deno.readTextFileSync(this.#logOf(name)).trimEnd().split("\n").slice(-lines).join("\n");
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The namespaces go with their last process: nothing needs to be handed over or released.
    await Promise.all([...this.#players.values()].map((player) => player.kill()));
    await this.#feed?.finished;
    for (const api of this.#apis.values()) api[Symbol.dispose]();
    this.#network[Symbol.dispose]();
  }

  #logOf(name: string): string {
    return `${this.directory}/${name}.log`;
  }

  #start(name: string, args: readonly string[], env: Record<string, string> = {}, piped = false): Player {
    if (this.running(name)) throw new Error(`"${name}" runs already`);
    const player = new Player(this.#network, name, args, { log: this.#logOf(name), env, piped });
    this.#players.set(name, player);
    return player;
  }
}

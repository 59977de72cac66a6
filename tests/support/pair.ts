/** The picture as real processes: two Tandem nodes from one file, two web servers, a client host. */
import { type Client, startClient } from "./client.ts";
import { type Running, until } from "./command.ts";
import { Lan } from "./namespaces.ts";
import { Scratch } from "./scratch.ts";
import { pairAddress, pairConfig, pairHosts, type PairOptions, startTandem, type TandemNode } from "./tandem.ts";
import { startWeb } from "./web.ts";
import type { TrafficOptions } from "../../runtime/demo/traffic.ts";

export type NodeName = "dlp1" | "dlp2";
export type ServerName = "node01" | "node02";

export class Pair implements AsyncDisposable {
  readonly #nodes = new Map<NodeName, TandemNode>();
  readonly #servers = new Map<ServerName, Running>();
  readonly #clients: Client[] = [];

  private constructor(readonly lan: Lan, readonly scratch: Scratch) {}

  /** Starts web servers and nodes and waits until dlp1 holds the address and dlp2 is backup. */
  static async start(options: Omit<PairOptions, "directory"> = {}): Promise<Pair> {
    const pair = await Pair.prepare(options);
    try {
      await Promise.all([pair.startNode("dlp1"), pair.startNode("dlp2")]);
      await pair.converged("dlp1", 15_000);
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
    return pair;
  }

  /** As `start`, but without the nodes. */
  static async prepare(options: Omit<PairOptions, "directory"> = {}): Promise<Pair> {
    const scratch = new Scratch();
    const pair = new Pair(await Lan.create(pairHosts), scratch);
    try {
      await Deno.writeTextFile(pair.file, pairConfig({ directory: scratch.path, ...options }));
      await Promise.all([pair.startServer("node01"), pair.startServer("node02")]);
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
    return pair;
  }

  /** The one configuration of both nodes. */
  get file(): string {
    return this.scratch.file("tandem.yaml");
  }

  async startNode(name: NodeName, env?: Record<string, string>): Promise<TandemNode> {
    const node = await startTandem(this.lan.host(name), { file: this.file, directory: this.scratch.path, env });
    this.#nodes.set(name, node);
    return node;
  }

  async startServer(name: ServerName): Promise<void> {
    this.#servers.set(name, await startWeb(this.lan.host(name)));
  }

  node(name: NodeName): TandemNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`Node "${name}" was not started`);
    return node;
  }

  server(name: ServerName): Running {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`Web server "${name}" was not started`);
    return server;
  }

  /** A client on the client host; it is stopped with the pair. */
  async client(options: Partial<TrafficOptions> = {}): Promise<Client> {
    const client = await startClient(this.lan.host("client"), { address: pairAddress, port: 80, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Waits until `owner` alone holds the address, is active, and the other running node is backup. */
  async converged(owner: NodeName, timeout = 10_000): Promise<void> {
    try {
      await until(`${owner} alone holds ${pairAddress}`, async () => {
        const holders = await this.lan.holders(pairAddress);
        if (holders.join() !== owner) return false;
        for (const [name, node] of this.#nodes) {
          if (node.ended === null && await node.state() !== (name === owner ? "active" : "backup")) return false;
        }
        return true;
      }, { timeout, interval: 25 });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.explain()}`, { cause: error });
    }
  }

  /** Who holds the address and what every node says: for the message of a failure. */
  async explain(): Promise<string> {
    const lines = [`held by: ${(await this.lan.holders(pairAddress)).join(" and ") || "nobody"}`];
    for (const [name, node] of this.#nodes) {
      const status = await node.status().catch(() => null);
      lines.push(
        `${name}: ${node.ended ? "ended" : status ? JSON.stringify(status.vrrp) : "no status"}`,
        node.output.slice(-4_000),
      );
    }
    return lines.join("\n");
  }

  /** Power loss: the cable is dead, then every process. */
  async crash(name: NodeName): Promise<void> {
    await this.lan.port(name, "down");
    await this.node(name).crash();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.stop();
    // Nobody needs a hand-over any more; what is left in the namespaces goes with them.
    for (const node of this.#nodes.values()) {
      await node.crash();
      await node.stop("SIGKILL");
    }
    for (const server of this.#servers.values()) await server.stop("SIGKILL");
    await this.lan[Symbol.asyncDispose]();
    this.scratch[Symbol.dispose]();
  }
}

/** What the demo asks of its nodes, over their admin sockets. */

/** What a node says of itself; the parts of `GET /api/v1/status` that the demo shows. */
export interface NodeStatus {
  readonly vrrp: readonly {
    readonly state: "initialize" | "backup" | "active" | "fault";
    readonly reason: string;
    readonly priority: { readonly configured: number; readonly effective: number };
  }[];
  readonly backends: readonly {
    readonly servers: readonly { readonly name: string; readonly state: string; readonly requests_total: number }[];
  }[];
}

/** A node's admin API by its Unix socket. */
export class NodeApi implements Disposable {
  readonly #client: Deno.HttpClient;
  constructor(readonly node: string, socket: string) {
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  }

  /** Its status; null while it does not answer. */
  async status(): Promise<NodeStatus | null> {
    try {
      const response = await this.#fetch("GET", "/api/v1/status");
      return response.ok ? await response.json() : (await response.body?.cancel(), null);
    } catch {
      return null;
    }
  }

  /** `failover` or `failback` of an instance. @throws {Error} with the node's own words when it refused. */
  async move(verb: "failover" | "failback", instance: string): Promise<void> {
    const response = await this.#fetch("POST", `/api/v1/vrrp/${instance}/${verb}`, { reason: "demo" });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot ${verb} ${instance} on ${this.node}: ${response.status} ${text}`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`http://tandem${path}`, {
      method,
      client: this.#client,
      signal: AbortSignal.timeout(3_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  }
}

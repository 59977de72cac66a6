/** Routes in `mode: tcp`: by the name of the server in the ClientHello, and by the client's network; first match wins. */
import { type Address, type Cidr, contains, parseCidr } from "../bytes/address.ts";
import { HostTable } from "./routes/host_table.ts";

/** Keys are *and*, lists are *or*; an empty list matches all. */
export interface TcpRouteOptions {
  /** Lower case; "*.example" = any name below it. Who sends no ClientHello has no name. */
  readonly names: readonly string[];
  /** CIDRs. */
  readonly clients: readonly string[];
  readonly backend: string;
}

interface TcpRoute {
  readonly index: number;
  readonly clients: readonly Cidr[];
  readonly backend: string;
}

export class TcpRoutes {
  /** Whether a name is asked for: otherwise nobody waits for a ClientHello. */
  readonly byName: boolean;
  readonly #table: HostTable<readonly TcpRoute[]>;

  /** @throws {SyntaxError} when a network is none */
  constructor(readonly options: readonly TcpRouteOptions[]) {
    this.byName = options.some(({ names }) => names.length > 0);
    const routes = options.map(({ clients, backend }, index) => ({ index, clients: clients.map(parseCidr), backend }));
    this.#table = new HostTable(
      options.map(({ names }) => ({ hosts: names })),
      (indexes) => indexes.map((index) => routes[index]),
    );
  }

  /** Name of the backend; null where no route matches. */
  find(serverName: string | null, client: Address | null): string | null {
    const fitting = this.#table.find(serverName ?? "").flatMap((routes) =>
      routes.find((route) => fits(route, client)) ?? []
    );
    fitting.sort((a, b) => a.index - b.index);
    return fitting[0]?.backend ?? null;
  }
}

function fits({ clients }: TcpRoute, client: Address | null): boolean {
  return clients.length === 0 || (client !== null && clients.some((network) => contains(network, client)));
}

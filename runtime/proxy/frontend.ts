/** A frontend as a thread sees it: its options, its listeners' connections, its counters. */
import { type Cidr, contains, isAddress, parseAddress, parseCidr } from "../bytes/address.ts";
import { DEFAULT_LIMITS, type RequestLimits } from "../http/mod.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Engine } from "./engine.ts";
import { isSameRouting, type RoutingText, unpackRouting } from "./routes/routing_text.ts";
import { Routing } from "./routing.ts";
import { FrontendCounter } from "./shared_state.ts";
import type { ThreadFrontend } from "./thread_protocol.ts";
import { TcpRoutes } from "./tcp_routes.ts";

/** How long a connection that is to end may take to make its last request, ms. */
const LAST_WORDS = 1000;

export class Frontend {
  backend: Backend | null = null;
  /** null where everything goes to `backend`. */
  routing: Routing | null = null;
  /** null in `mode: http`, and where everything goes to `backend`. */
  tcpRoutes: TcpRoutes | null = null;
  readonly limits: RequestLimits = DEFAULT_LIMITS;
  /** Open connections of this thread. */
  readonly connections = new Set<ClientConnection>();
  /** No longer in the configuration: each connection ends with its next response. */
  retired = false;
  readonly #counters: Float64Array;
  readonly #base: number;

  #complained = -1;
  #options: ThreadFrontend;
  /** What `routing` was made of. */
  #routing: RoutingText | null = null;
  #trusted: readonly Cidr[];

  constructor(readonly engine: Engine, options: ThreadFrontend, readonly slot: number) {
    this.#options = options;
    this.#trusted = options.trustedProxies.map(parseCidr);
    this.#route(options);
    this.#counters = engine.shared.frontends;
    this.#base = slot * FrontendCounter.stride;
    // Before its first connection, and never changed: each is counted out as it was counted in.
    this.#counters[this.#base + FrontendCounter.apart] = options.apart === true ? 1 : 0;
  }

  get options(): ThreadFrontend {
    return this.#options;
  }

  set options(options: ThreadFrontend) {
    this.#options = options;
    this.#trusted = options.trustedProxies.map(parseCidr);
    this.#route(options);
  }

  get trustedProxies(): readonly Cidr[] {
    return this.#trusted;
  }

  /** Whether the client is a proxy of ours, whose forwarding fields are believed. */
  trusts(client: string): boolean {
    if (this.#trusted.length === 0) return false;
    if (!isAddress(client)) return false;
    const address = parseAddress(client);
    return this.#trusted.some((network) => contains(network, address));
  }

  opened(connection: ClientConnection): void {
    this.connections.add(connection);
    this.#counters[this.#base + FrontendCounter.current]++;
    this.#counters[this.#base + FrontendCounter.total]++;
    this.engine.connections++;
  }

  closed(connection: ClientConnection): void {
    this.connections.delete(connection);
    this.#counters[this.#base + FrontendCounter.current]--;
    this.engine.connections--;
    this.engine.room.release(this.slot);
    this.engine.relieved();
  }

  /**
   * Ends connections that wait for a request, when they have taken what was answered before. Who has not asked anything
   * yet is mostly about to: to close would be an error to that client, and it knows of no other connection to try. When
   * `patient`, as where the process goes on, there is time for a last request of everybody, and its answer.
   */
  closeIdle(patient: boolean): void {
    for (const connection of [...this.connections]) {
      if (connection.phase !== "idle") continue;
      if (connection.asked && !patient) connection.finish(false);
      else connection.arm(LAST_WORDS);
    }
  }

  /** Routes that did not change keep what they have learned. */
  #route(options: ThreadFrontend): void {
    const { mode, routing, tcpRoutes = [] } = options;
    this.tcpRoutes = mode === "tcp" && tcpRoutes.length > 0 ? new TcpRoutes(tcpRoutes) : null;
    if (isSameRouting(routing, this.#routing)) return;
    this.routing = routing === null ? null : new Routing(this, unpackRouting(routing), options.name);
    this.#routing = routing;
  }

  /** Tells the operator what clients do wrong, at most once a second. */
  complain(text: string): void {
    const second = Math.floor(this.engine.now / 1000);
    if (second === this.#complained) return;
    this.#complained = second;
    this.engine.ports.report(`Frontend "${this.#options.name}" ${text}`);
  }

  count(counter: number, by: number): void {
    this.#counters[this.#base + counter] += by;
  }

  countResponse(status: number): void {
    const kind = (status / 100) | 0;
    if (kind >= 1 && kind <= 5) this.#counters[this.#base + FrontendCounter.responses + kind - 1]++;
  }
}

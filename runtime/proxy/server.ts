/** One server of a backend as a thread sees it: where it is, what was decided about it, its idle connections. */
import type { Engine } from "./engine.ts";
import { OriginConnection } from "./origin_connection.ts";
import type { ServerOptions } from "./protocol.ts";
import { ServerCounter } from "./shared_state.ts";
import { isGone } from "./server_verdict.ts";

/** How long a connection may wait for reuse, ms: less than the 5 s after which common origins close theirs. */
export const IDLE_TIMEOUT = 4000;
/** Idle connections kept to one server by one thread. */
const MAX_IDLE = 1024;

/** Where a server's socket address lies in the arena. */
export interface ServerAddress {
  readonly start: number;
  readonly length: number;
  readonly domain: number;
}

export class Server {
  options: ServerOptions;
  /** First of our words in the counters. */
  readonly counters: number;
  /** Idle connections, the one used last on top: few are kept warm, the rest may expire. */
  readonly #idle: OriginConnection[] = [];
  /** All connections, for those that must be closed when the server goes. */
  readonly #all = new Set<OriginConnection>();
  /** Requests failed in a row that are evidence against the server; 0 = none are. */
  errorLimit = 0;
  /** By status: 1 = an answer with it is a failure; null = none is. */
  errorStatuses: Uint8Array | null = null;
  /** No longer in the configuration: nothing is kept for reuse. */
  retired = false;
  #complained = -1;

  constructor(
    readonly engine: Engine,
    options: ServerOptions,
    readonly slot: number,
    /** The socket address, in the arena. */
    readonly address: ServerAddress,
    /** Host for requests that name none. */
    readonly host: Uint8Array,
    readonly backend: string,
  ) {
    this.options = options;
    this.counters = slot * ServerCounter.stride;
  }

  get verdict(): number {
    return this.engine.shared.verdicts[this.slot];
  }

  /** An idle connection, or null. */
  takeIdle(): OriginConnection | null {
    // A connection that was introduced as one client's is nobody else's.
    if (this.#introduces) return null;
    const connection = this.#idle.pop();
    if (connection === undefined) return null;
    this.engine.wheel.disarm(connection);
    return connection;
  }

  /** Keeps a connection for the next request. */
  keepIdle(connection: OriginConnection): void {
    if (this.retired || this.#introduces || this.#idle.length >= MAX_IDLE || isGone(this.verdict) || this.#crowded) {
      connection.close();
      return;
    }
    this.#idle.push(connection);
    this.engine.wheel.arm(connection, this.engine.now + IDLE_TIMEOUT);
  }

  get #introduces(): boolean {
    return (this.options.sendProxy ?? null) !== null;
  }

  /** Whether more connections are open than the server may have requests: those that idle take its places too. */
  get #crowded(): boolean {
    const { maxconn } = this.options;
    return maxconn !== null && this.engine.shared.connectionsTo(this.slot) > maxconn;
  }

  /** An idle connection was closed by the peer, or sent something nobody asked for. */
  forgetIdle(connection: OriginConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** A request is placed here, where the backend counts them. */
  enter(): void {
    const { shared } = this.engine;
    Atomics.add(shared.active, this.slot, 1);
    shared.servers[this.counters + ServerCounter.active]++;
  }

  /** As `enter`, unless the server is full: whether there was a place. */
  tryEnter(): boolean {
    const { shared } = this.engine;
    const { maxconn } = this.options;
    for (;;) {
      const active = Atomics.load(shared.active, this.slot);
      if (maxconn !== null && active >= maxconn) return false;
      if (Atomics.compareExchange(shared.active, this.slot, active, active + 1) !== active) continue;
      shared.servers[this.counters + ServerCounter.active]++;
      return true;
    }
  }

  /** A request that was counted is over. */
  leave(): void {
    const { shared } = this.engine;
    Atomics.sub(shared.active, this.slot, 1);
    shared.servers[this.counters + ServerCounter.active]--;
  }

  /** It failed a request: evidence for control when it happens several times in a row, whichever threads saw it. */
  erred(cause: string): void {
    if (this.errorLimit === 0) return;
    const errors = Atomics.add(this.engine.shared.errors, this.slot, 1) + 1;
    if (errors % this.errorLimit !== 0) return;
    this.engine.ports.evidence({ backend: this.backend, server: this.options.name, errors, cause });
  }

  /** A request gets no usable response from it. */
  unanswered(cause: string): void {
    this.broke();
    this.erred(cause);
  }

  /** A request fails at it, which need not be evidence against it. */
  broke(): void {
    this.engine.shared.servers[this.counters + ServerCounter.failures]++;
  }

  /** It answered a request with this status, `ms` after that was sent. */
  answered(status: number, ms: number): void {
    const { servers } = this.engine.shared;
    const kind = (status / 100) | 0;
    if (kind >= 1 && kind <= 5) servers[this.counters + ServerCounter.responses + kind - 1]++;
    servers[this.counters + ServerCounter.responseTime] += ms;
    if (this.errorStatuses !== null && this.errorStatuses[status] === 1) return this.erred(`status ${status}`);
    this.reached();
  }

  /** It does what is asked of it: what failed before was no row of failures. */
  reached(): void {
    const { errors } = this.engine.shared;
    if (errors[this.slot] !== 0) Atomics.store(errors, this.slot, 0);
  }

  opened(connection: OriginConnection): void {
    this.#all.add(connection);
    this.engine.shared.servers[this.counters + ServerCounter.connections]++;
  }

  closed(connection: OriginConnection): void {
    this.#all.delete(connection);
    this.engine.shared.servers[this.counters + ServerCounter.connections]--;
  }

  /** A connection could not be made: evidence for the operator, told at most once a second. */
  failed(cause: string): void {
    const second = Math.floor(this.engine.now / 1000);
    if (second === this.#complained) return;
    this.#complained = second;
    this.engine.ports.report(`Cannot connect to server "${this.options.name}" (${this.options.address}): ${cause}`);
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** Breaks off what runs, too (`on_down: close`). */
  closeAll(): void {
    this.closeIdle();
    for (const connection of [...this.#all]) connection.withdraw();
  }
}

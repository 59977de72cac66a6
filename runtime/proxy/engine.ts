/**
 * The engine of one thread: one loop over one Io, and what all its connections share. Objects that every request needs
 * are made once and taken from here.
 */
import { LARGE, NO_REGION, SLAB, SMALL, WIDE, WIDE_SIZE } from "../os/arena.ts";
import { errno, errnoName } from "../os/errno.ts";
import type { Io } from "../os/io.ts";
import { libc } from "../os/libc.ts";
import { setNoDelay } from "../os/socket_options.ts";
import { connectionPeers, localAddressOf, peerAddressOf, peerPortOf } from "../os/tcp_socket.ts";
import type { AccessLog } from "./access_log/access_log.ts";
import { ShortText } from "./short_text.ts";
import { RequestHead, ResponseHead } from "../http/mod.ts";
import { ClientConnection } from "./client_connection.ts";
import { Exchange } from "./exchange.ts";
import type { Frontend } from "./frontend.ts";
import type { Gathered } from "./gather.ts";
import { RequestChanges, ResponseChanges } from "./heads.ts";
import type { Evidence, ProxyOptions } from "./protocol.ts";
import type { ProxyPeers } from "./proxy_protocol.ts";
import type { Queue } from "./queue.ts";
import { RoutingState } from "./routing_state.ts";
import { Room } from "./room.ts";
import type { Server } from "./server.ts";
import type { SharedState } from "./shared_state.ts";
import { TimerWheel } from "./timer_wheel.ts";
import { WaitingLines } from "./waiting_lines.ts";

const SOCK_STREAM = 1;
const AF_UNIX = 1;

/** Longest wait for something to happen, ms: a thread that does not turn within a second counts as failed. */
const LONGEST_WAIT = 200;
/** The same while lines of the access log wait to be written. */
const LOG_WAIT = 5;
/** One piece under way, one waiting, one being received; fewer when many slow readers hold the memory. */
const DEPTH = 3;
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
/** Exceptions in one second that a thread survives. */
const MOST_CRASHES = 50;

export interface EnginePorts {
  /** Something the operator should read. */
  report(text: string): void;
  /** A server fails one request after the other. */
  evidence(evidence: Evidence): void;
  /** Has a password compared by the password thread; `routing.passwords` is told the answer. */
  compare(id: string, password: string, hash: string): void;
}

export class Engine {
  /** Monotonic ms at the beginning of this turn. */
  now = performance.now();
  readonly wheel = new TimerWheel(this.now);
  /** Where response heads are written before their place is known. */
  readonly scratch: number;
  readonly scratchSize = WIDE_SIZE;
  readonly requestChanges = new RequestChanges();
  readonly responseChanges = new ResponseChanges();
  readonly addressBytes = new ShortText();
  /** What routes share. */
  readonly routing: RoutingState;
  /** Parsers' objects for heads that come in one piece. */
  requestHead = new RequestHead();
  responseHead = new ResponseHead();
  /** Pieces waiting to be sent on a connection at which the other side is no longer received from. */
  depth = DEPTH;
  /** Queues with requests of this thread. */
  readonly waiting = new Set<Queue>();
  readonly lines: WaitingLines;
  /** Room for client connections. */
  readonly room: Room;
  readonly #requestHeads: RequestHead[] = [];
  readonly #responseHeads: ResponseHead[] = [];
  readonly #exchanges: Exchange[] = [];
  /** Addresses this node gave away: their connections end with the next response. */
  retired: ReadonlySet<string> = new Set();
  /** All connections end with their next response. */
  stopping = false;
  /** Open client connections of this thread. */
  connections = 0;
  /** null = requests are not logged, and nothing is done for it. */
  accessLog: AccessLog | null = null;
  /** Called when another thread may have made room for a connection. */
  seekRoom: () => void = () => {};
  /** Called when a client's connection ended. */
  relieved: () => void = () => {};
  /** Called when all connections have ended after `stopping` was set. */
  drained: () => void = () => {};
  #toldDrained = false;
  #running = true;
  #failure: { readonly error: unknown } | null = null;
  #crashes = 0;
  #crashSecond = 0;
  #generation = -1;
  /** Called when verdicts changed. */
  verdictsChanged: () => void = () => {};

  constructor(readonly io: Io, readonly shared: SharedState, readonly ports: EnginePorts) {
    this.lines = new WaitingLines(shared);
    this.room = new Room(shared, (thread) => this.wake(thread));
    this.scratch = io.arena.start(io.arena.take(WIDE));
    this.routing = new RoutingState(shared.buffers.rates, { compare: ports.compare, now: () => this.now });
  }

  /** Serves until `stop`. Never returns to the event loop. */
  run(): void {
    while (this.#running) this.turn();
  }

  stop(): void {
    this.#running = false;
  }

  /** Ends `run` with this error. */
  fail(error: unknown): void {
    this.#failure = { error };
  }

  /** One turn: waits, reports what happened, looks at the time. */
  turn(): void {
    this.io.wait(this.wheel.idle(this.now, this.accessLog?.pending === true ? LOG_WAIT : LONGEST_WAIT));
    this.now = performance.now();
    this.shared.beat();
    this.shared.regions = this.io.arena.used - this.io.offered;
    this.depth = this.#affordableDepth();
    try {
      this.io.report();
      this.wheel.advance(this.now);
      if (this.waiting.size > 0) this.#serveWaiting();
      if (this.room.wanted) this.seekRoom();
    } catch (error) {
      this.#survive(error);
    }
    this.accessLog?.turn(this.now);
    if (this.stopping) this.#tellDrained();
    if (this.#failure !== null) throw this.#failure.error;
    this.observeVerdicts();
  }

  /** Acts on verdicts that changed since the last time. */
  observeVerdicts(): void {
    const { generation } = this.shared;
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.verdictsChanged();
  }

  /** All connections end with their next response; `drained` is called when none is left, and none can come. */
  drain(): void {
    this.stopping = true;
    this.#toldDrained = false;
  }

  /** Goes on after all. */
  resume(): void {
    this.stopping = false;
  }

  /** Whether it may leave without taking something from anybody. */
  get isDrained(): boolean {
    return this.stopping && this.connections === 0 && !this.io.accepting;
  }

  #tellDrained(): void {
    const { isDrained } = this;
    if (isDrained && !this.#toldDrained) this.drained();
    this.#toldDrained = isDrained;
  }

  /** Makes another thread take a turn: it has something to do that it cannot see. */
  wake(thread: number): void {
    const fd = this.shared.wakeOf(thread);
    if (fd > 0) libc().write(fd, ONE, 8n);
  }

  #serveWaiting(): void {
    for (const queue of this.waiting) {
      queue.dispatch();
      if (queue.length === 0) this.waiting.delete(queue);
    }
  }

  /** Takes the limits of a new configuration. */
  limit(options: Pick<ProxyOptions, "maxconn">): void {
    this.room.most = options.maxconn;
  }

  /** A new client's connection on one of our listeners; `headerDue`: it begins with a PROXY header. */
  accepted(frontend: Frontend, fd: number, localAddress: string | null, headerDue: boolean): void {
    const connection = new ClientConnection(this, frontend, fd, localAddress);
    frontend.opened(connection);
    connection.start(headerDue);
  }

  /** A socket to a server, or −errno. */
  openSocket(domain: number): number {
    const fd = libc().socket(domain, SOCK_STREAM | this.io.socketFlags, 0);
    if (fd < 0) return -errno();
    if (domain !== AF_UNIX) setNoDelay(fd);
    return fd;
  }

  connectFailed(server: Server, cause: number): void {
    server.failed(errnoName(cause));
  }

  /** A region of at least `length` bytes, or NO_REGION. */
  takeRegion(length: number): number {
    const { arena } = this.io;
    for (const kind of [SLAB, SMALL, WIDE, LARGE]) {
      if (length > arena.sizeOf(kind)) continue;
      const region = arena.take(kind);
      if (region !== NO_REGION) return region;
    }
    return NO_REGION;
  }

  /** Moves what is left of a gathered head to the beginning of its region. */
  compact(gathered: Gathered): void {
    const { arena } = this.io;
    const start = arena.start(gathered.region);
    if (gathered.start === start) return;
    arena.bytes.copyWithin(start, gathered.start, gathered.start + gathered.length);
    gathered.start = start;
  }

  /** The client's address as text. */
  addressOf(client: ClientConnection): string {
    return client.address ??= peerAddressOf(client.fd);
  }

  /** The client's port. */
  portOf(client: ClientConnection): number {
    return client.port ??= client.relayed?.source.port ?? peerPortOf(client.fd);
  }

  /** Both ends of the client's connection, as a server is told them; null where it is gone, or has no addresses. */
  peersOf(client: ClientConnection): ProxyPeers | null {
    return client.relayed ?? connectionPeers(client.fd);
  }

  /** Whether the client's connection must end with this response. */
  retires(client: ClientConnection): boolean {
    if (this.stopping || client.frontend.retired) return true;
    if (this.retired.size === 0) return false;
    return this.retired.has(client.localAddress ??= localAddressOf(client.fd));
  }

  takeExchange(): Exchange {
    return this.#exchanges.pop() ?? new Exchange(this);
  }

  giveExchange(exchange: Exchange): void {
    this.#exchanges.push(exchange);
  }

  takeRequestHead(): RequestHead {
    return this.#requestHeads.pop() ?? new RequestHead();
  }

  giveRequestHead(head: RequestHead): void {
    this.#requestHeads.push(head);
  }

  takeResponseHead(): ResponseHead {
    return this.#responseHeads.pop() ?? new ResponseHead();
  }

  giveResponseHead(head: ResponseHead): void {
    this.#responseHeads.push(head);
  }

  #affordableDepth(): number {
    const { arena } = this.io;
    if (arena.left(SMALL) * 2 < arena.count(SMALL)) return 1;
    return arena.left(LARGE) * 2 < arena.count(LARGE) ? 2 : DEPTH;
  }

  /** An exception is a fault of ours: the connection it happened on ends, the others must not notice. */
  #survive(error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.ports.report(`A connection was dropped by an error of the engine: ${text}`);
    const second = Math.floor(this.now / 1000);
    this.#crashes = second === this.#crashSecond ? this.#crashes + 1 : 1;
    this.#crashSecond = second;
    if (this.#crashes > MOST_CRASHES) throw error;
    const culprit = this.io.culprit();
    if (culprit instanceof ClientConnection) culprit.crash();
    else culprit?.ended(104);
  }
}

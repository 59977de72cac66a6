/**
 * Which server gets the request, and the connection to it: an idle one or a new one, in the queue where all are full, at the
 * next server where one cannot be connected to, after a pause where all refused. A request is delivered at most once: it
 * goes to another server only while nothing of it was sent, and is repeated only where a connection that had served before
 * was closed without an answer to a GET, HEAD or OPTIONS without body, or where the route allows more. Then the same server
 * is asked, unless it is gone, or died on a connection that was made for the request: then another one comes first.
 */
import type { RequestHead } from "../http/mod.ts";
import { Errno, errnoName } from "../os/errno.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Exchange } from "./exchange.ts";
import { OriginConnection } from "./origin_connection.ts";
import { type Place, type Placed, Placement } from "./placement.ts";
import type { Server } from "./server.ts";
import { isGone } from "./server_verdict.ts";
import { ServerCounter } from "./shared_state.ts";

/** Before a server is tried again, ms; less where the time to connect is less. As HAProxy does it. */
const TURN_AROUND = 1000;

export class Attempts implements Placed {
  backend: Backend | null = null;
  /** The server tried last. */
  server: Server | null = null;
  readonly #placement = new Placement(this);
  /** Connections that could not be made. */
  #failed = 0;

  constructor(readonly exchange: Exchange) {}

  /** Cookie fields for the server instead of those that held our own cookie; null = as they came. */
  get cookies(): Uint8Array | null {
    return this.#placement.cookies;
  }

  /** A field for the response that makes the client come back to this server, or null. */
  get stickyField(): Uint8Array | null {
    return this.#placement.cookieFor(this.server);
  }

  /** Chooses the first server; `head` is null in `mode: tcp`. */
  begin(backend: Backend | null, head: RequestHead | null, client: ClientConnection): Place {
    this.backend = backend;
    return backend === null ? null : this.#placement.begin(backend, head, client);
  }

  /** Connects to the chosen server, or waits for one. */
  go(place: Place): void {
    if (place === "queued") this.#wait();
    else if (place !== null) this.#connect(place, this.exchange.tunnel.wanted);
    else if (this.backend === null) this.exchange.fail(404, "no_backend");
    else this.exchange.turnAway("no_server");
  }

  /** A server that was full has a place for the request that waited. */
  admitted(server: Server): void {
    this.exchange.phase = "connecting";
    this.#connect(server, this.exchange.tunnel.wanted);
  }

  /** No server is left that the request could wait for. */
  abandoned(): void {
    this.exchange.turnAway("no_server");
  }

  connectFailed(errno: number): void {
    const { exchange, server, backend } = this;
    const { engine, trace } = exchange;
    exchange.origin = null;
    if (server === null || backend === null) return;
    engine.shared.servers[server.counters + ServerCounter.connectFailures]++;
    engine.connectFailed(server, errno);
    server.erred(`cannot connect: ${errnoName(errno)}`);
    trace?.fails(server.options.name, errnoName(errno));
    const again = this.#failed++ < this.#retries;
    const next = again ? this.#placement.after(server) : null;
    if (next !== null) this.go(next);
    // Who waited in vain for the last server has waited long enough.
    else if (errno === Errno.ETIMEDOUT) exchange.fail(504, "connect_timeout");
    else if (again && backend.available) this.#pause();
    else exchange.turnAway("connect_failed");
  }

  /** The time to connect is over. */
  expired(): void {
    this.exchange.origin?.close();
    this.connectFailed(Errno.ETIMEDOUT);
  }

  /** The pause before servers are tried that refused once is over. */
  resume(): void {
    const next = this.#placement.again();
    if (next !== null) this.go(next);
    else this.exchange.turnAway("connect_failed");
  }

  /** The server closed the connection before it answered. */
  diedUnanswered(): void {
    const { exchange, server } = this;
    const { origin } = exchange;
    if (origin === null || server === null) return;
    const used = origin.uses > 0;
    const again = this.#mayAskAgain(origin);
    // A connection that it used before it may close at any time.
    if (!used) server.unanswered("the connection ended without an answer");
    else if (!again) server.broke();
    if (!again || !this.#leave(origin)) return exchange.response.refuse("server_closed_in_headers");
    // Who closed what idled is as good as before; who died of a request, or is gone, is asked last, or not at all.
    const gone = isGone(server.verdict);
    const next = gone || !used ? this.#placement.instead(server) : null;
    if (next === null && !gone) return this.#connect(server, true);
    exchange.trace?.fails(server.options.name, "closed without an answer");
    if (next === null) exchange.response.refuse("server_closed_in_headers");
    else this.go(next);
  }

  /** The server was taken out of service, and what runs there must end. */
  withdrawn(): void {
    const { exchange, server } = this;
    const { origin } = exchange;
    if (origin === null || server === null) return;
    exchange.trace?.fails(server.options.name, "taken out of service");
    if (exchange.phase === "connecting") {
      // Nothing was sent yet.
      exchange.origin = null;
      origin.close();
      return this.go(this.#placement.after(server));
    }
    const next = this.#mayAskAgain(origin) && this.#leave(origin) ? this.#placement.instead(server) : null;
    if (next === null) exchange.response.refuse("server_withdrawn");
    else this.go(next);
  }

  /** Whether a request that was sent on a connection without an answer may be sent once more. */
  #mayAskAgain(origin: OriginConnection): boolean {
    const { request, response } = this.exchange;
    const { retryable, repeatable } = request;
    request.repeatable = false;
    if (!retryable || response.begun) return false;
    return origin.uses > 0 || (repeatable && this.backend?.mayRepeat() === true);
  }

  /** Closes a connection and keeps the request for another; false if there is no memory for that. */
  #leave(origin: OriginConnection): boolean {
    const { exchange } = this;
    if (!exchange.request.saveHead(origin)) return false;
    exchange.origin = null;
    origin.close();
    exchange.request.refused = false;
    return true;
  }

  /**
   * Asks another server because of the status that this one answered with, where the route says so and nothing can be done
   * twice that must not be. false: the answer is passed on.
   */
  retryOn(status: number): boolean {
    const { exchange, server, backend } = this;
    const { origin, request } = exchange;
    const on = exchange.course.routed?.route.options?.retry.on;
    if (on === undefined || !on.includes(status)) return false;
    if (origin === null || server === null || backend === null || !request.retryable) return false;
    if (this.#failed >= this.#retries || !request.saveHead(origin) || !backend.mayRepeat()) return false;
    const next = this.#placement.instead(server);
    if (next === null) return false;
    this.#failed++;
    exchange.trace?.fails(server.options.name, `status ${status}`);
    exchange.origin = null;
    origin.close();
    request.refused = false;
    this.go(next);
    return true;
  }

  /** Ready for the next one. */
  end(): void {
    this.#placement.end();
    this.#failed = 0;
    this.backend = null;
    this.server = null;
  }

  /** Waits until a server has a place (`timeouts.queue`). */
  #wait(): void {
    const { exchange, backend } = this;
    exchange.phase = "queued";
    exchange.trace?.waits(backend?.queue.length ?? 0, exchange.engine.now);
    exchange.client?.arm(backend?.options.timeouts.queue ?? 0);
  }

  /** Every server refused: one that is being restarted may take the request in a moment. */
  #pause(): void {
    const { exchange } = this;
    exchange.phase = "pausing";
    exchange.client?.arm(Math.min(TURN_AROUND, this.#patience));
  }

  get #retries(): number {
    return this.exchange.course.routed?.route.options?.retry.attempts ?? this.backend?.options.retries ?? 0;
  }

  /** Time to connect, ms. */
  get #patience(): number {
    const { routed } = this.exchange.course;
    return routed?.route.options?.timeouts.connect ?? this.backend?.options.timeouts.connect ?? 0;
  }

  /** `fresh`: not over a connection that served before. */
  #connect(server: Server, fresh: boolean): void {
    const { exchange, backend } = this;
    const { engine, client } = exchange;
    this.server = server;
    exchange.trace?.connects(backend?.options.name ?? "", server.options.name, engine.now);
    const idle = fresh ? null : server.takeIdle();
    if (idle !== null) {
      exchange.origin = idle;
      idle.exchange = exchange;
      return exchange.request.send();
    }
    const origin = new OriginConnection(engine, server);
    exchange.phase = "connecting";
    exchange.origin = origin;
    client?.arm(this.#patience);
    const errno = origin.open(exchange, client);
    if (errno !== 0) this.connectFailed(errno);
  }
}

/**
 * A connection to a server: connecting → in use → idle → in use → … → closed. While in use everything it hears goes to
 * its exchange.
 */
import { NO_REGION } from "../os/arena.ts";
import { Errno } from "../os/errno.ts";
import type { ClientConnection } from "./client_connection.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import { type ProxyVersion, writeProxyHeader } from "./proxy_protocol.ts";
import type { Server } from "./server.ts";

/** Who talks over a connection to a server. */
export interface OriginUser {
  connected(errno: number): void;
  fromOrigin(region: number, start: number, length: number): void;
  originEnded(errno: number): void;
  /** Its server was taken out of service, and what runs there must end: nobody's fault. */
  originWithdrawn(): void;
  /** The server took something. */
  originTook(): void;
  /** Sending to the server failed; an answer may still be there. */
  originRefusesBody(): void;
}

export class OriginConnection extends Connection {
  /** Whom it serves; null = idle. */
  exchange: OriginUser | null = null;
  /** Requests sent on it before the present one. */
  uses = 0;
  /** The PROXY header is on its way; until it is, the connection does not count as made. */
  #introducing = false;
  /** Whom the connection is for. */
  #client: ClientConnection | null = null;

  constructor(engine: Engine, readonly server: Server) {
    super(engine);
  }

  /** Opens a socket and connects it, for `client` or, with null, for ourselves; answers 0 or errno. */
  open(exchange: OriginUser, client: ClientConnection | null): number {
    const fd = this.engine.openSocket(this.server.address.domain);
    if (fd < 0) return -fd;
    this.fd = fd;
    this.exchange = exchange;
    this.#client = client;
    this.server.opened(this);
    this.engine.io.open(fd, this);
    this.engine.io.connect(fd, this.server.address.start, this.server.address.length);
    return 0;
  }

  connected(errno: number): void {
    const version = this.server.options.sendProxy ?? null;
    if (errno === 0 && version !== null) return this.#introduce(version);
    this.#concludeConnect(errno);
  }

  #concludeConnect(errno: number): void {
    if (errno === 0) this.engine.io.receive(this.fd);
    this.exchange?.connected(errno);
  }

  /** Tells the server who the client is, before anybody else may send. */
  #introduce(version: ProxyVersion): void {
    const client = this.#client;
    const header = writeProxyHeader(version, client === null ? null : this.engine.peersOf(client));
    const region = this.engine.takeRegion(header.length);
    if (region === NO_REGION) return this.#concludeConnect(Errno.ENOMEM);
    const { arena } = this.engine.io;
    arena.bytes.set(header, arena.start(region));
    this.#introducing = true;
    this.push(arena.start(region), header.length, region);
  }

  received(region: number, start: number, length: number): void {
    if (this.exchange !== null) {
      this.exchange.fromOrigin(region, start, length);
      return;
    }
    // An answer that nobody asked for would be taken for the answer to the next request.
    this.engine.io.give(region);
    this.server.forgetIdle(this);
    this.close();
  }

  ended(errno: number): void {
    if (this.exchange !== null) this.exchange.originEnded(errno);
    else {
      this.server.forgetIdle(this);
      this.close();
    }
  }

  /** Idle for too long. */
  expired(): void {
    this.server.forgetIdle(this);
    this.close();
  }

  /** The exchange is over and the connection as good as new. */
  release(): void {
    this.exchange = null;
    this.uses++;
    if (this.paused) this.resume();
    this.server.keepIdle(this);
  }

  close(): void {
    if (this.fd < 0) return;
    this.exchange = null;
    this.shut(false);
    this.server.closed(this);
  }

  /** Closes with a reset, so that the server cannot take a cut request for a whole one. */
  abort(): void {
    if (this.fd < 0) return;
    this.exchange = null;
    this.shut(true);
    this.server.closed(this);
  }

  /** Its server must not be used any more. */
  withdraw(): void {
    if (this.exchange !== null) this.exchange.originWithdrawn();
    else this.close();
  }

  protected broke(errno: number): void {
    if (this.#introducing) {
      this.#introducing = false;
      return this.#concludeConnect(errno);
    }
    // An early answer may be there to be read; the end of the stream or a time-out follows.
    this.exchange?.originRefusesBody();
  }

  protected moved(): void {
    if (this.#introducing) {
      if (this.pending > 0) return;
      this.#introducing = false;
      return this.#concludeConnect(0);
    }
    this.exchange?.originTook();
  }
}

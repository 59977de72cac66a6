/**
 * The part of an exchange that is no HTTP: `mode: tcp` from its beginning, or what follows a 101. Bytes are passed on as
 * they come; a half-close is passed on when everything before it was sent.
 */
import type { Exchange } from "./exchange.ts";
import { touch } from "./patience.ts";
import { ServerCounter } from "./shared_state.ts";

export class Tunnel {
  /** The exchange is one, or will be when the server is connected to. */
  wanted = false;
  /** Ends of stream. */
  #clientDone = false;
  #originDone = false;

  constructor(readonly exchange: Exchange) {}

  /** There will be no request: what the client sends is for the server. */
  begin(): void {
    this.wanted = true;
    this.exchange.request.done = false;
  }

  /** The server was connected to. */
  open(): void {
    const { exchange } = this;
    const { attempts: { server }, engine } = exchange;
    exchange.trace?.sends(engine.now);
    if (server !== null) {
      server.reached();
      engine.shared.servers[server.counters + ServerCounter.requests]++;
    }
    this.#flow();
    this.passEnds();
    touch(exchange);
  }

  /** The server's 101 was passed on. */
  follow(): void {
    this.wanted = true;
    this.#originDone = this.#clientDone = false;
    // What the client sent behind its request was held back until now (CVE-2026-2833).
    this.#flow();
    touch(this.exchange);
  }

  fromClient(region: number, start: number, length: number): void {
    const { exchange } = this;
    const { client, origin, trace } = exchange;
    if (client === null || origin === null) return exchange.engine.io.give(region);
    if (trace !== null) trace.bytesIn += length;
    origin.push(start, length, region);
    client.pace(origin);
    touch(exchange);
  }

  fromOrigin(region: number, start: number, length: number): void {
    const { exchange } = this;
    const { client, origin } = exchange;
    if (client === null || origin === null) return exchange.engine.io.give(region);
    client.push(start, length, region);
    origin.pace(client);
    touch(exchange);
  }

  clientEnded(): void {
    this.#clientDone = true;
    this.passEnds();
  }

  originEnded(): void {
    this.#originDone = true;
    this.passEnds();
  }

  /** Half-closes are passed on when all before them was sent. */
  passEnds(): void {
    const { exchange } = this;
    const { client, origin, request } = exchange;
    if (exchange.phase !== "tunnel" || client === null || origin === null) return;
    if (this.#clientDone && !request.refused && origin.pending === 0) {
      request.refused = true;
      exchange.engine.io.finish(origin.fd);
    }
    if (!this.#originDone || client.pending > 0) return;
    if (!this.#clientDone) return exchange.engine.io.finish(client.fd);
    if (origin.pending > 0) return;
    exchange.abandon("tunnel_done");
    client.close();
  }

  /** Ready for the next one. */
  end(): void {
    this.wanted = this.#clientDone = this.#originDone = false;
  }

  #flow(): void {
    const { request } = this.exchange;
    this.exchange.phase = "tunnel";
    request.done = false;
    request.pump();
  }
}

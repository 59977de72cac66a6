/**
 * The request on its way to the server: its head, written anew and kept until the response begins, because it may have to
 * be sent once more; and its body, passed on as it comes and as fast as the server takes it.
 */
import { NO_REGION } from "../os/arena.ts";
import {
  BODY_DONE,
  BODY_MORE,
  BODY_REFUSED,
  BodyDecoder,
  type BodyOptions,
  isIdempotent,
  method as methods,
  type RequestHead,
} from "../http/mod.ts";
import type { Exchange } from "./exchange.ts";
import type { OriginConnection } from "./origin_connection.ts";
import { touch } from "./patience.ts";
import type { RouteOptions } from "./routes/options.ts";
import { giveSegment } from "./segment.ts";
import { ServerCounter } from "./shared_state.ts";

const BODY: BodyOptions = { of: "request", unchunk: false, most: Number.MAX_SAFE_INTEGER };

export class RequestRelay {
  /** What of the request the response depends on. */
  minor = 1;
  keepAlive = true;
  toHead = false;
  wantsUpgrade = false;
  expectsContinue = false;
  /** The client holds its body back until the server asks for it (100, RFC 9110 §10.1.1). */
  holdsBack = false;
  /** The head as it goes to the server; kept until the response begins. */
  headRegion = NO_REGION;
  headStart = 0;
  headLength = 0;
  /** All of the request was passed on. */
  done = true;
  /** The server takes no more of it. */
  refused = false;
  /** May be repeated when a connection that had served before died. */
  retryable = false;
  /** May be repeated on a fresh connection too, as the route says. */
  repeatable = false;
  /** When it was sent, monotonic ms. */
  sentAt = 0;
  readonly #body = new BodyDecoder();

  constructor(readonly exchange: Exchange) {}

  begin(head: RequestHead): void {
    this.minor = head.minor;
    this.keepAlive = head.keepAlive;
    this.toHead = head.method === methods.HEAD;
    this.wantsUpgrade = head.upgrade;
    this.expectsContinue = this.holdsBack = head.expectContinue;
    this.#body.begin(head.framing, head.contentLength, BODY);
    this.done = this.#body.state === BODY_DONE;
    const safe = head.method === methods.GET || this.toHead || head.method === methods.OPTIONS;
    this.retryable = safe && this.done;
  }

  /** What a route says about bodies and retries. */
  obey({ bodyLimit, retry: { repeat } }: RouteOptions, head: RequestHead): void {
    if (bodyLimit !== null) this.#body.begin(head.framing, head.contentLength, { ...BODY, most: bodyLimit });
    if (repeat === "never") this.retryable = false;
    else if (repeat === "idempotent" && isIdempotent(head.method) && this.done) {
      this.retryable = this.repeatable = true;
    }
  }

  /** Whether bytes from the client go to the server now. */
  get takes(): boolean {
    if (this.done || this.refused) return false;
    const { phase } = this.exchange;
    return phase === "waiting" || phase === "streaming" || phase === "tunnel";
  }

  /** Whether the server goes on taking the request, asked when a time-out is over: a body may lie in the kernel yet. */
  stillTaken(): boolean {
    const { origin } = this.exchange;
    if (origin === null) return false;
    return this.#body.payload > 0 ? origin.stillTakesAll() : origin.stillTakes();
  }

  /** Sends the head to the server, and what there is of the body. */
  send(): void {
    const { exchange } = this;
    const { origin, trace, attempts: { server }, engine } = exchange;
    if (origin === null || server === null) return;
    exchange.phase = "waiting";
    trace?.sends(engine.now);
    this.sentAt = engine.now;
    engine.shared.servers[server.counters + ServerCounter.requests]++;
    origin.retained = this.headRegion;
    origin.push(this.headStart, this.headLength, this.headRegion);
    if (!this.done) this.pump();
    touch(exchange);
  }

  fromClient(region: number, start: number, length: number): void {
    const { exchange } = this;
    const { client, origin, trace, engine } = exchange;
    if (client === null || origin === null) return engine.io.give(region);
    const body = this.#body;
    this.holdsBack = false;
    const used = body.decode(engine.io.arena.bytes, start, start + length);
    if (trace !== null) trace.bytesIn += used;
    const passed = body.outEnd - start;
    if (used < length && body.state === BODY_DONE) {
      this.#unread(region, start + used, length - used, passed > 0);
    }
    if (passed > 0) origin.push(start, passed, region);
    else if (used === length || body.state !== BODY_DONE) engine.io.give(region);
    switch (body.state) {
      case BODY_MORE:
        if (client.stashed.count === 0) client.pace(origin);
        return touch(exchange);
      case BODY_DONE:
        this.#finish();
        return touch(exchange);
      case BODY_REFUSED:
        // The server must not take what it has for a whole request.
        if (trace !== null) trace.detail = body.refusal?.text ?? "";
        if (exchange.phase === "streaming") return exchange.break("client_bad_body");
        exchange.drop(true);
        return exchange.fail(body.refusal?.status ?? 400, "client_bad_body");
    }
  }

  /** Passes on what the client sent ahead, and lets it send more. */
  pump(): void {
    const { exchange } = this;
    const { client, origin } = exchange;
    if (client === null || origin === null) return;
    while (this.takes && !origin.full) {
      const segment = client.stashed.take();
      if (segment === null) break;
      const { region, start, length } = segment;
      giveSegment(segment);
      exchange.fromClient(region, start, length);
    }
    if (this.takes && client.paused && !origin.full && client.stashed.count === 0) client.resume();
  }

  /** Makes sure that the head survives closing `origin`; false if there is no memory for that. */
  saveHead(origin: OriginConnection): boolean {
    if (!origin.isSending(this.headRegion)) return true;
    const { engine } = this.exchange;
    const copy = engine.takeRegion(this.headLength);
    if (copy === NO_REGION) return false;
    const { arena } = engine.io;
    const start = arena.start(copy);
    arena.bytes.copyWithin(start, this.headStart, this.headStart + this.headLength);
    this.headRegion = copy;
    this.headStart = start;
    return true;
  }

  releaseHead(): void {
    const region = this.headRegion;
    if (region === NO_REGION) return;
    this.headRegion = NO_REGION;
    const { origin, engine } = this.exchange;
    if (origin !== null) {
      origin.retained = NO_REGION;
      // Then it is given back when it was sent, or by the Io.
      if (origin.isSending(region)) return;
    }
    engine.io.give(region);
  }

  /** Ready for the next one. */
  end(): void {
    this.releaseHead();
    this.repeatable = this.refused = this.holdsBack = false;
    this.done = true;
  }

  #finish(): void {
    this.done = true;
    const { exchange } = this;
    const { tail, tailEnd } = this.#body;
    if (tailEnd > 0) exchange.pushTail(exchange.origin, tail, tailEnd);
    const { client } = exchange;
    // From here on we listen for the client going away, and for its next request.
    if (client !== null && client.paused) client.resume();
  }

  /** Bytes behind the body belong to the next request; where the body's region goes away, they need one of their own. */
  #unread(region: number, start: number, length: number, copy: boolean): void {
    const { client, engine } = this.exchange;
    if (client === null) return;
    if (!copy) return client.stashed.putBack(region, start, length);
    const own = engine.takeRegion(length);
    if (own === NO_REGION) {
      this.keepAlive = false;
      return;
    }
    const { arena } = engine.io;
    arena.bytes.copyWithin(arena.start(own), start, start + length);
    client.stashed.putBack(own, arena.start(own), length);
  }
}

/**
 * The response on its way to the client. Its head is parsed where it was received, gathered first where it comes in pieces;
 * interim responses are passed on before it; its body follows as it comes and as fast as the client takes it.
 */
import {
  BODY_DONE,
  BODY_MORE,
  BODY_REFUSED,
  BodyDecoder,
  type BodyOptions,
  BY_CLOSE,
  DOES_NOT_FIT,
  endsConnection,
  NEED_MORE,
  parseResponse,
  REFUSED,
  type ResponseHead,
  unchunks,
} from "../http/mod.ts";
import { NO_REGION } from "../os/arena.ts";
import type { End } from "./access_log/end.ts";
import type { Exchange } from "./exchange.ts";
import { gather, type Gathered } from "./gather.ts";
import { writeInterimHead, writeResponseHead } from "./heads.ts";
import { touch } from "./patience.ts";

const BODY: BodyOptions = { of: "response", unchunk: false, most: Number.MAX_SAFE_INTEGER };
const UNCHUNKED_BODY: BodyOptions = { of: "response", unchunk: true, most: Number.MAX_SAFE_INTEGER };

export class ResponseRelay {
  /** The client's connection ends with this response. */
  closes = false;
  /** The server's connection may serve again. */
  reusable = false;
  /** For the client the response ends with its connection. */
  byClose = false;
  readonly #body = new BodyDecoder();
  /** A head that came in pieces, and its parser's state. */
  #head: ResponseHead | null = null;
  #gathered: Gathered | null = null;
  /** Interim responses that go out together: each in a buffer of its own, a piece full of them would take thousands. */
  #interim = NO_REGION;
  #interimEnd = 0;

  constructor(readonly exchange: Exchange) {}

  /** Whether a part of its head is there. */
  get begun(): boolean {
    return this.#gathered !== null;
  }

  /** Reads on until the head is whole. */
  parse(region: number, start: number, length: number): void {
    const { exchange } = this;
    const { engine } = exchange;
    const { bytes } = engine.io.arena;
    let head = this.#head;
    let from = start;
    let end = start + length;
    let interim = false;
    if (head === null) {
      head = engine.responseHead;
      head.reset();
    } else {
      const gathered = gather(engine, this.#gathered, region, start, length);
      this.#gathered = gathered;
      if (gathered === null) return this.refuse();
      region = gathered.region;
      from = gathered.start;
      end = from + gathered.length;
    }
    for (;;) {
      const answer = parseResponse(head, bytes, from, end, exchange.request.toHead);
      if (answer === NEED_MORE) {
        if (interim) this.#sendInterim();
        return this.#wait(head, region, from, end);
      }
      if (answer === REFUSED) {
        if (interim) this.#sendInterim();
        if (this.#gathered === null) engine.io.give(region);
        exchange.attempts.server?.unanswered("the answer was not valid HTTP");
        if (exchange.trace !== null) exchange.trace.detail = head.refusal?.text ?? "";
        return this.refuse();
      }
      from += answer;
      if (!head.interim) break;
      interim = true;
      this.#relayInterim(head);
      head.reset();
    }
    if (interim) this.#sendInterim();
    this.#gathered = null;
    const partial = this.#head;
    this.#head = null;
    this.#begin(head, region, from, end);
    if (partial !== null) engine.giveResponseHead(partial);
  }

  /** Passes on a piece of the body. */
  relay(region: number, start: number, end: number): void {
    const { client, engine } = this.exchange;
    if (client === null) return engine.io.give(region);
    const body = this.#body;
    const used = body.decode(engine.io.arena.bytes, start, end);
    if (body.outEnd > start) client.push(start, body.outEnd - start, region);
    else engine.io.give(region);
    this.#afterBody(used < end - start);
  }

  /** Whether the server's closing is the end of the body. */
  endOfStream(): boolean {
    return this.#body.endOfStream();
  }

  /** No usable answer. */
  refuse(end: End = "server_bad_response"): void {
    this.exchange.drop();
    this.exchange.fail(502, end);
  }

  /** Ready for the next one. */
  end(): void {
    const { engine } = this.exchange;
    if (this.#gathered !== null) engine.io.give(this.#gathered.region);
    if (this.#head !== null) engine.giveResponseHead(this.#head);
    if (this.#interim !== NO_REGION) engine.io.give(this.#interim);
    this.#gathered = null;
    this.#head = null;
    this.#interim = NO_REGION;
    this.reusable = false;
  }

  #wait(head: ResponseHead, region: number, from: number, end: number): void {
    const { exchange } = this;
    const { engine, client, origin } = exchange;
    // Interim responses without end must not fill the memory for a client that does not read them.
    if (client !== null && origin !== null) origin.pace(client);
    touch(exchange);
    if (this.#head === null) {
      this.#head = head;
      engine.responseHead = engine.takeResponseHead();
    }
    const gathered = this.#gathered;
    if (gathered !== null) {
      // Interim responses in front of this head have been passed on.
      gathered.start = from;
      gathered.length = end - from;
      engine.compact(gathered);
      return;
    }
    this.#gathered = gather(engine, null, region, from, end - from);
    if (this.#gathered === null) this.refuse();
  }

  /** 1xx (RFC 9110 §15.2): never to HTTP/1.0, and a 100 only where it was asked for. */
  #relayInterim(head: ResponseHead): void {
    const { client, request, engine } = this.exchange;
    if (client === null || request.minor === 0) return;
    if (head.status === 100) {
      if (!request.expectsContinue) return;
      request.expectsContinue = request.holdsBack = false;
    }
    client.frontend.countResponse(head.status);
    const { arena } = engine.io;
    const held = this.#interim;
    if (held !== NO_REGION) {
      const end = writeInterimHead(engine, head, this.#interimEnd, arena.start(held) + arena.size(held));
      if (end !== DOES_NOT_FIT) {
        this.#interimEnd = end;
        return;
      }
      this.#sendInterim();
    }
    const region = engine.takeRegion(head.length + 512);
    if (region === NO_REGION) return;
    const start = arena.start(region);
    const end = writeInterimHead(engine, head, start, start + arena.size(region));
    if (end === DOES_NOT_FIT) return engine.io.give(region);
    this.#interim = region;
    this.#interimEnd = end;
  }

  /** Sends the interim responses that were written. */
  #sendInterim(): void {
    const region = this.#interim;
    if (region === NO_REGION) return;
    this.#interim = NO_REGION;
    const { client, engine } = this.exchange;
    const start = engine.io.arena.start(region);
    if (client === null) engine.io.give(region);
    else client.push(start, this.#interimEnd - start, region);
  }

  #begin(head: ResponseHead, region: number, bodyStart: number, end: number): void {
    const { exchange } = this;
    const { client, origin, request, engine } = exchange;
    if (client === null || origin === null) return engine.io.give(region);
    origin.server.answered(head.status, engine.now - request.sentAt);
    if (head.status === 101) return this.#switch(head, region, bodyStart, end);
    if (exchange.attempts.retryOn(head.status)) return engine.io.give(region);
    request.releaseHead();
    client.frontend.countResponse(head.status);
    exchange.trace?.answers(head.status, engine.now);
    this.reusable = head.keepAlive;
    const body = this.#body;
    const unchunk = unchunks(head, request.minor);
    this.byClose = unchunk || head.framing === BY_CLOSE;
    body.begin(head.framing, head.contentLength, unchunk ? UNCHUNKED_BODY : BODY);
    const used = body.decode(engine.io.arena.bytes, bodyStart, end);
    // An answer before the end of the request mostly means that the rest is not wanted; a whole one always does.
    const early = !request.done && (head.status >= 300 || body.state === BODY_DONE);
    this.closes = endsConnection(head, request.minor, request.keepAlive) || early || engine.retires(client);
    const extra = used < end - bodyStart;
    if (!writeResponseHead(engine, exchange, client, head, region, bodyStart, body.outEnd)) return this.refuse();
    exchange.phase = "streaming";
    this.#afterBody(extra);
  }

  /** A piece of the response was passed on; `extra`: bytes behind its end came along. */
  #afterBody(extra: boolean): void {
    const { exchange } = this;
    const { client, origin } = exchange;
    if (client === null || origin === null) return;
    const body = this.#body;
    switch (body.state) {
      case BODY_MORE:
        origin.pace(client);
        return touch(exchange);
      case BODY_DONE:
        // Bytes that nobody asked for must never be taken for the next answer.
        if (extra) this.reusable = false;
        if (body.tailEnd > 0) exchange.pushTail(client, body.tail, body.tailEnd);
        return exchange.complete();
      case BODY_REFUSED:
        if (exchange.trace !== null) exchange.trace.detail = body.refusal?.text ?? "";
        origin.server.broke();
        return exchange.break("server_bad_body");
    }
  }

  /** 101: the connection leaves HTTP, if the client wanted that. */
  #switch(head: ResponseHead, region: number, bodyStart: number, end: number): void {
    const { exchange } = this;
    const { client, request, engine } = exchange;
    if (client === null || !request.wantsUpgrade || !head.upgrade) {
      engine.io.give(region);
      return this.refuse();
    }
    request.releaseHead();
    client.frontend.countResponse(101);
    exchange.trace?.answers(101, engine.now);
    this.closes = false;
    exchange.tunnel.wanted = true;
    if (!writeResponseHead(engine, exchange, client, head, region, bodyStart, end)) return this.refuse();
    exchange.tunnel.follow();
  }
}

/**
 * A client's connection:
 *
 *   opening (PROXY header, ClientHello; only where either is asked for)
 *       ▼
 *     idle ──bytes──▶ head ──whole──▶ exchange ──answered──▶ idle
 *       │               │refused,        │ 101, mode: tcp
 *       │               │late            └──────▶ exchange as a tunnel
 *       │                                └──an answer of a route──▶ replying ──sent──▶ idle
 *       └──▶ closed ◀── flushing ◀── another answer of ours, or the last of the origin's
 *
 * flushing: what was queued is sent, then our stream is ended; bytes of a request that nobody reads any more are thrown
 * away for a while, because closing at once would reset the connection and take the answer from the client.
 */
import { NO_REGION } from "../os/arena.ts";
import { canned, type RequestHead } from "../http/mod.ts";
import type { End } from "./access_log/end.ts";
import type { Backend } from "./backend.ts";
import { ClientPeer } from "./client_peer.ts";
import { Exchange } from "./exchange.ts";
import type { Gathered } from "./gather.ts";
import { backendFor, Opening, OPENING_LIMIT } from "./opening.ts";
import { RequestReader } from "./request_reader.ts";
import { type Answer, answerHead, mayHaveBody } from "./routes/answer.ts";
import { giveSegment } from "./segment.ts";
import { FrontendCounter } from "./shared_state.ts";
import { Stash } from "./stash.ts";

type Phase = "opening" | "idle" | "head" | "exchange" | "replying" | "flushing" | "closed";

/** How long bytes of an abandoned request are thrown away, ms. */
const LINGER = 2000;
/** Pieces that are stashed before the client is no longer received from. */
const STASH = 2;
const NO_BYTES = new Uint8Array(0);

/** How a route's answer is framed, and whether the connection stays behind it. */
interface ReplyOptions {
  readonly toHead: boolean;
  readonly minor: number;
  readonly close: boolean;
  /** There may be more of the request to come. */
  readonly linger: boolean;
}

export class ClientConnection extends ClientPeer {
  phase: Phase = "idle";
  /** It has made a request. */
  asked = false;
  #exchange: Exchange | null = null;
  readonly #reader: RequestReader = new RequestReader(this);
  /** Bytes behind the head: of its body until the origin takes them, or of the next request. */
  readonly stashed: Stash = new Stash();
  /** How to close when everything is sent: late, so that our answer is not cut off, or with a reset. */
  #linger = false;
  #reset = false;

  /** Begins. `headerDue`: a PROXY header comes before anything else. */
  start(headerDue: boolean): void {
    const { engine, frontend } = this;
    engine.io.open(this.fd, this);
    engine.io.receive(this.fd);
    if (!headerDue && frontend.tcpRoutes?.byName !== true) {
      return this.serve(frontend.options.mode === "tcp" ? backendFor(engine, frontend, null, this) : null, null);
    }
    this.phase = "opening";
    this.opening = new Opening(engine, this, headerDue);
    this.arm(OPENING_LIMIT);
  }

  /** Serves: HTTP waits for a request, TCP connects onward at once, to `backend`. `first` came already. */
  serve(backend: Backend | null, first: Gathered | null): void {
    if (this.frontend.options.mode === "tcp") {
      if (first !== null) this.stashed.add(first.region, first.start, first.length);
      this.phase = "exchange";
      this.#exchange = this.engine.takeExchange();
      this.#exchange.trace = this.engine.accessLog?.begin(this, null, this.engine.now) ?? null;
      this.#exchange.startTunnel(this, backend);
      return;
    }
    this.phase = "idle";
    this.arm(this.frontend.options.timeouts.httpRequest);
    if (first !== null) this.received(first.region, first.start, first.length);
  }

  /** Closes or answers unless something happens within `ms`. */
  arm(ms: number): void {
    this.engine.wheel.arm(this, this.engine.now + ms);
  }

  received(region: number, start: number, length: number): void {
    this.frontend.count(FrontendCounter.bytesIn, length);
    switch (this.phase) {
      case "opening":
        return this.opening?.received(region, start, length);
      case "idle":
      case "head":
        return this.#reader.received(region, start, length);
      case "replying":
        return this.stash(region, start, length);
      case "exchange":
        // Not past what is stashed: the order is what makes it a body.
        if (this.stashed.count === 0 && this.#exchange?.takesBody === true) {
          this.#exchange.fromClient(region, start, length);
        } else this.stash(region, start, length);
        return;
      case "flushing":
        this.engine.io.give(region);
    }
  }

  /** A part of a head is there: the rest must come in time. */
  awaitHead(): void {
    this.phase = "head";
    this.arm(this.frontend.options.timeouts.httpRequest);
  }

  /** A head is whole: its request begins. `[bodyStart, end)` of `region` follows it. */
  begin(head: RequestHead, region: number, bodyStart: number, end: number): void {
    const log = this.engine.accessLog;
    const trace = log === null ? null : log.begin(this, head, this.#reader.began);
    this.phase = "exchange";
    this.asked = true;
    this.frontend.count(FrontendCounter.requests, 1);
    const exchange = this.engine.takeExchange();
    this.#exchange = exchange;
    exchange.trace = trace;
    exchange.start(this, head, region, bodyStart, end);
  }

  ended(errno: number): void {
    switch (this.phase) {
      case "exchange":
        this.#exchange?.clientEnded(errno);
        return;
      case "flushing":
        if (this.pending === 0) this.close();
        else this.#linger = false;
        return;
      case "head":
        this.#reader.ended();
        return;
      default:
        if (errno !== 0 || this.pending === 0) return this.close();
        // It will ask no more, but reads what it asked for; more than this end of its stream is not to be waited for.
        this.finish(false);
        this.#linger = false;
    }
  }

  connected(_errno: number): void {}

  expired(): void {
    switch (this.phase) {
      case "opening":
        return this.opening?.expired();
      case "head":
        this.#reader.expired();
        return;
      case "exchange":
        this.#exchange?.expired();
        return;
      case "idle":
      case "replying":
      case "flushing":
        if (this.stillTakes()) this.arm(this.frontend.options.timeouts.client);
        else this.close(this.pending > 0);
    }
  }

  /** Keeps bytes until the exchange takes them or the next request is parsed. */
  stash(region: number, start: number, length: number): void {
    this.stashed.add(region, start, length);
    if (this.stashed.count >= STASH) this.pause();
  }

  /** Puts back `[start, end)` of what was received, if anything is left of it. */
  unread(region: number, start: number, end: number): void {
    if (start < end) this.stashed.putBack(region, start, end - start);
    else if (region !== NO_REGION) this.engine.io.give(region);
  }

  /** Answers with a status of our own and ends the connection; `linger`: there may be more of the request to come. */
  answer(status: number, toHead = false, linger = true): void {
    this.frontend.countResponse(status);
    if (this.pushCopy(canned(status, { close: true, toHead }))) this.finish(linger);
    else this.close();
  }

  /** Answers with what a route says; the connection stays unless it is to close. */
  reply(answer: Answer, { toHead, minor, close, linger }: ReplyOptions): void {
    this.frontend.countResponse(answer.status);
    this.#exchange = null;
    const head = answerHead(answer, { close, toHead, clientMinor: minor });
    const body = toHead || !mayHaveBody(answer.status) ? NO_BYTES : answer.body;
    if (!this.pushCopy(head) || !this.pushCopy(body)) return this.close(true);
    if (close) return this.finish(linger);
    // What came ahead waits: a client that never reads must not fill our memory with answers.
    this.phase = "replying";
    this.arm(this.frontend.options.timeouts.client);
  }

  /**
   * Sends what is queued, then closes; `linger`: the client may still be sending; `reset`: it must not take what it has
   * for the whole.
   */
  finish(linger: boolean, reset = false): void {
    this.#exchange = null;
    this.#reader.end();
    const unread = this.stashed.clear(this.engine.io);
    this.phase = "flushing";
    this.#linger = (linger || unread) && !reset;
    this.#reset = reset;
    this.arm(this.frontend.options.timeouts.client);
    if (this.pending === 0) this.#flushed();
    else if (this.paused) this.resume();
  }

  /** The exchange is over and the connection stays. */
  proceed(): void {
    this.#exchange = null;
    this.phase = "idle";
    this.#armIdle();
    // What came ahead is parsed in its order, until it is used up or makes a request.
    while (this.phase === "idle" || this.phase === "head") {
      const segment = this.stashed.take();
      if (segment === null) break;
      const { region, start, length } = segment;
      giveSegment(segment);
      this.#reader.received(region, start, length);
    }
    if (this.fd >= 0 && this.paused && this.stashed.count < STASH) this.resume();
  }

  /** A client that still takes the last response is not idle yet. */
  #armIdle(): void {
    const { keepAlive, client } = this.frontend.options.timeouts;
    this.arm(this.pending > 0 ? client : keepAlive);
  }

  /** Closes at once. `reset`: the client must not take what it has for a whole message. */
  close(reset = false): void {
    if (this.phase === "closed") return;
    this.phase = "closed";
    this.#exchange = null;
    this.opening?.end();
    this.#reader.end();
    this.stashed.clear(this.engine.io);
    this.shut(reset);
    this.frontend.closed(this);
  }

  /** We cannot go on with it: nothing can be said of what was sent. */
  crash(end: End = "engine_fault"): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.abandon(end);
    this.close(true);
  }

  protected override tookBytes(length: number): void {
    this.frontend.count(FrontendCounter.bytesOut, length);
  }

  protected broke(errno: number): void {
    if (this.phase === "exchange") this.#exchange?.clientEnded(errno);
    else this.close();
  }

  protected moved(): void {
    if (this.phase === "exchange") this.#exchange?.clientTook();
    else if (this.phase === "idle") this.#armIdle();
    else if (this.phase === "replying") {
      if (this.pending === 0) this.proceed();
      else this.arm(this.frontend.options.timeouts.client);
    } else if (this.phase === "flushing") {
      if (this.pending === 0) this.#flushed();
      else this.arm(this.frontend.options.timeouts.client);
    }
  }

  #flushed(): void {
    if (!this.#linger) return this.close(this.#reset);
    this.engine.io.finish(this.fd);
    this.arm(LINGER);
    if (this.paused) this.resume();
  }
}

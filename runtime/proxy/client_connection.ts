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
import type { Address, Cidr } from "../bytes/address.ts";
import { NO_REGION } from "../os/arena.ts";
import { canned, NEED_MORE, parseRequest, REFUSED, type RequestHead } from "../http/mod.ts";
import type { End } from "./access_log/end.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import { Exchange } from "./exchange.ts";
import type { Frontend } from "./frontend.ts";
import { gather, type Gathered } from "./gather.ts";
import { backendFor, Opening, OPENING_LIMIT } from "./opening.ts";
import type { ProxyPeers } from "./proxy_protocol.ts";
import type { Backend } from "./backend.ts";
import { type Answer, answerHead, mayHaveBody } from "./routes/answer.ts";
import type { Peer } from "./routes/request_facts.ts";
import { giveSegment, type Segment, takeSegment } from "./segment.ts";
import { FrontendCounter } from "./shared_state.ts";

type Phase = "opening" | "idle" | "head" | "exchange" | "replying" | "flushing" | "closed";

/** How long bytes of an abandoned request are thrown away, ms. */
const LINGER = 2000;

/** How a route's answer is framed, and whether the connection stays behind it. */
interface ReplyOptions {
  readonly toHead: boolean;
  readonly minor: number;
  readonly close: boolean;
  /** There may be more of the request to come. */
  readonly linger: boolean;
}

/** Most octets of a piece of an answer of ours. */
const PIECE = 16 * 1024;
const NO_BYTES = new Uint8Array(0);

export class ClientConnection extends Connection implements Peer {
  phase: Phase = "idle";
  /** The client's address as text, made when first needed. */
  address: string | null = null;
  /** The same, parsed when a rule first asked for it; null where it is no IP address. */
  parsedAddress: Address | null | undefined = undefined;
  /** The address it connected to; null on a wildcard listener, until asked. */
  localAddress: string | null;
  /** The client's port, when the access log has asked. */
  port: number | null = null;
  #exchange: Exchange | null = null;
  #opening: Opening | null = null;
  /** A head that came in pieces, and its parser's state. */
  #head: RequestHead | null = null;
  #gathered: Gathered | null = null;
  /** Bytes behind the head: of its body until the origin takes them, or of the next request. */
  #first: Segment | null = null;
  #last: Segment | null = null;
  #stashed = 0;
  /** How to close when everything is sent: late, so that our answer is not cut off, or with a reset. */
  #linger = false;
  #reset = false;
  /** When a head that came in pieces began, where that is logged. */
  #began = 0;

  constructor(engine: Engine, readonly frontend: Frontend, fd: number, localAddress: string | null) {
    super(engine);
    this.fd = fd;
    this.localAddress = localAddress;
  }

  /** Address of whoever sent the request, as text, valid until the next one is asked for. A trusted proxy says whose it is. */
  ipOf(head: RequestHead | null): Uint8Array {
    const { engine, frontend } = this;
    const direct = head === null || frontend.trustedProxies.length === 0;
    return engine.addressBytes.of(direct ? engine.addressOf(this) : engine.routing.facts.begin(head, this).clientText);
  }

  /** As routes know it. */
  get addressText(): string {
    return this.engine.addressOf(this);
  }

  get scheme(): "http" | "https" {
    return "http";
  }

  /** Both ends as a PROXY header told them; null where there was none. */
  get relayed(): ProxyPeers | null {
    return this.#opening?.peers ?? null;
  }

  get trusted(): readonly Cidr[] {
    return this.frontend.trustedProxies;
  }

  /** Begins. `headerDue`: a PROXY header comes before anything else. */
  start(headerDue: boolean): void {
    const { engine, frontend } = this;
    engine.io.open(this.fd, this);
    engine.io.receive(this.fd);
    if (!headerDue && frontend.tcpRoutes?.byName !== true) {
      return this.serve(frontend.options.mode === "tcp" ? backendFor(engine, frontend, null, this) : null, null);
    }
    this.phase = "opening";
    this.#opening = new Opening(engine, this, headerDue);
    this.arm(OPENING_LIMIT);
  }

  /** Serves: HTTP waits for a request, TCP connects onward at once, to `backend`. `first` came already. */
  serve(backend: Backend | null, first: Gathered | null): void {
    if (this.frontend.options.mode === "tcp") {
      if (first !== null) this.unread(first.region, first.start, first.length);
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
        return this.#opening?.received(region, start, length);
      case "idle":
        this.#parse(region, start, start + length);
        return;
      case "head":
        this.#parseMore(region, start, length);
        return;
      case "replying":
        return this.stash(region, start, length);
      case "exchange":
        // Not past what is stashed: the order is what makes it a body.
        if (this.#stashed === 0 && this.#exchange?.takesBody === true) this.#exchange.fromClient(region, start, length);
        else this.stash(region, start, length);
        return;
      case "flushing":
        this.engine.io.give(region);
    }
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
        if (this.#head?.begun === true) this.#logHead("client_closed_in_headers");
        this.close();
        return;
      default:
        this.close();
    }
  }

  connected(_errno: number): void {}

  expired(): void {
    switch (this.phase) {
      case "opening":
        return this.#opening?.expired();
      case "idle":
        if (this.stillTakes()) this.arm(this.frontend.options.timeouts.client);
        else this.close(this.pending > 0);
        return;
      case "head":
        this.#answerHead(408, "client_timeout_in_headers");
        return;
      case "exchange":
        this.#exchange?.expired();
        return;
      case "replying":
      case "flushing":
        if (this.stillTakes()) this.arm(this.frontend.options.timeouts.client);
        else this.close();
    }
  }

  /** Whether bytes wait here that came before any that are still to be received. */
  get stashes(): boolean {
    return this.#stashed > 0;
  }

  /** Keeps bytes until the exchange takes them or the next request is parsed. */
  stash(region: number, start: number, length: number): void {
    const segment = takeSegment(start, length, region);
    if (this.#last === null) this.#first = segment;
    else this.#last.next = segment;
    this.#last = segment;
    if (++this.#stashed >= 2) this.pause();
  }

  /** Puts bytes back in front of what is stashed. */
  unread(region: number, start: number, length: number): void {
    const segment = takeSegment(start, length, region);
    segment.next = this.#first;
    this.#first = segment;
    if (this.#last === null) this.#last = segment;
    this.#stashed++;
  }

  /** The oldest stashed bytes, or null. The caller gives the segment back. */
  unstash(): Segment | null {
    const segment = this.#first;
    if (segment === null) return null;
    this.#first = segment.next;
    if (this.#first === null) this.#last = null;
    this.#stashed--;
    return segment;
  }

  /** Answers with a status of our own and ends the connection; `linger`: there may be more of the request to come. */
  answer(status: number, toHead = false, linger = true): void {
    const { arena } = this.engine.io;
    const bytes = canned(status, { close: true, toHead });
    const region = this.engine.takeRegion(bytes.length);
    this.frontend.countResponse(status);
    if (region === NO_REGION) return this.close();
    const start = arena.start(region);
    arena.bytes.set(bytes, start);
    this.push(start, bytes.length, region);
    this.finish(linger);
  }

  /** Answers with what a route says; the connection stays unless it is to close. */
  reply(answer: Answer, { toHead, minor, close, linger }: ReplyOptions): void {
    this.frontend.countResponse(answer.status);
    this.#exchange = null;
    const head = answerHead(answer, { close, toHead, clientMinor: minor });
    const body = toHead || !mayHaveBody(answer.status) ? NO_BYTES : answer.body;
    if (!this.#pushBytes(head) || !this.#pushBytes(body)) return this.close(true);
    if (close) return this.finish(linger);
    // What came ahead waits: a client that never reads must not fill our memory with answers.
    this.phase = "replying";
    this.arm(this.frontend.options.timeouts.client);
  }

  #pushBytes(bytes: Uint8Array): boolean {
    const { arena } = this.engine.io;
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      const region = this.engine.takeRegion(piece.length);
      if (region === NO_REGION) return false;
      arena.bytes.set(piece, arena.start(region));
      this.push(arena.start(region), piece.length, region);
    }
    return true;
  }

  /**
   * Sends what is queued, then closes; `linger`: the client may still be sending; `reset`: it must not take what it has
   * for the whole.
   */
  finish(linger: boolean, reset = false): void {
    this.#exchange = null;
    this.#forgetHead();
    const unread = this.#dropStash();
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
      const segment = this.unstash();
      if (segment === null) break;
      const { region, start, length } = segment;
      giveSegment(segment);
      if (this.phase === "idle") this.#parse(region, start, start + length);
      else this.#parseMore(region, start, length);
    }
    if (this.fd >= 0 && this.paused && this.#stashed < 2) this.resume();
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
    this.#opening?.end();
    this.#forgetHead();
    this.#dropStash();
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

  #parse(region: number, start: number, end: number): void {
    const head = this.engine.requestHead;
    head.reset();
    const length = parseRequest(head, this.engine.io.arena.bytes, start, end, this.frontend.limits);
    if (length > 0) {
      this.#begin(head, region, start + length, end);
      return;
    }
    if (length === REFUSED) {
      this.engine.io.give(region);
      this.#refuse(head);
      return;
    }
    // The parser remembers how far it came: its object stays with this connection until the head is whole.
    this.#head = head;
    this.engine.requestHead = this.engine.takeRequestHead();
    this.phase = "head";
    if (this.engine.accessLog !== null) this.#began = this.engine.now;
    this.arm(this.frontend.options.timeouts.httpRequest);
    this.#gathered = gather(this.engine, null, region, start, end - start);
    if (this.#gathered === null) this.close();
  }

  #parseMore(region: number, start: number, length: number): void {
    const head = this.#head;
    const gathered = gather(this.engine, this.#gathered, region, start, length);
    this.#gathered = gathered;
    if (gathered === null || head === null) return this.close();
    const end = gathered.start + gathered.length;
    const answer = parseRequest(head, this.engine.io.arena.bytes, gathered.start, end, this.frontend.limits);
    if (answer === NEED_MORE) return;
    if (answer === REFUSED) return this.#refuse(head);
    this.#gathered = null;
    this.#head = null;
    this.#begin(head, gathered.region, gathered.start + answer, end);
    this.engine.giveRequestHead(head);
  }

  #begin(head: RequestHead, region: number, bodyStart: number, end: number): void {
    const log = this.engine.accessLog;
    const trace = log === null ? null : log.begin(this, head, this.#headBegan);
    this.phase = "exchange";
    this.frontend.count(FrontendCounter.requests, 1);
    const exchange = this.engine.takeExchange();
    this.#exchange = exchange;
    exchange.trace = trace;
    exchange.start(this, head, region, bodyStart, end);
  }

  #refuse(head: RequestHead): void {
    this.frontend.count(FrontendCounter.requests, 1);
    this.#answerHead(head.refusal?.status ?? 400, "client_bad_request", head.refusal?.text);
  }

  /** Answers what is no request. */
  #answerHead(status: number, end: End, detail = ""): void {
    const log = this.engine.accessLog;
    const trace = log === null ? null : log.begin(this, null, this.#headBegan);
    this.answer(status);
    if (log === null || trace === null) return;
    trace.status = status;
    trace.detail = detail;
    log.end(trace, end, this, null);
  }

  #logHead(end: End): void {
    const log = this.engine.accessLog;
    if (log !== null) log.end(log.begin(this, null, this.#headBegan), end, this, null);
  }

  /** When the first octet of the head arrived that is being read; only right where there is an access log. */
  get #headBegan(): number {
    return this.phase === "head" && this.#began > 0 ? this.#began : this.engine.now;
  }

  #forgetHead(): void {
    if (this.#head !== null) this.engine.giveRequestHead(this.#head);
    if (this.#gathered !== null) this.engine.io.give(this.#gathered.region);
    this.#head = null;
    this.#gathered = null;
  }

  /** Whether there was something. */
  #dropStash(): boolean {
    let any = false;
    for (let segment = this.unstash(); segment !== null; segment = this.unstash()) {
      if (segment.region !== NO_REGION) this.engine.io.give(segment.region);
      giveSegment(segment);
      any = true;
    }
    return any;
  }
}

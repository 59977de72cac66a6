/**
 * One request and its response, or one tunnel, between a client's connection and a server's:
 *
 *     connecting ──▶ waiting ──head──▶ streaming ──▶ over
 *         │ refused,     │ a reused connection died: once more on a fresh one,
 *         │ late:        │ if nothing can have been acted upon twice
 *         ▼ next server  └──101──▶ tunnel ──both ended──▶ over
 *
 * Where a route has to ask somebody first (a password, a forward-auth server), "deciding" comes before all of this.
 *
 * A request is delivered at most once: it goes to another server only while nothing of it was sent, and is repeated only
 * where a connection that had served before was closed without an answer to a GET, HEAD or OPTIONS without body.
 */
import { NO_REGION } from "../os/arena.ts";
import { Errno, errnoName } from "../os/errno.ts";
import {
  BODY_DONE,
  BODY_MORE,
  BODY_REFUSED,
  BodyDecoder,
  type BodyOptions,
  BY_CLOSE,
  endsConnection,
  isIdempotent,
  method as methods,
  NEED_MORE,
  parseResponse,
  REFUSED,
  type RequestHead,
  type ResponseHead,
  unchunks,
} from "../http/mod.ts";
import type { End } from "./access_log/end.ts";
import type { Trace } from "./access_log/trace.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Engine } from "./engine.ts";
import { gather, type Gathered } from "./gather.ts";
import { HeldRequest } from "./held_request.ts";
import { OriginConnection } from "./origin_connection.ts";
import { Placement } from "./placement.ts";
import { writeInterimHead, writeRequestHead, writeResponseHead } from "./heads.ts";
import type { Answer } from "./routes/answer.ts";
import type { RouteOptions } from "./routes/options.ts";
import type { Route } from "./routes/route.ts";
import { APPROVED, FRESH, PROVEN, type Stage } from "./routes/rules.ts";
import { askFor } from "./errand.ts";
import type { Granted, Routed, Routing, Verdict } from "./routing.ts";
import { giveSegment } from "./segment.ts";
import type { Server } from "./server.ts";
import { ServerCounter } from "./shared_state.ts";

type Phase = "over" | "deciding" | "queued" | "connecting" | "waiting" | "streaming" | "tunnel";

/** How long somebody may think about a request, ms. */
const DECISION = 15_000;
const REQUEST_BODY: BodyOptions = { of: "request", unchunk: false, most: Number.MAX_SAFE_INTEGER };
const RESPONSE_BODY: BodyOptions = { of: "response", unchunk: false, most: Number.MAX_SAFE_INTEGER };
const UNCHUNKED_BODY: BodyOptions = { of: "response", unchunk: true, most: Number.MAX_SAFE_INTEGER };

export class Exchange {
  phase: Phase = "over";
  /** What of the request the response depends on. */
  minor = 1;
  keepAlive = true;
  toHead = false;
  wantsUpgrade = false;
  expectsContinue = false;
  /** The head as it goes to the server; kept until the response begins. */
  headRegion = NO_REGION;
  headStart = 0;
  headLength = 0;
  /** The route taken, for whoever logs, and what it changes; null where the frontend has none. */
  route: Route | null = null;
  routed: Routed | null = null;
  /** What is noted for the access log; null where there is none. */
  trace: Trace | null = null;
  /** The client's connection ends with this response. */
  closes = false;

  #client: ClientConnection | null = null;
  #origin: OriginConnection | null = null;
  #backend: Backend | null = null;
  #server: Server | null = null;
  readonly #placement = new Placement(this);
  #tunnel = false;
  #retryable = false;
  /** May be repeated on a fresh connection too, as the route says. */
  #repeatable = false;
  #held: HeldRequest | null = null;
  readonly #request = new BodyDecoder();
  readonly #response = new BodyDecoder();
  /** All of the request was passed on. */
  #requestDone = true;
  /** The server takes no more of the request. */
  #refusesBody = false;
  /** The server's connection may serve again. */
  #reusable = false;
  /** For the client the response ends with its connection. */
  #byClose = false;
  #head: ResponseHead | null = null;
  #gathered: Gathered | null = null;
  /** Ends of stream in a tunnel. */
  #clientDone = false;
  #originDone = false;

  constructor(readonly engine: Engine) {}

  /** Cookie fields for the server instead of those that held our own cookie; null = as they came. */
  get cookies(): Uint8Array | null {
    return this.#placement.cookies;
  }

  /** A field for the response that makes the client come back to this server, or null. */
  get stickyField(): Uint8Array | null {
    return this.#placement.cookieFor(this.#server);
  }

  /** Begins with a parsed request; `[bodyStart, end)` of `region` follows its head. */
  start(client: ClientConnection, head: RequestHead, region: number, bodyStart: number, end: number): void {
    this.#client = client;
    this.phase = "connecting";
    this.minor = head.minor;
    this.keepAlive = head.keepAlive;
    this.toHead = head.method === methods.HEAD;
    this.wantsUpgrade = head.upgrade;
    this.expectsContinue = head.expectContinue;
    this.#request.begin(head.framing, head.contentLength, REQUEST_BODY);
    this.#requestDone = this.#request.state === BODY_DONE;
    const safe = head.method === methods.GET || this.toHead || head.method === methods.OPTIONS;
    this.#retryable = safe && this.#requestDone;
    const { routing } = client.frontend;
    if (routing === null) this.#dispatch(client, client.frontend.backend, head, region, bodyStart, end);
    else this.#follow(client, routing, head, region, bodyStart, end);
  }

  /** Goes where the routes say. */
  #follow(
    client: ClientConnection,
    routing: Routing,
    head: RequestHead,
    region: number,
    bodyStart: number,
    end: number,
    stage: Stage = FRESH,
    granted: Granted | null = null,
  ): void {
    const verdict = routing.examine(client, head, stage, granted);
    if (this.trace !== null) this.trace.id = this.engine.routing.facts.requestId;
    if (verdict.type === "to") {
      this.route = verdict.routed.route;
      if (this.trace !== null) this.trace.route = this.route.name;
      this.routed = verdict.routed;
      if (this.route.options !== null) this.#obey(this.route.options, head);
      return this.#dispatch(client, verdict.backend, head, region, bodyStart, end);
    }
    this.route = verdict.route;
    if (this.trace !== null) this.trace.route = verdict.route?.name ?? null;
    if (verdict.type !== "answer") this.#held ??= new HeldRequest(this.engine, head);
    if (bodyStart < end) client.unread(region, bodyStart, end - bodyStart);
    else if (region !== NO_REGION) this.engine.io.give(region);
    if (verdict.type === "answer") this.#reply(verdict.answer);
    else this.#ask(client, routing, verdict);
  }

  /** What a route says about bodies and retries. */
  #obey({ bodyLimit, retry: { repeat } }: RouteOptions, head: RequestHead): void {
    if (bodyLimit !== null) {
      this.#request.begin(head.framing, head.contentLength, { ...REQUEST_BODY, most: bodyLimit });
    }
    if (repeat === "never") this.#retryable = false;
    else if (repeat === "idempotent" && isIdempotent(head.method) && this.#requestDone) {
      this.#retryable = this.#repeatable = true;
    }
  }

  /** Waits for somebody else's word on the request. */
  #ask(client: ClientConnection, routing: Routing, verdict: Extract<Verdict, { type: "verify" | "ask" }>): void {
    const held = this.#held;
    if (held === null || !held.kept) return this.#fail(503, "no_memory");
    this.phase = "deciding";
    client.arm(DECISION);
    const { limits } = client.frontend;
    const goOn = (stage: Stage, granted: Granted | null) => {
      this.#follow(client, routing, held.head(limits), NO_REGION, 0, 0, stage, granted);
    };
    const { route } = verdict;
    const asked = askFor(this.engine, client, verdict, held, (outcome) => {
      held.errand = null;
      if (this.#held !== held) return;
      if (outcome.type === "right") goOn(PROVEN, null);
      else if (outcome.type === "wrong") this.#reply(route.unauthorized);
      else if (outcome.type === "granted") goOn(APPROVED, outcome.granted);
      else if (outcome.type === "refused") this.#reply(outcome.answer);
      else this.#fail(outcome.status, "no_decision");
    });
    if (this.#held === held && this.phase === "deciding") held.errand = asked;
  }

  /** Answers with what a route says; the client's connection stays if the request is whole. */
  #reply(answer: Answer, end: End = "answered_by_route"): void {
    const client = this.#client;
    if (client === null) return;
    const linger = !this.#requestDone;
    const close = linger || !this.keepAlive || this.engine.retires(client);
    const options = { toHead: this.toHead, minor: this.minor, close, linger };
    const trace = this.trace;
    const backend = this.#backend;
    this.trace = null;
    this.#drop();
    this.#end();
    client.reply(answer, options);
    if (trace === null) return;
    trace.status = answer.status;
    this.engine.accessLog?.end(trace, end, client, backend);
  }

  /** Sends the request to `backend`; `[bodyStart, end)` of `region` follows its head, if there is a region. */
  #dispatch(
    client: ClientConnection,
    backend: Backend | null,
    head: RequestHead,
    region: number,
    bodyStart: number,
    end: number,
  ): void {
    this.phase = "connecting";
    this.#backend = backend;
    const server = backend === null ? null : this.#placement.begin(backend, head, client);
    const addressee = server === "queued" ? backend?.servers[0] ?? null : server;
    if (addressee !== null && !writeRequestHead(this.engine, this, client, head, addressee)) {
      if (region !== NO_REGION) client.unread(region, bodyStart, end - bodyStart);
      return this.#fail(500, "no_memory");
    }
    this.#held?.[Symbol.dispose]();
    this.#held = null;
    if (bodyStart < end) client.unread(region, bodyStart, end - bodyStart);
    else if (region !== NO_REGION) this.engine.io.give(region);
    if (server === null) return backend === null ? this.#fail(404, "no_backend") : this.#turnAway("no_server");
    if (server === "queued") return this.#wait();
    this.#connect(server, false);
  }

  /** Begins a plain tunnel (`mode: tcp`) to a server of `backend`. */
  startTunnel(client: ClientConnection, backend: Backend | null): void {
    this.#client = client;
    this.phase = "connecting";
    this.#tunnel = true;
    this.#requestDone = false;
    this.#backend = backend;
    const server = backend === null ? null : this.#placement.begin(backend, null, client);
    if (server === null) return this.#fail(503, backend === null ? "no_backend" : "no_server");
    if (server === "queued") return this.#wait();
    this.#connect(server, true);
  }

  /** Whether bytes from the client go to the server now. */
  get takesBody(): boolean {
    return this.phase !== "connecting" && this.phase !== "queued" && this.phase !== "deciding" && !this.#requestDone &&
      !this.#refusesBody;
  }

  /** A server that was full has a place for the request that waited. */
  admitted(server: Server): void {
    this.phase = "connecting";
    this.#connect(server, this.#tunnel);
  }

  /** No server is left that the request could wait for. */
  abandoned(): void {
    this.#turnAway("no_server");
  }

  connected(errno: number): void {
    const origin = this.#origin;
    if (origin === null) return;
    if (errno === 0) {
      if (this.#tunnel) this.#openTunnel();
      else this.#send();
      return;
    }
    origin.close();
    this.#connectFailed(errno);
  }

  fromClient(region: number, start: number, length: number): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return this.engine.io.give(region);
    if (this.phase === "tunnel") {
      if (this.trace !== null) this.trace.bytesIn += length;
      origin.push(start, length, region);
      client.pace(origin);
      return this.#touch();
    }
    const body = this.#request;
    const used = body.decode(this.engine.io.arena.bytes, start, start + length);
    if (this.trace !== null) this.trace.bytesIn += used;
    const passed = body.outEnd - start;
    if (used < length && body.state === BODY_DONE) {
      this.#unread(region, start + used, length - used, passed > 0);
    }
    if (passed > 0) origin.push(start, passed, region);
    else if (used === length || body.state !== BODY_DONE) this.engine.io.give(region);
    switch (body.state) {
      case BODY_MORE:
        if (!client.stashes) client.pace(origin);
        return this.#touch();
      case BODY_DONE:
        this.#endRequest();
        return this.#touch();
      case BODY_REFUSED:
        // The server must not take what it has for a whole request.
        if (this.trace !== null) this.trace.detail = body.refusal?.text ?? "";
        if (this.phase === "streaming") return this.#break("client_bad_body");
        this.#drop(true);
        return this.#fail(body.refusal?.status ?? 400, "client_bad_body");
    }
  }

  fromOrigin(region: number, start: number, length: number): void {
    switch (this.phase) {
      case "streaming":
        return this.#relay(region, start, start + length);
      case "waiting":
        return this.#parse(region, start, length);
      case "tunnel":
        this.#client?.push(start, length, region);
        if (this.#client !== null) this.#origin?.pace(this.#client);
        return this.#touch();
      default:
        this.engine.io.give(region);
    }
  }

  clientEnded(errno: number): void {
    if (this.#tunnel && errno === 0) {
      this.#clientDone = true;
      return this.#passEnds();
    }
    const client = this.#client;
    this.abandon(this.#endByClient());
    client?.close(this.#tunnel);
  }

  originEnded(errno: number): void {
    switch (this.phase) {
      case "tunnel":
        if (errno !== 0) return this.#break("tunnel_closed_by_server");
        this.#originDone = true;
        return this.#passEnds();
      case "waiting":
        return this.#diedUnanswered();
      case "streaming":
        if (errno === 0 && this.#response.endOfStream()) return this.#complete();
        return this.#break("server_closed_in_response");
      case "connecting":
        this.#origin?.close();
        return this.#connectFailed(errno);
    }
  }

  /** The client took something: the server may go on. */
  clientTook(): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return;
    if (origin.paused && !client.full) origin.resume();
    if (this.#originDone) this.#passEnds();
    this.#touch();
  }

  /** The server took something: the client may go on. */
  originTook(): void {
    if (this.#requestDone) return;
    this.#pump();
    if (this.#clientDone) this.#passEnds();
    this.#touch();
  }

  /** Sending to the server failed; an answer may still be there. */
  originRefusesBody(): void {
    this.#refusesBody = true;
  }

  expired(): void {
    switch (this.phase) {
      case "deciding":
        return this.#fail(503, "no_decision");
      case "queued":
        return this.#fail(503, "queue_timeout");
      case "connecting":
        this.#origin?.close();
        return this.#connectFailed(Errno.ETIMEDOUT);
      case "waiting":
        this.#drop();
        if (this.#waitsForClient()) return this.#fail(408, "client_timeout_in_request");
        this.#server?.erred("no answer in time");
        return this.#fail(504, "server_timeout_in_headers");
      default: {
        if (this.#client?.stillTakes() === true || this.#origin?.stillTakes() === true) return this.#touch();
        // What is queued cannot be sent either, so it is not waited for.
        const client = this.#client;
        this.abandon(this.#endByTime());
        client?.close(true);
      }
    }
  }

  /** Leaves: the server's connection is closed, the client's is the caller's. */
  abandon(end: End): void {
    this.#log(end);
    this.#drop();
    this.#end();
  }

  #connect(server: Server, fresh: boolean): void {
    this.#server = server;
    this.trace?.connects(this.#backend?.options.name ?? "", server.options.name, this.engine.now);
    const idle = fresh ? null : server.takeIdle();
    if (idle !== null) {
      this.#origin = idle;
      idle.exchange = this;
      return this.#send();
    }
    const origin = new OriginConnection(this.engine, server);
    this.phase = "connecting";
    this.#origin = origin;
    this.#client?.arm(this.routed?.route.options?.timeouts.connect ?? this.#backend?.options.timeouts.connect ?? 0);
    const errno = origin.open(this, this.#client);
    if (errno !== 0) this.#connectFailed(errno);
  }

  /** No server takes the request: what the backend says then (`when_empty`), else a plain 503. */
  #turnAway(end: End): void {
    const answer = this.#backend?.whenEmpty ?? null;
    if (answer === null || this.#tunnel) this.#fail(503, end);
    else this.#reply(answer, end);
  }

  /** Waits until a server has a place (`timeouts.queue`). */
  #wait(): void {
    this.phase = "queued";
    this.trace?.waits(this.#backend?.queue.length ?? 0, this.engine.now);
    this.#client?.arm(this.#backend?.options.timeouts.queue ?? 0);
  }

  #connectFailed(errno: number): void {
    const server = this.#server;
    const backend = this.#backend;
    this.#origin = null;
    if (server === null || backend === null) return;
    this.engine.shared.servers[server.counters + ServerCounter.connectFailures]++;
    this.engine.connectFailed(server, errno);
    server.erred(`cannot connect: ${errnoName(errno)}`);
    this.trace?.fails(server.options.name, errnoName(errno));
    const retries = this.routed?.route.options?.retry.attempts ?? backend.options.retries;
    const next = this.#placement.tried.length < retries ? this.#placement.after(server) : null;
    if (next === "queued") return this.#wait();
    if (next === null) {
      return errno === Errno.ETIMEDOUT ? this.#fail(504, "connect_timeout") : this.#turnAway("connect_failed");
    }
    this.#connect(next, this.#tunnel);
  }

  #send(): void {
    const origin = this.#origin;
    const server = this.#server;
    if (origin === null || server === null) return;
    this.phase = "waiting";
    this.trace?.sends(this.engine.now);
    this.engine.shared.servers[server.counters + ServerCounter.requests]++;
    origin.retained = this.headRegion;
    origin.push(this.headStart, this.headLength, this.headRegion);
    if (!this.#requestDone) this.#pump();
    this.#touch();
  }

  #openTunnel(): void {
    this.phase = "tunnel";
    this.trace?.sends(this.engine.now);
    const server = this.#server;
    if (server !== null) {
      server.answered(0);
      this.engine.shared.servers[server.counters + ServerCounter.requests]++;
    }
    this.#requestDone = false;
    this.#pump();
    this.#passEnds();
    this.#touch();
  }

  /** Passes on what the client sent ahead, and lets it send more. */
  #pump(): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return;
    while (this.takesBody && !origin.full) {
      const segment = client.unstash();
      if (segment === null) break;
      const { region, start, length } = segment;
      giveSegment(segment);
      this.fromClient(region, start, length);
    }
    if (this.takesBody && client.paused && !origin.full && !client.stashes) client.resume();
  }

  /** Bytes behind the body belong to the next request; where the body's region goes away, they need one of their own. */
  #unread(region: number, start: number, length: number, copy: boolean): void {
    const client = this.#client;
    if (client === null) return;
    if (!copy) return client.unread(region, start, length);
    const own = this.engine.takeRegion(length);
    if (own === NO_REGION) {
      this.keepAlive = false;
      return;
    }
    const { arena } = this.engine.io;
    arena.bytes.copyWithin(arena.start(own), start, start + length);
    client.unread(own, arena.start(own), length);
  }

  #endRequest(): void {
    this.#requestDone = true;
    const { tail, tailEnd } = this.#request;
    if (tailEnd > 0) this.#pushTail(this.#origin, tail, tailEnd);
    const client = this.#client;
    if (client === null) return;
    // From here on we listen for the client going away, and for its next request.
    if (client.paused) client.resume();
  }

  #pushTail(to: OriginConnection | ClientConnection | null, tail: Uint8Array, length: number): void {
    const region = this.engine.takeRegion(length);
    if (region === NO_REGION || to === null) return this.#break("no_memory");
    const { arena } = this.engine.io;
    const start = arena.start(region);
    for (let i = 0; i < length; i++) arena.bytes[start + i] = tail[i];
    to.push(start, length, region);
  }

  #parse(region: number, start: number, length: number): void {
    const bytes = this.engine.io.arena.bytes;
    let head = this.#head;
    let from = start;
    let end = start + length;
    if (head === null) {
      head = this.engine.responseHead;
      head.reset();
    } else {
      const gathered = gather(this.engine, this.#gathered, region, start, length);
      this.#gathered = gathered;
      if (gathered === null) return this.#badResponse();
      region = gathered.region;
      from = gathered.start;
      end = from + gathered.length;
    }
    for (;;) {
      const answer = parseResponse(head, bytes, from, end, this.toHead);
      if (answer === NEED_MORE) return this.#waitForHead(head, region, from, end);
      if (answer === REFUSED) {
        if (this.#gathered === null) this.engine.io.give(region);
        this.#server?.erred("the answer was not valid HTTP");
        if (this.trace !== null) this.trace.detail = head.refusal?.text ?? "";
        return this.#badResponse();
      }
      from += answer;
      if (!head.interim) break;
      this.#relayInterim(head);
      head.reset();
    }
    this.#gathered = null;
    this.#respond(head, region, from, end);
    if (head === this.#head) {
      this.#head = null;
      this.engine.giveResponseHead(head);
    }
  }

  #waitForHead(head: ResponseHead, region: number, from: number, end: number): void {
    this.#touch();
    if (this.#head === null) {
      this.#head = head;
      this.engine.responseHead = this.engine.takeResponseHead();
    }
    const gathered = this.#gathered;
    if (gathered !== null) {
      // Interim responses in front of this head have been passed on.
      gathered.start = from;
      gathered.length = end - from;
      this.engine.compact(gathered);
      return;
    }
    this.#gathered = gather(this.engine, null, region, from, end - from);
    if (this.#gathered === null) this.#badResponse();
  }

  /** 1xx (RFC 9110 §15.2): never to HTTP/1.0, and a 100 only where it was asked for. */
  #relayInterim(head: ResponseHead): void {
    const client = this.#client;
    if (client === null || this.minor === 0) return;
    if (head.status === 100) {
      if (!this.expectsContinue) return;
      this.expectsContinue = false;
    }
    client.frontend.countResponse(head.status);
    writeInterimHead(this.engine, client, head);
  }

  #respond(head: ResponseHead, region: number, bodyStart: number, end: number): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return this.engine.io.give(region);
    origin.server.answered(head.status);
    if (head.status === 101) return this.#switch(head, region, bodyStart, end);
    this.#releaseHead();
    client.frontend.countResponse(head.status);
    this.trace?.answers(head.status, this.engine.now);
    this.#reusable = head.keepAlive;
    // An answer before the end of the request mostly means that the rest is not wanted.
    const early = !this.#requestDone && head.status >= 300;
    this.closes = endsConnection(head, this.minor, this.keepAlive) || early || this.engine.retires(client);
    const body = this.#response;
    const unchunk = unchunks(head, this.minor);
    this.#byClose = unchunk || head.framing === BY_CLOSE;
    body.begin(head.framing, head.contentLength, unchunk ? UNCHUNKED_BODY : RESPONSE_BODY);
    const used = body.decode(this.engine.io.arena.bytes, bodyStart, end);
    const extra = used < end - bodyStart;
    if (!writeResponseHead(this.engine, this, client, head, region, bodyStart, body.outEnd)) return this.#badResponse();
    this.phase = "streaming";
    this.#afterBody(extra);
  }

  #relay(region: number, start: number, end: number): void {
    const client = this.#client;
    if (client === null) return this.engine.io.give(region);
    const body = this.#response;
    const used = body.decode(this.engine.io.arena.bytes, start, end);
    if (body.outEnd > start) client.push(start, body.outEnd - start, region);
    else this.engine.io.give(region);
    this.#afterBody(used < end - start);
  }

  /** A piece of the response was passed on; `extra`: bytes behind its end came along. */
  #afterBody(extra: boolean): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return;
    const body = this.#response;
    switch (body.state) {
      case BODY_MORE:
        origin.pace(client);
        return this.#touch();
      case BODY_DONE:
        // Bytes that nobody asked for must never be taken for the next answer.
        if (extra) this.#reusable = false;
        if (body.tailEnd > 0) this.#pushTail(client, body.tail, body.tailEnd);
        return this.#complete();
      case BODY_REFUSED:
        if (this.trace !== null) this.trace.detail = body.refusal?.text ?? "";
        return this.#break("server_bad_body");
    }
  }

  /** 101: the connection leaves HTTP, if the client wanted that. */
  #switch(head: ResponseHead, region: number, bodyStart: number, end: number): void {
    const client = this.#client;
    if (client === null || !this.wantsUpgrade || !head.upgrade) {
      this.engine.io.give(region);
      return this.#badResponse();
    }
    this.#releaseHead();
    client.frontend.countResponse(101);
    this.trace?.answers(101, this.engine.now);
    this.#tunnel = true;
    this.closes = false;
    if (!writeResponseHead(this.engine, this, client, head, region, bodyStart, end)) return this.#badResponse();
    this.#originDone = this.#clientDone = false;
    this.phase = "tunnel";
    this.#requestDone = false;
    // What the client sent behind its request was held back until now (CVE-2026-2833).
    this.#pump();
    this.#touch();
  }

  /** No usable answer. */
  #badResponse(end: End = "server_bad_response"): void {
    this.#drop();
    this.#fail(502, end);
  }

  #diedUnanswered(): void {
    const origin = this.#origin;
    const server = this.#server;
    if (origin === null || server === null) return;
    // One that it used before it may close at any time.
    if (origin.uses === 0) server.erred("the connection ended without an answer");
    const again = this.#retryable && (origin.uses > 0 || this.#repeatable) && this.#gathered === null;
    this.#repeatable = false;
    if (again && origin.uses === 0 && this.#backend?.mayRepeat() !== true) {
      return this.#badResponse("server_closed_in_headers");
    }
    if (!again || !this.#saveHead(origin)) return this.#badResponse("server_closed_in_headers");
    origin.close();
    this.#refusesBody = false;
    this.#connect(server, true);
  }

  /** Makes sure that the head survives closing `origin`; false if there is no memory for that. */
  #saveHead(origin: OriginConnection): boolean {
    if (!origin.isSending(this.headRegion)) return true;
    const copy = this.engine.takeRegion(this.headLength);
    if (copy === NO_REGION) return false;
    const { arena } = this.engine.io;
    const start = arena.start(copy);
    arena.bytes.copyWithin(start, this.headStart, this.headStart + this.headLength);
    this.headRegion = copy;
    this.headStart = start;
    return true;
  }

  #releaseHead(): void {
    const region = this.headRegion;
    if (region === NO_REGION) return;
    this.headRegion = NO_REGION;
    const origin = this.#origin;
    if (origin !== null) {
      origin.retained = NO_REGION;
      // Then it is given back when it was sent, or by the Io.
      if (origin.isSending(region)) return;
    }
    this.engine.io.give(region);
  }

  /** The response was passed on whole. */
  #complete(): void {
    const client = this.#client;
    const origin = this.#origin;
    if (client === null || origin === null) return;
    const done = this.#requestDone;
    const closes = this.closes || !done;
    this.#origin = null;
    if (done && this.#reusable && origin.pending === 0) origin.release();
    else origin.close();
    this.#log(done ? "done" : "answered_early");
    this.#end();
    if (closes) client.finish(!done);
    else client.proceed();
  }

  /** Half-closes in a tunnel are passed on when all before them was sent. */
  #passEnds(): void {
    const client = this.#client;
    const origin = this.#origin;
    if (this.phase !== "tunnel" || client === null || origin === null) return;
    if (this.#clientDone && !this.#refusesBody && origin.pending === 0) {
      this.#refusesBody = true;
      this.engine.io.finish(origin.fd);
    }
    if (!this.#originDone || client.pending > 0) return;
    if (!this.#clientDone) return this.engine.io.finish(client.fd);
    if (origin.pending > 0) return;
    this.abandon("tunnel_done");
    client.close();
  }

  /** The response cannot be completed any more, and the client must see that. */
  #break(end: End): void {
    const client = this.#client;
    // Where the end of the stream ends the body, only a reset tells the difference.
    const reset = this.#tunnel || this.#byClose;
    this.abandon(end);
    client?.finish(false, reset);
  }

  /** Answers with a status of our own; the server's connection is closed already or never was. */
  #fail(status: number, end: End): void {
    const client = this.#client;
    const backend = this.#backend;
    const trace = this.trace;
    this.trace = null;
    const linger = !this.#requestDone;
    const tunnel = this.#tunnel;
    const toHead = this.toHead;
    this.#drop();
    this.#end();
    if (client === null) return;
    if (tunnel) client.close(true);
    else client.answer(status, toHead, linger);
    if (trace === null) return;
    if (!tunnel) trace.status = status;
    this.engine.accessLog?.end(trace, end, client, backend);
  }

  /** Closes the server's connection; `reset`: it must not take what it has for a whole request. */
  #drop(reset = false): void {
    this.#releaseHead();
    const origin = this.#origin;
    this.#origin = null;
    if (reset) origin?.abort();
    else origin?.close();
  }

  /** Ready for the next one. */
  #end(): void {
    this.#releaseHead();
    this.#held?.[Symbol.dispose]();
    this.#held = this.route = this.routed = null;
    this.#repeatable = false;
    if (this.#gathered !== null) this.engine.io.give(this.#gathered.region);
    if (this.#head !== null) this.engine.giveResponseHead(this.#head);
    this.#gathered = null;
    this.#head = null;
    this.#placement.end();
    this.#client = null;
    this.#backend = null;
    this.#server = null;
    this.#tunnel =
      this.#clientDone =
      this.#originDone =
      this.#refusesBody =
      this.#reusable =
        false;
    this.#requestDone = true;
    this.phase = "over";
    this.engine.giveExchange(this);
  }

  #log(end: End): void {
    const trace = this.trace;
    const client = this.#client;
    if (trace === null || client === null) return;
    this.trace = null;
    this.engine.accessLog?.end(trace, end, client, this.#backend);
  }

  /** The client is gone: what it was doing, or waiting for. */
  #endByClient(): End {
    switch (this.phase) {
      case "deciding":
        return "client_closed_while_deciding";
      case "queued":
        return "client_closed_while_queued";
      case "connecting":
        return "client_closed_while_connecting";
      case "tunnel":
        return "tunnel_closed_by_client";
      case "streaming":
        return "client_closed_in_response";
      default:
        return this.#requestDone ? "client_closed_while_waiting" : "client_closed_in_request";
    }
  }

  /** Nothing moved for too long, behind the head of the response. */
  #endByTime(): End {
    if (this.phase === "tunnel") return "tunnel_timeout";
    if (!this.#waitsForClient()) return "server_timeout_in_response";
    return (this.#client?.pending ?? 0) > 0 ? "client_timeout_in_response" : "client_timeout_in_request";
  }

  #waitsForClient(): boolean {
    const client = this.#client;
    if (client === null || client.pending > 0) return true;
    return this.takesBody && (this.#origin?.pending ?? 0) === 0;
  }

  /** Something moved: the time-out of whoever is to move next begins anew. */
  #touch(): void {
    const client = this.#client;
    if (client === null || this.phase === "over") return;
    const timeouts = client.frontend.options.timeouts;
    const own = this.routed === null ? null : this.routed.route.options?.timeouts;
    if (this.phase === "tunnel") client.arm(own?.tunnel ?? timeouts.tunnel);
    else if (this.#waitsForClient()) client.arm(own?.client ?? timeouts.client);
    else client.arm(own?.server ?? this.#backend?.options.timeouts.server ?? timeouts.client);
  }
}

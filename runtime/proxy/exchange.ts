/**
 * One request and its response, or one tunnel, between a client's connection and a server's:
 *
 *     deciding ──▶ queued ──▶ connecting ──▶ waiting ──head──▶ streaming ──▶ over
 *                    ▲            │ refused,    │ a reused connection died: once more on a fresh one,
 *                    │            │ late:       │ if nothing can have been acted upon twice
 *                    ├────────────┴ next server └──101──▶ tunnel ──both ended──▶ over
 *                    └─ pausing ◀── all refused
 *
 * Here the phases change and ends are told. What goes on in them: `course.ts` asks the routes, `attempts.ts` finds a server
 * and connects, `request_relay.ts` and `response_relay.ts` pass the two messages on, `tunnel.ts` what is none;
 * `patience.ts` knows for whom we wait. All of it is made once and used again for the next request.
 */
import type { RequestHead } from "../http/mod.ts";
import type { End } from "./access_log/end.ts";
import type { Trace } from "./access_log/trace.ts";
import { Attempts } from "./attempts.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Connection } from "./connection.ts";
import { Course } from "./course.ts";
import type { Engine } from "./engine.ts";
import type { OriginConnection, OriginUser } from "./origin_connection.ts";
import { endByClient, endByTime, touch, waitsForClient } from "./patience.ts";
import { RequestRelay } from "./request_relay.ts";
import { ResponseRelay } from "./response_relay.ts";
import { type Answer, plainAnswer } from "./routes/answer.ts";
import { withFields } from "./routes/answer_fields.ts";
import { Tunnel } from "./tunnel.ts";

export type Phase = "over" | "deciding" | "queued" | "connecting" | "pausing" | "waiting" | "streaming" | "tunnel";

export class Exchange implements OriginUser {
  phase: Phase = "over";
  client: ClientConnection | null = null;
  origin: OriginConnection | null = null;
  /** What is noted for the access log; null where there is none. */
  trace: Trace | null = null;
  readonly course: Course = new Course(this);
  readonly attempts: Attempts = new Attempts(this);
  readonly request: RequestRelay = new RequestRelay(this);
  readonly response: ResponseRelay = new ResponseRelay(this);
  readonly tunnel: Tunnel = new Tunnel(this);

  constructor(readonly engine: Engine) {}

  /** Begins with a parsed request; `[bodyStart, end)` of `region` follows its head. */
  start(client: ClientConnection, head: RequestHead, region: number, bodyStart: number, end: number): void {
    this.client = client;
    this.phase = "connecting";
    this.request.begin(head);
    this.course.begin(client, head, region, bodyStart, end);
  }

  /** Begins a plain tunnel (`mode: tcp`) to a server of `backend`. */
  startTunnel(client: ClientConnection, backend: Backend | null): void {
    this.client = client;
    this.phase = "connecting";
    this.tunnel.begin();
    this.attempts.go(this.attempts.begin(backend, null, client));
  }

  /** Whether bytes from the client go to the server now. */
  get takesBody(): boolean {
    return this.request.takes;
  }

  connected(errno: number): void {
    const { origin } = this;
    if (origin === null) return;
    if (errno !== 0) {
      origin.close();
      this.attempts.connectFailed(errno);
    } else if (this.tunnel.wanted) this.tunnel.open();
    else this.request.send();
  }

  fromClient(region: number, start: number, length: number): void {
    if (this.phase === "tunnel") this.tunnel.fromClient(region, start, length);
    else this.request.fromClient(region, start, length);
  }

  fromOrigin(region: number, start: number, length: number): void {
    switch (this.phase) {
      case "streaming":
        return this.response.relay(region, start, start + length);
      case "waiting":
        return this.response.parse(region, start, length);
      case "tunnel":
        return this.tunnel.fromOrigin(region, start, length);
      default:
        this.engine.io.give(region);
    }
  }

  clientEnded(errno: number): void {
    const { client, tunnel } = this;
    const { wanted } = tunnel;
    if (wanted && errno === 0) return tunnel.clientEnded();
    // It may have ended its side only, and read on: what is cut off must not look whole.
    const cut = this.phase === "streaming" && this.response.byClose;
    this.abandon(endByClient(this));
    client?.close(wanted || cut);
  }

  originEnded(errno: number): void {
    switch (this.phase) {
      case "tunnel":
        if (errno !== 0) return this.break("tunnel_closed_by_server");
        return this.tunnel.originEnded();
      case "waiting":
        return this.attempts.diedUnanswered();
      case "streaming":
        if (errno === 0 && this.response.endOfStream()) return this.complete();
        this.attempts.server?.broke();
        return this.break("server_closed_in_response");
      case "connecting":
        this.origin?.close();
        return this.attempts.connectFailed(errno);
    }
  }

  originWithdrawn(): void {
    switch (this.phase) {
      case "connecting":
      case "waiting":
        return this.attempts.withdrawn();
      case "streaming":
      case "tunnel":
        return this.break("server_withdrawn");
    }
  }

  /** The client took something: the server may go on. */
  clientTook(): void {
    const { client, origin } = this;
    if (client === null || origin === null) return;
    if (origin.paused && !client.full) origin.resume();
    this.tunnel.passEnds();
    touch(this);
  }

  /** The server took something: the client may go on. */
  originTook(): void {
    if (this.request.done) return;
    this.request.pump();
    this.tunnel.passEnds();
    touch(this);
  }

  /** Sending to the server failed; an answer may still be there. */
  originRefusesBody(): void {
    this.request.refused = true;
  }

  expired(): void {
    switch (this.phase) {
      case "deciding":
        return this.course.late();
      case "queued":
        return this.fail(503, "queue_timeout");
      case "connecting":
        return this.attempts.expired();
      case "pausing":
        return this.attempts.resume();
      case "waiting":
        return this.#unanswered();
      default: {
        const { client } = this;
        if (client?.stillTakes() === true || this.request.stillTaken()) return touch(this);
        const end = endByTime(this);
        if (end === "server_timeout_in_response") this.attempts.server?.broke();
        // What is queued cannot be sent either, so it is not waited for.
        this.abandon(end);
        client?.close(true);
      }
    }
  }

  /** No answer in time: whoever had to move is to blame, unless the other side goes on taking what it was sent. */
  #unanswered(): void {
    const { client } = this;
    if (client === null || client.stillTakes() || this.request.stillTaken()) return touch(this);
    if (client.pending > 0) {
      // Interim responses that it does not take: another answer it would not take either.
      this.abandon("client_timeout_in_response");
      return client.close(true);
    }
    // Asked before the server's connection is gone: what that has not taken, the client cannot send.
    const late = waitsForClient(this);
    this.drop();
    if (late) return this.fail(408, "client_timeout_in_request");
    this.attempts.server?.unanswered("no answer in time");
    this.fail(504, "server_timeout_in_headers");
  }

  /** Leaves: the server's connection is closed, the client's is the caller's. */
  abandon(end: End): void {
    this.#log(end);
    this.drop();
    this.#end();
  }

  /** The response was passed on whole. */
  complete(): void {
    const { client, origin, request, response } = this;
    if (client === null || origin === null) return;
    const { done } = request;
    const closes = response.closes || !done;
    this.origin = null;
    if (done && response.reusable && origin.pending === 0) origin.release();
    else origin.close();
    this.#log(done ? "done" : "answered_early");
    this.#end();
    if (closes) client.finish(!done);
    else client.proceed();
  }

  /** The response cannot be completed any more, and the client must see that. */
  break(end: End): void {
    const { client } = this;
    // Where the end of the stream ends the body, only a reset tells the difference.
    const reset = this.tunnel.wanted || this.response.byClose;
    this.abandon(end);
    client?.finish(false, reset);
  }

  /** Answers with what a route says; the client's connection stays if the request is whole. */
  reply(answer: Answer, end: End = "answered_by_route"): void {
    const { client, trace, attempts: { backend }, request: { done, keepAlive, toHead, minor }, course: { fields } } =
      this;
    if (client === null) return;
    const close = !done || !keepAlive || this.engine.retires(client);
    const options = { toHead, minor, close, linger: !done };
    this.trace = null;
    this.drop();
    this.#end();
    client.reply(fields === null ? answer : withFields(answer, fields), options);
    if (trace === null) return;
    trace.status = answer.status;
    this.engine.accessLog?.end(trace, end, client, backend);
  }

  /** Answers with a status of our own; the server's connection is closed already or never was. */
  fail(status: number, end: End): void {
    const { client, trace, attempts: { backend }, request: { done, toHead, minor }, tunnel: { wanted } } = this;
    const { fields } = this.course;
    this.trace = null;
    this.drop();
    this.#end();
    if (client === null) return;
    if (wanted) client.close(true);
    else if (fields === null) client.answer(status, toHead, !done);
    else client.reply(withFields(plainAnswer(status), fields), { toHead, minor, close: true, linger: !done });
    if (trace === null) return;
    if (!wanted) trace.status = status;
    this.engine.accessLog?.end(trace, end, client, backend);
  }

  /** No server takes the request: what the backend says then (`when_empty`), else a plain 503. */
  turnAway(end: End): void {
    const answer = this.attempts.backend?.whenEmpty ?? null;
    if (answer === null || this.tunnel.wanted) this.fail(503, end);
    else this.reply(answer, end);
  }

  /** Sends trailers behind a body. */
  pushTail(to: Connection | null, tail: Uint8Array, length: number): void {
    if (to === null || !to.pushCopy(tail, length)) this.break("no_memory");
  }

  /** Closes the server's connection; `reset`: it must not take what it has for a whole request. */
  drop(reset = false): void {
    this.request.releaseHead();
    const { origin } = this;
    this.origin = null;
    if (reset) origin?.abort();
    else origin?.close();
  }

  /** Ready for the next one. */
  #end(): void {
    this.request.end();
    this.course.end();
    this.response.end();
    this.attempts.end();
    this.tunnel.end();
    this.client = null;
    this.phase = "over";
    this.engine.giveExchange(this);
  }

  #log(end: End): void {
    const { trace, client } = this;
    if (trace === null || client === null) return;
    this.trace = null;
    this.engine.accessLog?.end(trace, end, client, this.attempts.backend);
  }
}

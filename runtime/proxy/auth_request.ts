/**
 * Asks the forward-auth server whether a request may pass. Whatever goes wrong, it may not: a request that nobody judged
 * is not let through.
 */
import {
  BODY_DONE,
  BODY_REFUSED,
  BodyDecoder,
  type BodyOptions,
  NEED_MORE,
  parseResponse,
  REFUSED,
  type RequestHead,
} from "../http/mod.ts";
import { NO_REGION } from "../os/arena.ts";
import { Errno, errnoName } from "../os/errno.ts";
import { authQuestion, granted, refusal } from "./auth_question.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Engine } from "./engine.ts";
import { gather, type Gathered } from "./gather.ts";
import { OriginConnection, type OriginUser } from "./origin_connection.ts";
import { type Place, type Placed, Placement } from "./placement.ts";
import type { Answer } from "./routes/answer.ts";
import type { ForwardAuthOptions } from "./routes/options.ts";
import type { Errand } from "./held_request.ts";
import type { Granted } from "./routing.ts";
import type { Server } from "./server.ts";
import { ServerCounter } from "./shared_state.ts";

export type AuthOutcome =
  | { readonly type: "granted"; readonly granted: Granted }
  /** `why` is for those who read the access log. */
  | { readonly type: "refused"; readonly answer: Answer; readonly why: string }
  | { readonly type: "failed"; readonly status: number; readonly why: string };

/** Most octets of an answer that are read: of a refusal's page, all of which is passed on. */
const MOST_BODY = 64 * 1024;
const BODY: BodyOptions = { of: "response", unchunk: true, most: MOST_BODY };

export class AuthRequest implements OriginUser, Placed, Errand {
  readonly #placement = new Placement(this);
  readonly #body = new BodyDecoder();
  readonly #question: Uint8Array;
  #origin: OriginConnection | null = null;
  #server: Server | null = null;
  /** When the question was sent, monotonic ms; −1 = it was not. */
  #sentAt = -1;
  /** The head of the answer, in pieces. */
  #gathered: Gathered | null = null;
  /** The answer's head was read; then what is left to do is its body. */
  #outcome: Exclude<AuthOutcome, { readonly type: "failed" }> | null = null;
  #page: Uint8Array[] = [];
  #reusable = false;
  #over = false;

  /** `done` is called once, later or at once, unless this is disposed of before. */
  constructor(
    readonly engine: Engine,
    readonly options: ForwardAuthOptions,
    client: ClientConnection,
    head: RequestHead,
    readonly done: (outcome: AuthOutcome) => void,
  ) {
    this.#question = authQuestion(options, head, engine.routing.facts.begin(head, client));
    const backend = engine.routing.backends.get(options.backend);
    if (backend === undefined) this.#fail(503, `there is no backend "${options.backend}"`);
    else this.#go(this.#placement.begin(backend, head, client));
  }

  admitted(server: Server): void {
    this.#connect(server, false);
  }

  abandoned(): void {
    this.#fail(503, `no server of "${this.options.backend}" takes questions`);
  }

  connected(errno: number): void {
    const server = this.#server;
    if (errno === 0) return this.#send();
    this.#close();
    if (server !== null) this.#unreached(server, errno);
    if (server === null || this.#placement.tried.length > 0) {
      return this.#fail(503, `${this.#name(server)} cannot be connected to: ${errnoName(errno)}`);
    }
    this.#go(this.#placement.after(server));
  }

  fromOrigin(region: number, start: number, length: number): void {
    if (this.#outcome !== null) return this.#read(region, start, start + length);
    const gathered = gather(this.engine, this.#gathered, region, start, length);
    this.#gathered = gathered;
    if (gathered === null) return this.#fail(502, NO_MEMORY);
    const { responseHead: head, io: { arena } } = this.engine;
    let from = gathered.start;
    const end = from + gathered.length;
    for (;;) {
      // Answers are short: what comes in pieces is parsed from its beginning again.
      head.reset();
      const answer = parseResponse(head, arena.bytes, from, end, false);
      if (answer === NEED_MORE) return;
      if (answer === REFUSED || head.status === 101) {
        const fault = head.refusal?.text ?? "it switches protocols";
        this.#server?.unanswered("the answer was not valid HTTP");
        return this.#fail(502, `the answer of ${this.#name(this.#server)} was refused: ${fault}`);
      }
      from += answer;
      if (!head.interim) break;
    }
    this.#server?.answered(head.status, this.engine.now - this.#sentAt);
    const pass = head.status >= 200 && head.status < 300;
    this.#outcome = pass ? { type: "granted", granted: granted(this.options, head) } : {
      type: "refused",
      answer: refusal(head, NOTHING),
      why: `forward_auth: ${this.#name(this.#server)} answered ${head.status}`,
    };
    this.#reusable = head.keepAlive;
    this.#body.begin(head.framing, head.contentLength, BODY);
    this.#gathered = null;
    this.#read(gathered.region, from, end);
  }

  originEnded(errno: number): void {
    if (this.#outcome !== null && errno === 0 && this.#body.endOfStream()) return this.#finish();
    const origin = this.#origin;
    const server = this.#server;
    // A connection that served before may just have been closed as idle; the question is a GET, so it is asked again.
    const used = origin !== null && origin.uses > 0;
    const again = this.#outcome === null && this.#gathered === null && used;
    if (this.#outcome === null && !used) server?.unanswered("the connection ended without an answer");
    else if (!again) server?.broke();
    this.#close();
    if (again && server !== null) this.#connect(server, true);
    else this.#fail(502, `${this.#name(server)} ended without a whole answer`);
  }

  originWithdrawn(): void {
    const server = this.#server;
    this.#close();
    if (server === null || this.#outcome !== null) {
      return this.#fail(502, `${this.#name(server)} was taken out of service in its answer`);
    }
    this.#go(this.#placement.after(server));
  }

  originTook(): void {}

  originRefusesBody(): void {}

  late(): void {
    const server = this.#server;
    if (server === null) return;
    if (this.#sentAt < 0) this.#unreached(server, Errno.ETIMEDOUT);
    else if (this.#outcome === null) server.unanswered("no answer in time");
    else server.broke();
  }

  /** Nobody waits for the answer any more. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#close();
    this.#placement.end();
    if (this.#gathered !== null) this.engine.io.give(this.#gathered.region);
    this.#gathered = null;
  }

  #go(place: Place): void {
    if (place === null) this.#fail(503, `no server of "${this.options.backend}" takes questions`);
    else if (place !== "queued") this.#connect(place, false);
  }

  /** A connection could not be made. */
  #unreached(server: Server, errno: number): void {
    this.engine.shared.servers[server.counters + ServerCounter.connectFailures]++;
    this.engine.connectFailed(server, errno);
    server.erred(`cannot connect: ${errnoName(errno)}`);
  }

  #connect(server: Server, fresh: boolean): void {
    this.#server = server;
    this.#sentAt = -1;
    const idle = fresh ? null : server.takeIdle();
    if (idle !== null) {
      this.#origin = idle;
      idle.exchange = this;
      return this.#send();
    }
    const origin = new OriginConnection(this.engine, server);
    this.#origin = origin;
    const errno = origin.open(this, null);
    if (errno !== 0) this.connected(errno);
  }

  #send(): void {
    const { io: { arena }, shared } = this.engine;
    const server = this.#server;
    if (server !== null) shared.servers[server.counters + ServerCounter.requests]++;
    this.#sentAt = this.engine.now;
    const region = this.engine.takeRegion(this.#question.length);
    if (region === NO_REGION) return this.#fail(503, NO_MEMORY);
    const start = arena.start(region);
    arena.bytes.set(this.#question, start);
    this.#origin?.push(start, this.#question.length, region);
  }

  #read(region: number, start: number, end: number): void {
    const { arena } = this.engine.io;
    const body = this.#body;
    const used = body.decode(arena.bytes, start, end);
    if (this.#outcome?.type === "refused" && body.outEnd > start) {
      this.#page.push(arena.bytes.slice(start, body.outEnd));
    }
    this.engine.io.give(region);
    if (used < end - start) this.#reusable = false;
    if (body.state === BODY_DONE) this.#finish();
    // What more a permission says nobody needs, and its connection is not worth reading that.
    else if (body.refusal?.reason === "bodyTooLarge" && this.#outcome?.type === "granted") this.#finish();
    else if (body.state === BODY_REFUSED) {
      this.#server?.broke();
      this.#fail(502, `the body of ${this.#name(this.#server)} was refused: ${body.refusal?.text ?? "it is none"}`);
    }
  }

  #finish(): void {
    const outcome = this.#outcome;
    const origin = this.#origin;
    if (outcome === null) return this.#fail(502, `${this.#name(this.#server)} gave no answer`);
    if (this.#reusable && origin !== null && origin.pending === 0) {
      this.#origin = null;
      origin.release();
    }
    this.#end(
      outcome.type === "granted"
        ? outcome
        : { ...outcome, answer: { ...outcome.answer, body: concatenated(this.#page) } },
    );
  }

  #fail(status: number, why: string): void {
    this.#end({ type: "failed", status, why });
  }

  #name(server: Server | null): string {
    return `${this.options.backend}/${server?.options.name ?? "?"}`;
  }

  #end(outcome: AuthOutcome): void {
    if (this.#over) return;
    this[Symbol.dispose]();
    this.done(outcome);
  }

  #close(): void {
    const origin = this.#origin;
    this.#origin = null;
    origin?.close();
  }
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

const NOTHING = new Uint8Array(0);
const NO_MEMORY = "there was no buffer";

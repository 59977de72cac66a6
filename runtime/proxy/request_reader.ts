/**
 * Reads the heads of a client's requests: mostly whole, where they were received; else gathered, with a parser that
 * remembers how far it came, so that a head that comes byte by byte is read once.
 */
import { NEED_MORE, parseRequest, REFUSED, type RequestHead } from "../http/mod.ts";
import type { End } from "./access_log/end.ts";
import type { ClientConnection } from "./client_connection.ts";
import { gather, type Gathered } from "./gather.ts";
import { FrontendCounter } from "./shared_state.ts";

export class RequestReader {
  /** A head that came in pieces, and its parser's state. */
  #head: RequestHead | null = null;
  #gathered: Gathered | null = null;
  /** When that began, where it is logged. */
  #began = 0;

  constructor(readonly client: ClientConnection) {}

  /** When the first octet of the head arrived that is being read; only right where there is an access log. */
  get began(): number {
    return this.client.phase === "head" && this.#began > 0 ? this.#began : this.client.frontend.engine.now;
  }

  /** Reads on; the client is told when a head is whole, or is none. */
  received(region: number, start: number, length: number): void {
    if (this.#head === null) this.#begin(region, start, start + length);
    else this.#goOn(this.#head, region, start, length);
  }

  /** The client closed before the head was whole. */
  ended(): void {
    const { client } = this;
    const log = client.frontend.engine.accessLog;
    if (log !== null) log.end(log.begin(client, null, this.began), "client_closed_in_headers", client, null);
    client.close();
  }

  /** It took too long over the head. */
  expired(): void {
    this.#answer(408, "client_timeout_in_headers");
  }

  /** Forgets what was read. */
  end(): void {
    const { engine } = this.client.frontend;
    if (this.#head !== null) engine.giveRequestHead(this.#head);
    if (this.#gathered !== null) engine.io.give(this.#gathered.region);
    this.#head = null;
    this.#gathered = null;
  }

  #begin(region: number, start: number, end: number): void {
    const { client } = this;
    const { engine, limits } = client.frontend;
    const head = engine.requestHead;
    head.reset();
    const length = parseRequest(head, engine.io.arena.bytes, start, end, limits);
    if (length > 0) return client.begin(head, region, start + length, end);
    if (length === REFUSED) {
      engine.io.give(region);
      return this.#refuse(head);
    }
    // The parser's object stays with this connection until the head is whole.
    this.#head = head;
    engine.requestHead = engine.takeRequestHead();
    this.#gathered = gather(engine, null, region, start, end - start);
    if (this.#gathered === null) return client.close();
    this.#wait(head, end - start);
  }

  #goOn(head: RequestHead, region: number, start: number, length: number): void {
    const { client } = this;
    const { engine, limits } = client.frontend;
    const gathered = gather(engine, this.#gathered, region, start, length);
    this.#gathered = gathered;
    if (gathered === null) return client.close();
    const end = gathered.start + gathered.length;
    const answer = parseRequest(head, engine.io.arena.bytes, gathered.start, end, limits);
    if (answer === NEED_MORE) return this.#wait(head, gathered.length);
    if (answer === REFUSED) return this.#refuse(head);
    this.#gathered = null;
    this.#head = null;
    client.begin(head, gathered.region, gathered.start + answer, end);
    engine.giveRequestHead(head);
  }

  /** The head is not whole yet, if it has begun: behind empty lines a client is as idle as before (RFC 9112 §2.2). */
  #wait(head: RequestHead, length: number): void {
    const { client } = this;
    if (!head.begun) {
      if (head.line === length) this.end();
    } else if (client.phase === "idle") {
      const { engine } = client.frontend;
      if (engine.accessLog !== null) this.#began = engine.now;
      client.awaitHead();
    }
  }

  #refuse({ refusal }: RequestHead): void {
    const { frontend } = this.client;
    frontend.count(FrontendCounter.requests, 1);
    this.#answer(refusal?.status ?? 400, "client_bad_request", refusal?.text);
  }

  /** Answers what is no request. */
  #answer(status: number, end: End, detail = ""): void {
    const { client } = this;
    const log = client.frontend.engine.accessLog;
    const trace = log === null ? null : log.begin(client, null, this.began);
    client.answer(status);
    if (log === null || trace === null) return;
    trace.status = status;
    trace.detail = detail;
    log.end(trace, end, client, null);
  }
}

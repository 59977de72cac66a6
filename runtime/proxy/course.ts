/**
 * The way of a request through the routes of its frontend to a backend, or to an answer of our own. Where a route has to ask
 * somebody first (a password, a forward-auth server), the head is held until there is an answer, then examined again.
 */
import { NO_REGION } from "../os/arena.ts";
import { maxForwards, method, type RequestHead } from "../http/mod.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import { askFor } from "./errand.ts";
import type { Exchange } from "./exchange.ts";
import { writeRequestHead } from "./heads.ts";
import { HeldRequest } from "./held_request.ts";
import { type Answer, LAST_HOP } from "./routes/answer.ts";
import type { ResponseFields } from "./routes/answer_fields.ts";
import type { Route } from "./routes/route.ts";
import { APPROVED, FRESH, PROVEN, type Stage, UNPROVEN } from "./routes/rules.ts";
import type { Granted, Routed, Routing, Verdict } from "./routing.ts";

/** How long somebody may think about a request, ms. */
const DECISION = 15_000;

export class Course {
  /** The route taken, for whoever logs, and what it changes; null where the frontend has none. */
  route: Route | null = null;
  routed: Routed | null = null;
  /** What is changed of responses, our own too; null = nothing. */
  fields: ResponseFields | null = null;
  #held: HeldRequest | null = null;

  constructor(readonly exchange: Exchange) {}

  /** Goes where the routes say; `[bodyStart, end)` of `region` follows the head. */
  begin(client: ClientConnection, head: RequestHead, region: number, bodyStart: number, end: number): void {
    const { routing, backend } = client.frontend;
    if (routing === null) this.#dispatch(client, backend, head, region, bodyStart, end);
    else this.#follow(client, routing, head, region, bodyStart, end, FRESH, null);
  }

  /** Ready for the next one. */
  end(): void {
    this.#release();
    this.route = this.routed = this.fields = null;
  }

  #follow(
    client: ClientConnection,
    routing: Routing,
    head: RequestHead,
    region: number,
    bodyStart: number,
    end: number,
    stage: Stage,
    granted: Granted | null,
  ): void {
    const { exchange } = this;
    const { trace, engine } = exchange;
    const verdict = routing.examine(client, head, stage, granted);
    if (trace !== null) trace.id = engine.routing.facts.requestId;
    if (verdict.type === "to") {
      this.route = verdict.routed.route;
      if (trace !== null) trace.route = this.route.name;
      this.routed = verdict.routed;
      this.fields = verdict.routed.response;
      if (this.route.options !== null) exchange.request.obey(this.route.options, head);
      return this.#dispatch(client, verdict.backend, head, region, bodyStart, end);
    }
    this.route = verdict.route;
    this.fields = verdict.fields;
    if (trace !== null) trace.route = verdict.route?.name ?? null;
    if (verdict.type !== "answer") this.#held ??= new HeldRequest(engine, head);
    client.unread(region, bodyStart, end);
    if (verdict.type === "answer") this.#turnAway(verdict.answer, verdict.rule);
    else this.#ask(client, routing, verdict);
  }

  /** Waits for somebody else's word on the request. */
  #ask(client: ClientConnection, routing: Routing, verdict: Extract<Verdict, { type: "verify" | "ask" }>): void {
    const { exchange } = this;
    const held = this.#held;
    if (held === null || !held.kept) return exchange.fail(503, "no_memory");
    exchange.phase = "deciding";
    client.arm(DECISION);
    const { limits } = client.frontend;
    const goOn = (stage: Stage, granted: Granted | null) => {
      this.#follow(client, routing, held.head(limits), NO_REGION, 0, 0, stage, granted);
    };
    const { route } = verdict;
    const asked = askFor(exchange.engine, client, verdict, held, (outcome) => {
      held.errand = null;
      if (this.#held !== held) return;
      if (outcome.type === "failed") this.#explain(outcome.why);
      if (outcome.type === "right") goOn(PROVEN, null);
      else if (outcome.type === "wrong") this.#turnAway(route.unauthorized, UNPROVEN);
      else if (outcome.type === "granted") goOn(APPROVED, outcome.granted);
      else if (outcome.type === "refused") this.#turnAway(outcome.answer, outcome.why);
      else exchange.fail(outcome.status, "no_decision");
    });
    if (this.#held === held && exchange.phase === "deciding") held.errand = asked;
  }

  /** Answers for the route; `rule` is what of it turned the request away, if anything did. */
  #turnAway(answer: Answer, rule: string | null = null): void {
    const { trace } = this.exchange;
    if (trace !== null) trace.rule = rule;
    this.exchange.reply(answer);
  }

  /** Nobody has answered in time. */
  late(): void {
    this.#held?.errand?.late();
    this.#explain(`no answer within ${DECISION / 1000} s`);
    this.exchange.fail(503, "no_decision");
  }

  #explain(why: string): void {
    const { trace } = this.exchange;
    if (trace !== null) trace.detail = why;
  }

  /** Sends the request to a server of `backend`. */
  #dispatch(
    client: ClientConnection,
    backend: Backend | null,
    head: RequestHead,
    region: number,
    bodyStart: number,
    end: number,
  ): void {
    const { exchange } = this;
    const { attempts, engine } = exchange;
    // Who is not let through learns nothing here either: routes have been asked.
    if (head.method === method.OPTIONS && maxForwards(head) === 0) {
      this.#release();
      client.unread(region, bodyStart, end);
      return exchange.reply(LAST_HOP);
    }
    exchange.phase = "connecting";
    const place = attempts.begin(backend, head, client);
    const addressee = place === "queued" ? backend?.servers[0] ?? null : place;
    // The head lies in `region`: it is written before that is given away.
    const written = addressee === null || writeRequestHead(engine, exchange, client, head, addressee);
    this.#release();
    client.unread(region, bodyStart, end);
    if (written) attempts.go(place);
    else exchange.fail(500, "no_memory");
  }

  #release(): void {
    this.#held?.[Symbol.dispose]();
    this.#held = null;
  }
}

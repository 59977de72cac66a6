/**
 * The routes of a frontend at work in one thread: what was configured, compiled, and the backends it names. A frontend
 * without routes has none of this.
 */
import type { FieldEdits, RequestHead } from "../http/mod.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Frontend } from "./frontend.ts";
import { type Answer, sentence } from "./routes/answer.ts";
import type { ResponseFields } from "./routes/answer_fields.ts";
import { renderLines } from "./routes/field_changes.ts";
import type { MonitorOptions } from "./routes/options.ts";
import type { Route } from "./routes/route.ts";
import type { RoutingSource } from "./routes/routing_text.ts";
import { type Decision, Rules, type Stage } from "./routes/rules.ts";
import { rewritten } from "./routes/target.ts";

/** What a route changes of the request and the response of one exchange. */
export interface Routed {
  readonly route: Route;
  /** Instead of the target the client sent. */
  readonly target: Uint8Array | null;
  readonly requestEdits: FieldEdits | null;
  readonly requestLines: Uint8Array | null;
  readonly response: ResponseFields | null;
}

/** Fields that the forward-auth server gave to the request. */
export interface Granted {
  readonly drop: readonly Uint8Array[];
  readonly lines: Uint8Array;
}

export type Verdict =
  | { readonly type: "to"; readonly backend: Backend | null; readonly routed: Routed }
  | AnswerVerdict
  | Extract<Decision, { readonly type: "verify" | "ask" }> & { readonly fields: ResponseFields | null };

interface AnswerVerdict {
  readonly type: "answer";
  readonly route: Route | null;
  readonly answer: Answer;
  /** What turned the request away, for the log. */
  readonly rule?: string;
  /** What is changed of it, and of whatever is answered later in its place. */
  readonly fields: ResponseFields | null;
}

const HEALTHY = sentence(200, "OK");
const UNHEALTHY = sentence(503, "This balancer should not get traffic now.");
const NO_PATH = sentence(400, "The rewritten path is none.");

export class Routing {
  readonly #rules: Rules;
  /** What routes change that change all requests alike: made once. null = each request in its own way. */
  readonly #plain = new Map<Route, Routed | null>();

  constructor(readonly frontend: Frontend, readonly options: RoutingSource, name: string) {
    const { rates, credentials } = frontend.engine.routing;
    const now = () => frontend.engine.now;
    this.#rules = new Rules(options, name, { rates, credentials, now, time: Date.now });
  }

  /** What happens to a request. `granted` by the forward-auth server, if it was asked. */
  examine(client: ClientConnection, head: RequestHead, stage: Stage, granted: Granted | null): Verdict {
    const facts = this.frontend.engine.routing.facts.begin(head, client);
    const decision = this.#rules.decide(facts, stage);
    switch (decision.type) {
      case "monitor": {
        const { monitor } = this.options;
        const answer = monitor !== null && this.#meets(monitor) ? HEALTHY : UNHEALTHY;
        return { type: "answer", route: null, answer, fields: this.#fieldsOf(this.#rules.default) };
      }
      case "pass":
        return this.#pass(decision.route, granted);
    }
    return { ...decision, fields: this.#fieldsOf(decision.route) };
  }

  #pass(route: Route, granted: Granted | null): Verdict {
    const { action, request } = route;
    if (action.type !== "backend") throw new TypeError("Cannot pass a request on: its route answers itself");
    const { backends, facts } = this.frontend.engine.routing;
    const wanted = action.backend === null ? this.frontend.backend : backends.get(action.backend);
    const aside = action.otherwise !== null && wanted?.available !== true;
    const backend = aside ? backends.get(action.otherwise) : wanted;
    const plain = this.#plainOf(route);
    if (plain !== null && granted === null) return { type: "to", backend: backend ?? null, routed: plain };
    const { values } = this.#rules;
    const target = action.rewrite === null ? null : rewritten(action.rewrite, facts.sentQuery, values);
    if (action.rewrite !== null && target === null) {
      return { type: "answer", route, answer: NO_PATH, fields: this.#fieldsOf(route) };
    }
    const lines = request === null ? null : renderLines(request, values);
    return {
      type: "to",
      backend: backend ?? null,
      routed: {
        route,
        target,
        requestEdits: granted === null ? request?.edits ?? null : {
          drop: [...request?.edits.drop ?? [], ...granted.drop],
          append: request?.edits.append ?? NOTHING,
        },
        requestLines: granted === null ? lines : joined(lines ?? NOTHING, granted.lines),
        response: this.#fieldsOf(route),
      },
    };
  }

  /** What is changed of the response to the request examined last. */
  #fieldsOf({ response }: Route): ResponseFields | null {
    return response === null ? null : { edits: response.edits, lines: renderLines(response, this.#rules.values) };
  }

  #plainOf(route: Route): Routed | null {
    let plain = this.#plain.get(route);
    if (plain === undefined) this.#plain.set(route, plain = unvarying(route));
    return plain;
  }

  #meets({ active, backends }: MonitorOptions): boolean {
    const { engine, options } = this.frontend;
    if (engine.stopping) return false;
    if (active && !options.binds.some(({ address }) => engine.routing.held.has(address))) return false;
    return backends.every((name) => engine.routing.backends.get(name)?.available === true);
  }
}

/** What the route changes, if that does not depend on the request. */
function unvarying(route: Route): Routed | null {
  const { action, request, response } = route;
  const rewrites = action.type === "backend" && action.rewrite !== null;
  if (rewrites || (request?.lines.length ?? 0) > 0 || (response?.lines.length ?? 0) > 0) return null;
  return {
    route,
    target: null,
    requestEdits: request?.edits ?? null,
    requestLines: null,
    response: response === null ? null : { edits: response.edits, lines: null },
  };
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

const NOTHING = new Uint8Array(0);

/**
 * What happens to a request: its route is found, then the route's conditions are tried in this order, the cheap and the
 * protective first, so that a client that is turned away costs as little as possible:
 *
 *     monitor → route → deny, allow → rate limit → password → body limit → own answer
 *                                        │ unknown                   └─▶ forward auth ─▶ backend
 *                                        └─▶ a password thread is asked; then onward with PROVEN
 */
import { BY_LENGTH, fieldName, type RequestHead } from "../../http/mod.ts";
import { type Answer, sentence } from "./answer.ts";
import { isAmong } from "./conditions.ts";
import type { CredentialCache, PasswordQuestion } from "./credentials.ts";
import { AMBIGUOUS, Matcher, NO_ROUTE } from "./matcher.ts";
import type { RateLimitOptions } from "./options.ts";
import type { RateTable } from "./rate_table.ts";
import type { RequestFacts } from "./request_facts.ts";
import type { RoutingSource } from "./routing_text.ts";
import { compileDefault, compileRoute, type Route, type Values } from "./route.ts";

/** How far a request has come. */
export const FRESH = 0;
/** Its password was found right. */
export const PROVEN = 1;
/** The forward-auth server let it pass. */
export const APPROVED = 2;
export type Stage = typeof FRESH | typeof PROVEN | typeof APPROVED;

export type Decision =
  /** To the backend of the route's action. */
  | { readonly type: "pass"; readonly route: Route }
  /** `rule`: what turned the request away, for the log; none where the answer is what the route is for. */
  | { readonly type: "answer"; readonly route: Route; readonly answer: Answer; readonly rule?: string }
  | { readonly type: "monitor" }
  /** A password thread is to be asked; then again with PROVEN, or `unauthorized`. */
  | { readonly type: "verify"; readonly route: Route; readonly question: PasswordQuestion }
  /** The forward-auth server is to be asked; then again with APPROVED, or its answer. */
  | { readonly type: "ask"; readonly route: Route };

export interface RulesPorts {
  readonly rates: RateTable;
  readonly credentials: CredentialCache;
  /** Monotonic ms. */
  now(): number;
  /** Ms of a clock that all threads share. */
  time(): number;
}

const AMBIGUOUS_PATH = sentence(400, "The path can be read in more than one way, and the rules differ for them.");
/** The rule that no right password was given. */
export const UNPROVEN = "basic_auth: no right user name and password";
const FORBIDDEN = sentence(403, "This request is not allowed.");
const TOO_LARGE = sentence(413, "The request body is larger than allowed.");

export class Rules {
  readonly default: Route;
  /** Compiled when the first request takes them: of thousands of routes a reload must not stop to compile each. */
  readonly #routes: (Route | undefined)[] = [];
  readonly #matcher: Matcher | null;
  readonly #monitor: Uint8Array | null;
  readonly #passes: (Decision | undefined)[] = [];
  readonly #passesDefault: Decision;
  readonly #values: Values;
  #facts: RequestFacts | null = null;

  /** @throws as `compileDefault` */
  constructor(readonly options: RoutingSource, readonly frontend: string, readonly ports: RulesPorts) {
    this.default = compileDefault(options);
    this.#matcher = options.matches.length === 0 ? null : new Matcher(options.matches);
    this.#monitor = options.monitor === null ? null : new TextEncoder().encode(options.monitor.path);
    this.#passesDefault = { type: "pass", route: this.default };
    const matcher = this.#matcher;
    this.#values = (name) => {
      const capture = matcher !== null && (name === "*" || isCapture(name));
      return capture ? matcher.capture(name) : this.#facts?.value(name) ?? "";
    };
  }

  /** One route, compiled. @throws as `compileRoute` */
  route(index: number): Route {
    return this.#routes[index] ??= compileRoute(this.options.route(index), index, this.frontend, this.options);
  }

  /** What is to be done with a request; the route's templates may be filled in until the next one is decided on. */
  decide(facts: RequestFacts, stage: Stage = FRESH): Decision {
    this.#facts = facts;
    if (stage === FRESH && this.#monitor !== null && asksFor(this.#monitor, facts.head)) return { type: "monitor" };
    const index = this.#matcher === null ? NO_ROUTE : this.#matcher.match(facts);
    if (index === NO_ROUTE) return this.#passesDefault;
    if (index === AMBIGUOUS) {
      return {
        type: "answer",
        route: this.default,
        answer: AMBIGUOUS_PATH,
        rule: "rules differ for readings of the path",
      };
    }
    return this.#examine(this.route(index), facts, stage);
  }

  /** Value of a placeholder for the request decided on last. */
  get values(): Values {
    return this.#values;
  }

  #examine(route: Route, facts: RequestFacts, stage: Stage): Decision {
    if (stage === FRESH) {
      const refused = this.#turnAway(route, facts);
      if (refused !== null) return refused;
    }
    const { basicAuth = null, bodyLimit = null, forwardAuth = null } = route.options ?? {};
    if (basicAuth !== null && stage < PROVEN) {
      const { credentials, now } = this.ports;
      const worth = credentials.check(fieldText(facts.head, fieldName.AUTHORIZATION), basicAuth, now());
      if (worth === "wrong") return { type: "answer", route, answer: route.unauthorized, rule: UNPROVEN };
      if (worth !== "right") return { type: "verify", route, question: worth };
    }
    const length = facts.head?.framing === BY_LENGTH ? facts.head.contentLength : 0;
    if (bodyLimit !== null && length > bodyLimit) {
      return { type: "answer", route, answer: TOO_LARGE, rule: "body_limit: the body is larger" };
    }
    if (forwardAuth !== null && stage < APPROVED) return { type: "ask", route };
    if (route.action.type === "backend") return this.#passes[route.index] ??= { type: "pass", route };
    return { type: "answer", route, answer: route.action.answer(this.#values) };
  }

  #turnAway(route: Route, facts: RequestFacts): Decision | null {
    const { deny, allow } = route;
    if (deny.length > 0 && (facts.client === null || isAmong(deny, facts))) {
      return { type: "answer", route, answer: FORBIDDEN, rule: "deny: the client is among it" };
    }
    if (allow !== null && !isAmong(allow, facts)) {
      return { type: "answer", route, answer: FORBIDDEN, rule: "allow: the client is not among it" };
    }
    const limit = route.options?.rateLimit ?? null;
    if (limit === null) return null;
    const key = route.rateKey + keyOf(limit, facts);
    const wait = this.ports.rates.take(key, limit.rate, limit.burst, this.ports.time());
    if (wait === 0) return null;
    const answer = sentence(429, "Too many requests.", `Retry-After: ${Math.ceil(wait / 1000)}\r\n`);
    return { type: "answer", route, answer, rule: "rate_limit: it is used up" };
  }
}

function isCapture(name: string): boolean {
  switch (name) {
    case "scheme":
    case "host":
    case "uri":
    case "path":
    case "query":
    case "method":
    case "client_ip":
    case "request_id":
      return false;
  }
  return true;
}

/** An IPv6 client has a /64 of addresses to choose from, so that is who it is. */
function keyOf({ key }: RateLimitOptions, facts: RequestFacts): string {
  if (key !== "client_ip") {
    const field = facts.head?.find(new TextEncoder().encode(key.header.toLowerCase())) ?? -1;
    return field < 0 || facts.head === null ? "" : `=${facts.head.text(field)}`;
  }
  const { client } = facts;
  return client === null ? facts.clientText : String.fromCharCode(...client.subarray(0, client.length === 4 ? 4 : 8));
}

function fieldText(head: RequestHead | null, id: number): string | null {
  const field = head?.findId(id) ?? -1;
  return head === null || field < 0 ? null : head.text(field);
}

/** Whether the path is `path` to the letter. */
function asksFor(path: Uint8Array, head: RequestHead | null): boolean {
  if (head === null || head.pathEnd - head.pathStart !== path.length) return false;
  const at = head.start + head.pathStart;
  for (let i = 0; i < path.length; i++) if (head.bytes[at + i] !== path[i]) return false;
  return true;
}

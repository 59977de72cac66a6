/** Requests as routes see them, from their text. */
import { parseRequest, RequestHead } from "../../../../runtime/http/mod.ts";
import { parseCidr } from "../../../../runtime/bytes/address.ts";
import type { FieldOptions, MatchOptions, RouteOptions } from "../../../../runtime/proxy/routes/options.ts";
import { RequestFacts } from "../../../../runtime/proxy/routes/request_facts.ts";

export interface RequestOptions {
  readonly method?: string;
  readonly host?: string;
  /** Whole field lines. */
  readonly fields?: string;
  readonly from?: string;
  readonly trusted?: readonly string[];
}

const facts = new RequestFacts(() => "made-up-id");

/** Facts of one request; good until the next call. */
export function requestOf(target: string, options: RequestOptions = {}): RequestFacts {
  const { method = "GET", host = "shop.example", fields = "", from = "192.0.2.7", trusted = [] } = options;
  const head = new RequestHead();
  const bytes = new TextEncoder().encode(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const length = parseRequest(head, bytes, 0, bytes.length);
  if (length <= 0) throw new Error(`The request is refused: ${head.refusal?.reason}`);
  return facts.begin(head, { addressText: from, scheme: "http", trusted: trusted.map(parseCidr) });
}

export function match(change: Partial<MatchOptions> = {}): MatchOptions {
  return { hosts: [], paths: [], methods: [], headers: [], query: [], clients: [], ...change };
}

export const NO_FIELDS: FieldOptions = { set: {}, add: {}, remove: [] };

/** A route to backend "b" that matches everything. */
export function route(change: Partial<RouteOptions> = {}): RouteOptions {
  return {
    match: match(),
    action: { type: "backend", backend: "b", rewrite: null },
    allow: [],
    deny: [],
    basicAuth: null,
    rateLimit: null,
    forwardAuth: null,
    bodyLimit: null,
    timeouts: { connect: null, server: null, client: null, tunnel: null },
    retry: { attempts: null, repeat: "safe" },
    requestHeaders: NO_FIELDS,
    responseHeaders: NO_FIELDS,
    ...change,
  };
}

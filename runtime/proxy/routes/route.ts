/** One route, compiled: everything that does not depend on the request is made here, once. */
import { type Cidr, parseCidr } from "../../bytes/address.ts";
import { parsePathPattern } from "../../http/path_pattern.ts";
import { parseTemplate, type Template } from "../../http/template.ts";
import { type Answer, guessType, sentence } from "./answer.ts";
import { compileFields, type FieldsPlan, fieldValue, renderLines } from "./field_changes.ts";
import type { FieldOptions, MatchOptions, RouteOptions, RoutingOptions } from "./options.ts";
import { location } from "./target.ts";

/** What the value of a placeholder is. */
export type Values = (name: string) => string;

export type Action =
  | {
    readonly type: "backend";
    readonly backend: string | null;
    readonly rewrite: Template | null;
    readonly otherwise: string | null;
  }
  | { readonly type: "answer"; readonly answer: (values: Values) => Answer };

export interface Route {
  /** −1 for what no route matches. */
  readonly index: number;
  /** As the access log names it: "#2 shop.example/api/*". */
  readonly name: string;
  readonly action: Action;
  /** null = everybody. */
  readonly allow: readonly Cidr[] | null;
  readonly deny: readonly Cidr[];
  /** null where the route has nothing to say; limits, secrets and time-outs are read as they are. */
  readonly options: RouteOptions | null;
  /** What distinguishes its buckets from those of other routes and of what it was before a reload. */
  readonly rateKey: string;
  readonly unauthorized: Answer;
  readonly request: FieldsPlan | null;
  readonly response: FieldsPlan | null;
}

/** What a frontend does to all its requests. */
type AroundRoutes = Pick<RoutingOptions, "requestHeaders" | "responseHeaders">;

/** What requests get that no route matches: the default backend, with the frontend's fields. */
export function compileDefault(frontend: AroundRoutes): Route {
  return {
    index: -1,
    name: "default",
    action: { type: "backend", backend: null, rewrite: null, otherwise: null },
    allow: null,
    deny: [],
    options: null,
    rateKey: "",
    unauthorized: FORBIDDEN,
    request: compileFields([frontend.requestHeaders], []),
    response: compileFields([frontend.responseHeaders], []),
  };
}

/**
 * Compiles a route of a frontend called `frontend`.
 *
 * @throws {SyntaxError} on what is no pattern, template or network
 * @throws {RangeError} on a field that must not be edited
 */
export function compileRoute(options: RouteOptions, index: number, frontend: string, around: AroundRoutes): Route {
  const captures = capturesOf(options.match);
  return {
    index,
    name: `#${index} ${describeMatch(options.match)}`,
    action: compileAction(options, captures),
    allow: options.allow.length === 0 ? null : options.allow.map(parseCidr),
    deny: options.deny.map(parseCidr),
    options,
    rateKey: `${frontend}\n${index}\n${JSON.stringify([options.match, options.rateLimit])}\n`,
    unauthorized: unauthorized(options.basicAuth?.realm ?? ""),
    request: compileFields([around.requestHeaders, options.requestHeaders], captures),
    response: compileFields([around.responseHeaders, options.responseHeaders], captures),
  };
}

function compileAction({ action }: RouteOptions, captures: readonly string[]): Action {
  switch (action.type) {
    case "backend": {
      const { backend, rewrite, otherwise = null } = action;
      return { type: "backend", backend, rewrite: rewrite === null ? null : template(rewrite, captures), otherwise };
    }
    case "redirect": {
      const to = template(action.to, captures);
      const { status } = action;
      const body = new Uint8Array(0);
      return {
        type: "answer",
        answer(values) {
          const where = location(to, values);
          return where === null ? NO_HOST : { status, lines: `Location: ${where}\r\n`, body };
        },
      };
    }
    case "respond": {
      const { status } = action;
      const body = new TextEncoder().encode(action.body);
      const type = Object.keys(action.headers).some((name) => name.toLowerCase() === "content-type");
      const first = type || action.body === "" ? "" : `Content-Type: ${guessType(action.body)}\r\n`;
      const fields = compileFields([{ ...NO_CHANGES, add: action.headers }], captures);
      const constant = first + (fields === null ? "" : String.fromCharCode(...fields.edits.append));
      return {
        type: "answer",
        answer(values) {
          const lines = fields === null ? null : renderLines(fields, values);
          return { status, lines: lines === null ? constant : constant + String.fromCharCode(...lines), body };
        },
      };
    }
  }
}

/** Names that templates of the route may use, beside those every request has. */
export function capturesOf({ paths }: MatchOptions): string[] {
  const patterns = paths.flatMap((path) => {
    const parsed = parsePathPattern(path);
    return parsed.ok ? [parsed.value] : [];
  });
  const names = new Set(patterns.flatMap((pattern) => pattern.names));
  const common = [...names].filter((name) => patterns.every((pattern) => pattern.names.includes(name)));
  return patterns.every(({ restAfter }) => restAfter >= 0) ? [...common, "*"] : common;
}

function describeMatch({ hosts, paths }: MatchOptions): string {
  return `${hosts.join(",")}${paths.join(",")}` || "*";
}

/** Pages begin as pages do; anything else is text. */
function unauthorized(realm: string): Answer {
  const quoted = fieldValue(realm).replace(/["\\]/g, "\\$&");
  return sentence(
    401,
    "This needs a user name and a password.",
    `WWW-Authenticate: Basic realm="${quoted}", charset="UTF-8"\r\n`,
  );
}

function template(text: string, captures: readonly string[]): Template {
  const parsed = parseTemplate(text, captures);
  if (!parsed.ok) throw new SyntaxError(`Cannot fill in "${text}": it ${parsed.reason}`);
  return parsed.value;
}

const NO_HOST = sentence(400, "The request names no host to be redirected to.");
const FORBIDDEN = sentence(403, "This request is not allowed.");
const NO_CHANGES: FieldOptions = { set: {}, add: {}, remove: [] };

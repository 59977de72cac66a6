/**
 * Path patterns of routes, in Hono's language: `/api/*` (also `/api`), `/users/:id`, `/users/:id{[0-9]+}`, `/a/:b?`.
 * They are compared with normal paths (path.ts), so they are brought into that form here; what could never match, or
 * would mean something else than it says, is refused with a reason.
 */
import { normalEscapes } from "./path.ts";
import { PLACEHOLDERS } from "./template.ts";

export interface PathPattern {
  /** As the router takes it. */
  readonly text: string;
  /** Names of its parameters, in their order. */
  readonly names: readonly string[];
  /** Segments before a `/*` at the end, −1 if there is none. */
  readonly restAfter: number;
}

export type ParsedPattern =
  | { readonly ok: true; readonly value: PathPattern }
  | { readonly ok: false; readonly reason: string };

const PARAMETER = /^:([A-Za-z][A-Za-z0-9_]*)(\{[^{}/]+\})?(\?)?$/;

/** Parses one pattern. */
export function parsePathPattern(text: string): ParsedPattern {
  if (text === "*" || text === "/*") return { ok: true, value: { text: "/*", names: [], restAfter: 0 } };
  if (!text.startsWith("/")) return wrong(`must begin with "/", got "${text}"`);
  const segments = text.slice(1).split("/");
  const names: string[] = [];
  const normal: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const reason = segmentFault(segment, last, names);
    if (reason !== null) return wrong(`${reason}, got "${text}"`);
    const name = PARAMETER.exec(segment)?.[1];
    if (name !== undefined) names.push(name);
    // Hono's routers differ on "/*/*" but not on parameters.
    if (segment === "*") normal.push(last ? segment : `:_${index}`);
    else normal.push(name !== undefined ? grouped(segment) : normalEscapes(octets(segment)));
  }
  const rest = segments.at(-1) === "*";
  return { ok: true, value: { text: `/${normal.join("/")}`, names, restAfter: rest ? segments.length - 1 : -1 } };
}

/** Segments that a pattern begins with and that stand for themselves, in normal form: "/api" of "/api/:id", "" of "/*". */
export function literalPrefix(text: string): string {
  const prefix = /^(?:\/(?![:*])[^/]*)*/.exec(text)?.[0] ?? "";
  // deno-lint-ignore no-control-regex
  return /^[\x00-$&-\x7f]*$/.test(prefix) ? prefix : normalEscapes(octets(prefix));
}

/** An expression with "|" would otherwise choose between the whole pattern's halves. */
function grouped(parameter: string): string {
  return parameter.replace(/\{(.*)\}/, (whole, expression) => expression.includes("|") ? `{(?:${expression})}` : whole);
}

function segmentFault(segment: string, last: boolean, names: readonly string[]): string | null {
  if (segment === "" && !last) return 'must not have "//": paths are compared with one slash for many';
  if (segment === "." || segment === "..") return 'must not have "." or "..": paths are compared with them resolved';
  if (segment === "*") return null;
  if (segment.startsWith(":")) return parameterFault(segment, last, names);
  if (segment.includes("*")) return '"*" must be a whole segment';
  if (/[?#]/.test(segment)) return 'must not have "?" or "#": the query has a key of its own';
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x20\x7f{}\\;]/.test(segment)) return "must not have a space, a control character, or any of {}\\;";
  return null;
}

function parameterFault(segment: string, last: boolean, names: readonly string[]): string | null {
  const [, name, expression, optional] = PARAMETER.exec(segment) ?? [];
  if (name === undefined) return "a parameter must be :name, :name{expression} or, at the end, :name?";
  if (names.includes(name)) return `has two parameters called ${name}`;
  if ((PLACEHOLDERS as readonly string[]).includes(name)) {
    return `must not call a parameter ${name}: {${name}} is taken`;
  }
  if (optional !== undefined && !last) return "only the last segment can be left out";
  return expression === undefined ? null : expressionFault(expression.slice(1, -1));
}

function expressionFault(expression: string): string | null {
  if (/\((?!\?)/.test(expression)) return "an expression must not capture: write (?:…)";
  // Hono's routers differ on expressions that go on behind their segment.
  if (/\\[DWS]|\[\^/.test(expression) || /\./.test(expression.replace(/\\.|\[[^\]]*\]/g, ""))) {
    return 'an expression must not match "/": say what may stand in the segment, as in [a-z0-9.-]+';
  }
  try {
    new RegExp(`^${expression}$`);
    return null;
  } catch (error) {
    return `has an expression that is none (${error instanceof Error ? error.message : error})`;
  }
}

/** Text as the octets of its UTF-8, one character each. */
function octets(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function wrong(reason: string): ParsedPattern {
  return { ok: false, reason };
}

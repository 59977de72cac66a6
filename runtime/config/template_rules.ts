/** Templates of routes: their placeholders exist, and a redirect leads where its author meant. */
import { parsePathPattern } from "../http/path_pattern.ts";
import { parseTemplate, PLACEHOLDERS, type Template } from "../http/template.ts";
import type { Report } from "./decoder.ts";
import { nearest } from "./nearest.ts";
import type { MatchDraft } from "./route_schema.ts";
import type { Tree } from "./tree.ts";

/** What a route's path captures: parameters that each of its patterns has, and "*" where each ends in `/*`. */
export function capturesOf(match: MatchDraft | null | undefined): readonly string[] {
  const patterns = (match?.path ?? []).flatMap((path) => {
    const parsed = path === undefined ? null : parsePathPattern(path);
    return parsed?.ok ? [parsed.value] : [];
  });
  const names = [...new Set(patterns.flatMap((pattern) => pattern.names))];
  const common = names.filter((name) => patterns.every((pattern) => pattern.names.includes(name)));
  return patterns.every(({ restAfter }) => restAfter >= 0) ? [...common, "*"] : common;
}

/** The template at `tree`, or null after a report. */
export function judgeTemplate(
  text: string,
  tree: Tree,
  captures: readonly string[],
  report: Report,
): Template | null {
  const parsed = parseTemplate(text, captures);
  if (parsed.ok) return parsed.value;
  report(tree, parsed.unknown === undefined ? parsed.reason : `${parsed.reason}${explain(parsed.unknown, captures)}`);
  return null;
}

function explain(unknown: string, captures: readonly string[]): string {
  if (unknown === "*") return ": each path of the route must end in /* for that";
  const known = [...PLACEHOLDERS, ...captures];
  const meant = nearest(unknown, known);
  const there = meant === null ? `there is ${known.map((name) => `{${name}}`).join(" ")}` : `did you mean {${meant}}?`;
  return /^[\w-]+$/.test(unknown) ? `; ${there}` : '; write "{{" for a brace';
}

/** A redirect goes to a path, or to a host that no capture can make longer: `https://{host}{*}` would. */
export function judgeLocation(text: string, { literals, names }: Template, tree: Tree, report: Report): void {
  const [first] = literals;
  const whole = first === "" && (names[0] === "uri" || names[0] === "path");
  if (first.startsWith("/") || whole) return;
  const scheme = /^(https?|\{scheme\}):\/\//i.exec(text)?.[0];
  if (scheme === undefined) {
    report(tree, `must begin with "/", "http://" or "https://", got ${JSON.stringify(text)}`);
    return;
  }
  const authority = /^[^/?#]*/.exec(text.slice(scheme.length))?.[0] ?? "";
  const inside = [...authority.matchAll(/\{([^{}]*)\}/g)].map(([, name]) => name);
  const stray = inside.find((name) => !["host", "uri", "path"].includes(name));
  if (stray !== undefined) {
    report(tree, `must not have {${stray}} in its host: a client could make any host of it; write "/" before it`);
  } else if (authority === "" || /^\{(uri|path)\}/.test(authority)) report(tree, "must name a host");
}

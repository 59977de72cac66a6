/** Text with placeholders, as redirects, rewrites and field values have: `https://{host}/new/{*}`. "{{" is a brace. */

/** What every request has. `{*}` and `{name}` are captures of the route's path. */
export const PLACEHOLDERS = ["scheme", "host", "uri", "path", "query", "method", "client_ip", "request_id"] as const;

export interface Template {
  /** Text before, between and behind the placeholders: one more than `names`. */
  readonly literals: readonly string[];
  readonly names: readonly string[];
}

export type ParsedTemplate =
  | { readonly ok: true; readonly value: Template }
  | { readonly ok: false; readonly reason: string; /** That nobody knows. */ readonly unknown?: string };

/** Parses a template whose route captures `captures`: parameter names, and "*" for the rest of the path. */
export function parseTemplate(text: string, captures: readonly string[] = []): ParsedTemplate {
  const literals: string[] = [];
  const names: string[] = [];
  let literal = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character !== "{" && character !== "}") literal += character;
    else if (text[i + 1] === character) {
      literal += character;
      i++;
    } else if (character === "}") return wrong('has "}" without "{": write "}}" for a brace');
    else {
      const end = text.indexOf("}", i);
      if (end < 0) return wrong('has "{" without "}": write "{{" for a brace');
      const name = text.slice(i + 1, end);
      if (!captures.includes(name) && !(PLACEHOLDERS as readonly string[]).includes(name)) {
        return { ok: false, reason: `has an unknown placeholder {${name}}`, unknown: name };
      }
      literals.push(literal);
      names.push(name);
      literal = "";
      i = end;
    }
  }
  literals.push(literal);
  return { ok: true, value: { literals, names } };
}

/** The template filled in, each value as `value` answers it. */
export function fill({ literals, names }: Template, value: (name: string) => string): string {
  let text = literals[0];
  for (let i = 0; i < names.length; i++) text += value(names[i]) + literals[i + 1];
  return text;
}

function wrong(reason: string): ParsedTemplate {
  return { ok: false, reason };
}

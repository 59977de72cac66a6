/** Changes of fields by frontend and route together: what is constant as bytes, the rest as templates. */
import { bytesOf, compileEdits, type FieldEdits } from "../../http/mod.ts";
import { escape } from "../../http/path.ts";
import { fill, parseTemplate, type Template } from "../../http/template.ts";
import type { FieldOptions } from "./options.ts";

export interface FieldsPlan {
  readonly edits: FieldEdits;
  /** Fields whose value differs from request to request. */
  readonly lines: readonly { readonly name: string; readonly value: Template }[];
}

const NONE: FieldEdits = { drop: [], append: new Uint8Array(0) };

/**
 * Compiles the changes of a frontend and then a route; null if there are none. Where both set a field, the route does.
 *
 * @param captures of the route, see `parseTemplate`
 * @throws {RangeError} when a field must not be edited
 * @throws {SyntaxError} when a value is no template
 */
export function compileFields(all: readonly FieldOptions[], captures: readonly string[]): FieldsPlan | null {
  const set = new Map<string, [string, Template]>();
  const add: [string, Template][] = [];
  const drop = new Set<string>();
  for (const options of all) {
    for (const name of options.remove) {
      drop.add(name);
      set.delete(name.toLowerCase());
    }
    for (const [name, value] of Object.entries(options.set)) {
      set.set(name.toLowerCase(), [name, template(value, captures)]);
      drop.add(name);
    }
    for (const [name, value] of Object.entries(options.add)) add.push([name, template(value, captures)]);
  }
  const fields = [...set.values(), ...add];
  if (drop.size === 0 && fields.length === 0) return null;
  const edits = [compileEdits({ remove: [...drop] }) ?? NONE];
  const lines: { name: string; value: Template }[] = [];
  for (const [name, value] of fields) {
    // Also where the value is not known yet, the name is checked.
    const constant = compileEdits({ add: { [name]: value.names.length === 0 ? octets(value.literals[0]) : "" } });
    if (value.names.length > 0) lines.push({ name, value });
    else if (constant !== null) edits.push(constant);
  }
  const append = bytesOf(edits.map((each) => String.fromCharCode(...each.append)).join(""));
  return { edits: { drop: edits[0].drop, append }, lines };
}

/** Whole lines of the fields that depend on the request; null if there are none. */
export function renderLines(plan: FieldsPlan, value: (name: string) => string): Uint8Array | null {
  if (plan.lines.length === 0) return null;
  let text = "";
  for (const { name, value: template } of plan.lines) text += `${name}: ${fieldValue(fill(template, value))}\r\n`;
  return bytesOf(text);
}

/**
 * Text that may stand in a field. Nothing that is captured has a control character, as heads are checked and paths are
 * in normal form; that no line can end here must not depend on that.
 */
export function fieldValue(text: string): string {
  // deno-lint-ignore no-control-regex
  return octets(text).replace(/[\x00-\x08\x0a-\x1f\x7f]/g, (character) => escape(character.charCodeAt(0))).trim();
}

/** Text as it goes over the wire: Latin-1 as it is, anything else as UTF-8, one character an octet. */
function octets(text: string): string {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\xff]*$/.test(text) ? text : String.fromCharCode(...new TextEncoder().encode(text));
}

function template(text: string, captures: readonly string[]): Template {
  const parsed = parseTemplate(text, captures);
  if (!parsed.ok) throw new SyntaxError(`Cannot fill in "${text}": it ${parsed.reason}`);
  return parsed.value;
}

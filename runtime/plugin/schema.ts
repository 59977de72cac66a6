/**
 * The JSON Schema of a plugin's configuration, as far as declarations make it. It comes from whoever made the plugin, by hand
 * or from code, and is looked at before anybody relies on it or prints it. Pure.
 */
import type { JsonSchema } from "../../plugins/declaration.ts";
import { checkOptions } from "./options.ts";
import { isPlain, plainLine } from "./output.ts";

export interface SchemaProblem {
  /** From the top of the schema. */
  readonly path: readonly string[];
  readonly message: string;
}

const MOST_DEPTH = 16;
const TYPES = ["string", "number", "integer", "boolean", "array", "object"];
const MARKS = ["secret", "duration"];
const SIZES = ["minLength", "maxLength", "minItems"] as const, BOUNDS = ["minimum", "maximum"] as const;

/** Whether `value` has the shape of a {@linkcode JsonSchema}, and no word in it that steers a terminal; all problems at once. */
export function schemaProblems(value: unknown, path: readonly string[] = []): SchemaProblem[] {
  const schema = map(value);
  if (schema === null) return [{ path, message: `must be a map, got ${show(value)}` }];
  if (path.length > 2 * MOST_DEPTH) return [{ path, message: `must be nested less deeply than ${MOST_DEPTH}` }];
  const problems: SchemaProblem[] = [];
  const must = (key: string, holds: (one: unknown) => boolean, wanted: string) => {
    const one = schema[key];
    if (one !== undefined && !holds(one)) {
      problems.push({ path: [...path, key], message: `${wanted}, got ${show(one)}` });
    }
  };
  must("type", (one) => TYPES.includes(one as string), `must be one of ${TYPES.join(", ")}`);
  must("x-tandem", (one) => MARKS.includes(one as string), `must be one of ${MARKS.join(", ")}`);
  for (const key of ["description", "pattern"]) must(key, isSentence, "must be one line of plain text");
  for (const key of SIZES) must(key, (one) => Number.isSafeInteger(one) && (one as number) >= 0, "must be 0 or more");
  for (const key of BOUNDS) must(key, Number.isFinite, "must be a number");
  must("enum", (one) => Array.isArray(one) && one.length > 0 && one.every(isChoice), "must be a list of plain values");
  must("required", (one) => Array.isArray(one) && one.every(isSentence), "must be a list of names");
  must(
    "additionalProperties",
    (one) => typeof one === "boolean" || map(one) !== null,
    "must be true, false or a schema",
  );
  must("properties", (one) => map(one) !== null, "must be a map of schemas");
  // What a default holds may be anything that is sent or compared, "PING\r\n" too: it is made safe where it is printed.
  for (const [name, property] of Object.entries(map(schema.properties) ?? {})) {
    const at = [...path, "properties", name];
    if (!isSentence(name)) problems.push({ path: at, message: "must have a name of plain text" });
    problems.push(...schemaProblems(property, at));
  }
  for (const key of ["items", "additionalProperties"]) {
    const one = schema[key];
    if (one !== undefined && typeof one !== "boolean") problems.push(...schemaProblems(one, [...path, key]));
  }
  return problems;
}

/** What of a schema can never be met: patterns that are none, and defaults that their own field refuses. */
export function contradictions(schema: JsonSchema, path: readonly string[] = []): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  if (schema.pattern !== undefined) {
    try {
      new RegExp(schema.pattern, "u");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      problems.push({ path: [...path, "pattern"], message: `is none: ${plainLine(why)}` });
    }
  }
  if (schema.default !== undefined) {
    const name = path.at(-1) ?? "";
    const alone = checkOptions({ type: "object", properties: { [name]: schema } }, { [name]: schema.default });
    for (const { path: [, ...below], message } of alone.problems) {
      problems.push({ path: [...path, "default", ...below], message });
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    problems.push(...contradictions(property, [...path, "properties", name]));
  }
  for (const key of ["items", "additionalProperties"] as const) {
    const one = schema[key];
    if (typeof one === "object") problems.push(...contradictions(one, [...path, key]));
  }
  return problems;
}

function map(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null;
}

function isSentence(value: unknown): boolean {
  return typeof value === "string" && isPlain(value);
}

function isChoice(value: unknown): boolean {
  return isSentence(value) || typeof value === "number" || typeof value === "boolean";
}

function show(value: unknown): string {
  return plainLine(JSON.stringify(value)?.slice(0, 200) ?? "nothing").slice(0, 60);
}

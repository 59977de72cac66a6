/** An operator's `with:` against the schema a plugin declares, without running the plugin. Pure. */
import type { JsonSchema } from "../../plugins/declaration.ts";
import { plainLine } from "./output.ts";

export interface OptionProblem {
  /** From the top of `with:`. */
  readonly path: readonly string[];
  readonly message: string;
}

export interface OptionsResult {
  /** Defaults filled in, durations in milliseconds. Of no use while there are problems. */
  readonly value: unknown;
  readonly problems: readonly OptionProblem[];
  /** Values of secret keys: what must be shown nowhere. */
  readonly secrets: readonly string[];
}

/** How deep a schema may nest: it comes from a plugin. */
const MOST_DEPTH = 16;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function checkOptions(schema: JsonSchema, value: unknown): OptionsResult {
  const problems: OptionProblem[] = [];
  const secrets: string[] = [];
  const checked = checkValue(schema, value ?? {}, [], { problems, secrets });
  return { value: checked, problems, secrets };
}

interface Findings {
  readonly problems: OptionProblem[];
  readonly secrets: string[];
}

function checkValue(schema: JsonSchema, value: unknown, path: readonly string[], findings: Findings): unknown {
  const secret = schema["x-tandem"] === "secret";
  const wrong = (wanted: string) => {
    const got = secret ? "" : `, got ${show(value)}`;
    findings.problems.push({ path, message: `must be ${wanted}${got}` });
    return value;
  };
  if (path.length > MOST_DEPTH) return wrong(`nested less deeply than ${MOST_DEPTH}`);
  if (schema.enum && !schema.enum.includes(value)) return wrong(`one of ${schema.enum.map(String).join(", ")}`);
  switch (schema.type) {
    case "string": {
      if (typeof value !== "string") return wrong("text");
      if (secret) findings.secrets.push(value);
      return schema["x-tandem"] === "duration" ? duration(value, wrong) : text(schema, value, wrong);
    }
    case "number":
    case "integer":
      return numeric(schema, value, wrong);
    case "boolean":
      return typeof value === "boolean" ? value : wrong("true or false");
    case "array": {
      if (!Array.isArray(value)) return wrong("a list");
      if (value.length < (schema.minItems ?? 0)) return wrong(`a list of ${schema.minItems} or more`);
      return value.map((item, index) => checkValue(schema.items ?? {}, item, [...path, String(index)], findings));
    }
    case "object":
      if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong("a map");
      return checkMap(schema, value as Readonly<Record<string, unknown>>, path, findings);
    default:
      return value;
  }
}

function checkMap(
  schema: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  path: readonly string[],
  findings: Findings,
): unknown {
  const result: Record<string, unknown> = {};
  const properties = schema.properties ?? {};
  for (const [name, item] of Object.entries(value)) {
    const known = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
    const at = [...path, name];
    if (typeof known === "object") result[name] = checkValue(known, item, at, findings);
    else if (known === false) {
      const names = Object.keys(properties);
      const there = names.length === 0 ? "this plugin has no options" : `there is ${names.join(", ")}`;
      findings.problems.push({ path: at, message: `is unknown; ${there}` });
    } else result[name] = item;
  }
  for (const [name, property] of Object.entries(properties)) {
    if (Object.hasOwn(value, name)) continue;
    // A default is written as the operator would write it, so "10s" becomes milliseconds here too.
    if (property.default !== undefined) {
      result[name] = checkValue(property, property.default, [...path, name], findings);
    } else if (schema.required?.includes(name)) {
      const what = property.description === undefined ? "" : `: ${property.description}`;
      findings.problems.push({ path: [...path, name], message: `is missing${what}` });
    }
  }
  return result;
}

type Wrong = (wanted: string) => unknown;

function duration(value: string, wrong: Wrong): unknown {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) ?? [];
  return unit === undefined ? wrong("a duration with its unit, as 2s") : Math.round(Number(amount) * UNITS[unit]);
}

function text(schema: JsonSchema, value: string, wrong: Wrong): unknown {
  if (value.length < (schema.minLength ?? 0)) return wrong(`${schema.minLength} characters or more`);
  if (value.length > (schema.maxLength ?? Infinity)) return wrong(`${schema.maxLength} characters or fewer`);
  // A pattern comes from the plugin and could take for ever on the right text: only short texts are tried.
  if (schema.pattern !== undefined && !matches(schema.pattern, value)) return wrong(`text like ${schema.pattern}`);
  return value;
}

const PATTERN_LIMIT = 200, MATCHED_LIMIT = 256;
/** A repeated group that repeats inside, and back references: what makes a pattern take exponential time. */
const EXPLOSIVE = /[+*}]\s*\)\s*[+*{]|\\[1-9]|\(\?[=!<]/;

function matches(pattern: string, value: string): boolean {
  if (pattern.length > PATTERN_LIMIT || value.length > MATCHED_LIMIT || EXPLOSIVE.test(pattern)) return true;
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // plugin check reports a pattern that is none
  }
}

function numeric(schema: JsonSchema, value: unknown, wrong: Wrong): unknown {
  const whole = schema.type === "integer";
  if (typeof value !== "number" || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    return wrong(whole ? "a whole number" : "a number");
  }
  const { minimum = -Infinity, maximum = Infinity } = schema;
  if (value >= minimum && value <= maximum) return value;
  if (minimum === -Infinity) return wrong(`${maximum} or less`);
  return wrong(maximum === Infinity ? `${minimum} or more` : `${minimum} to ${maximum}`);
}

function show(value: unknown): string {
  // JSON writes C0 as escapes, and leaves what else could steer a terminal.
  return value === undefined ? "nothing" : plainLine(JSON.stringify(value) ?? typeof value).slice(0, 60);
}

/**
 * How a plugin declares its configuration: once, in code. From the declaration come the type of `ctx.config` and the JSON
 * Schema by which Tandem checks an operator's `with:` without running the plugin.
 *
 * @module
 */

/** The part of JSON Schema that declarations use. */
export interface JsonSchema {
  readonly type?: "string" | "number" | "integer" | "boolean" | "array" | "object";
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  /** `secret`: shown nowhere, given only by grant. `duration`: written "2s", read as milliseconds. */
  readonly "x-tandem"?: "secret" | "duration";
}

/** One key of a configuration, whose value is a `T`, and is written as a `Written`: a duration is milliseconds, and written "2s". */
export interface Field<T, Written = unknown> {
  readonly schema: JsonSchema;
  readonly optional: boolean;
  /** Only for the compiler: the type of the value. */
  readonly value?: T;
  /** Only for the compiler: what an operator writes, and a default is. */
  readonly written?: Written;
}

/** What `config:` of a definition holds: a field for each key. */
export type Declaration<Config> = { readonly [Key in keyof Config]: Field<Config[Key]> };

interface Described {
  /** One sentence, shown by `plugin list` and in the errors of `check`. */
  readonly description?: string;
}

interface WithDefault<T> extends Described {
  /** Used where the operator says nothing; without it the key is required. */
  readonly default?: T;
}

function field<T, Written = T>(schema: JsonSchema, options: WithDefault<unknown> = {}): Field<T, Written> {
  const { default: fallback, description } = options;
  return {
    schema: {
      ...schema,
      ...(description === undefined ? {} : { description }),
      ...(fallback === undefined ? {} : { default: fallback }),
    },
    optional: fallback !== undefined,
  };
}

/**
 * Fields of a configuration.
 *
 * @example
 * ```ts
 * import { s } from "tandem/plugin";
 *
 * const config = {
 *   role: s.oneOf(["primary", "replica"], { default: "primary" }),
 *   password: s.secret(),
 *   maxLag: s.duration({ default: "10s" }),
 * };
 * ```
 */
export const s = {
  string: (
    options: WithDefault<string> & Pick<JsonSchema, "pattern" | "minLength" | "maxLength"> = {},
  ): Field<string, string> =>
    field({ type: "string", ...pick(options, ["pattern", "minLength", "maxLength"]) }, options),
  number: (options: WithDefault<number> & Pick<JsonSchema, "minimum" | "maximum"> = {}): Field<number, number> =>
    field({ type: "number", ...pick(options, ["minimum", "maximum"]) }, options),
  integer: (options: WithDefault<number> & Pick<JsonSchema, "minimum" | "maximum"> = {}): Field<number, number> =>
    field({ type: "integer", ...pick(options, ["minimum", "maximum"]) }, options),
  boolean: (options: WithDefault<boolean> = {}): Field<boolean, boolean> => field({ type: "boolean" }, options),
  oneOf: <const T extends string>(values: readonly T[], options: WithDefault<NoInfer<T>> = {}): Field<T, T> =>
    field({ type: "string", enum: values }, options),
  /** Written with a unit ("250ms", "2s", "5m", "1h"), read as milliseconds. */
  duration: (options: WithDefault<string> = {}): Field<number, string> =>
    field({ type: "string", pattern: "^\\d+(\\.\\d+)?(ms|s|m|h|d)$", "x-tandem": "duration" }, options),
  /** A string that Tandem never shows. The operator names a granted secret: `password: { secret: pg }`. */
  secret: (options: Described = {}): Field<string, string> => field({ type: "string", "x-tandem": "secret" }, options),
  list: <T, Written>(
    item: Field<T, Written>,
    options: WithDefault<readonly NoInfer<Written>[]> & Pick<JsonSchema, "minItems"> = {},
  ): Field<readonly T[], readonly Written[]> =>
    field({ type: "array", items: item.schema, ...pick(options, ["minItems"]) }, options),
  /** Any keys, all values alike. */
  map: <T, Written>(
    item: Field<T, Written>,
    options: WithDefault<Readonly<Record<string, NoInfer<Written>>>> = {},
  ): Field<Readonly<Record<string, T>>, Readonly<Record<string, Written>>> =>
    field({ type: "object", additionalProperties: item.schema }, options),
  optional: <T, Written>(item: Field<T, Written>): Field<T | undefined, Written | undefined> => ({
    schema: item.schema,
    optional: true,
  }),
} as const;

function pick<T extends object, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Pick<
    T,
    Key
  >;
}

/** The JSON Schema of a declaration: what `plugin check` writes into plugin.yaml. */
export function schemaOf(declaration: Declaration<never> | Readonly<Record<string, Field<unknown>>>): JsonSchema {
  const fields = Object.entries(declaration as Readonly<Record<string, Field<unknown>>>);
  return {
    type: "object",
    properties: Object.fromEntries(fields.map(([name, { schema }]) => [name, schema])),
    required: fields.filter(([, { optional }]) => !optional).map(([name]) => name),
    additionalProperties: false,
  };
}

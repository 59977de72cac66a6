/** Decoders of lists and maps, and the keys a map knows. */
import { type Decoder, fail, type JsonSchema, type Report } from "./decoder.ts";
import { hint } from "./nearest.ts";
import { got, isNull, type MapTree, reach } from "./tree.ts";

export interface ListOptions {
  /** A single value is a list of one. */
  readonly single?: boolean;
  readonly nonEmpty?: string;
}

export function list<T>(item: Decoder<T>, options: ListOptions = {}): Decoder<readonly (T | undefined)[]> {
  const many = { type: "array", items: item.schema, ...(options.nonEmpty && { minItems: 1 }) };
  return {
    schema: options.single ? { anyOf: [item.schema, many] } : many,
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      if (tree.kind !== "list") {
        if (options.single) return [item.decode(tree, report)];
        return fail(report, tree, `must be a list, got ${got(tree)}`);
      }
      if (tree.items.length === 0 && options.nonEmpty) return fail(report, tree, options.nonEmpty);
      return tree.items.map((value) => item.decode(value, report));
    },
  };
}

export interface RecordOptions {
  /** What a key is called and looks like. */
  readonly key?: { readonly pattern: RegExp; readonly wanted: string };
  readonly nonEmpty?: string;
}

/** A map from names to values of one kind. Empty entries are as if they were not there. */
export function record<T>(item: Decoder<T>, options: RecordOptions = {}): Decoder<ReadonlyMap<string, T | undefined>> {
  return {
    schema: { type: "object", additionalProperties: item.schema },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      if (tree.kind !== "map") return fail(report, tree, `must be a map, got ${got(tree)}`);
      const values = new Map<string, T | undefined>();
      for (const [name, entry] of tree.entries) {
        if (options.key !== undefined && !options.key.pattern.test(name)) {
          report(entry, `must be ${options.key.wanted}, got ${JSON.stringify(name)}`);
        }
        if (isNull(entry.value)) continue;
        values.set(name, item.decode(entry.value, report));
      }
      if (values.size === 0 && options.nonEmpty) return fail(report, tree, options.nonEmpty);
      return values;
    },
  };
}

/** A key of a map: what it holds, and what its absence means. */
export interface Field<T> {
  readonly decoder: Decoder<T>;
  /** undefined: the key is required. */
  readonly otherwise: (() => T) | undefined;
  /** What a written null means, where it means more than absence. */
  readonly whenNull?: () => T;
}

export function required<T>(decoder: Decoder<T>): Field<T> {
  return { decoder, otherwise: undefined };
}

/** Absent = `value`. */
export function optional<T>(decoder: Decoder<T>, value: T): Field<T>;
export function optional<T>(decoder: Decoder<T>): Field<T | null>;
export function optional<T>(decoder: Decoder<T>, value: T | null = null): Field<T | null> {
  return { decoder, otherwise: () => value };
}

/** A key of the contract that is not built yet. `instead`: what to do today. Make it work: put its decoder here. */
export function later(instead: string): Field<null> {
  const message = `is not in this version: ${instead}`;
  const decoder: Decoder<never> = {
    schema: { description: message, not: {} },
    later: true,
    decode: (tree, report) => fail(report, tree, message),
  };
  return { decoder, otherwise: () => null };
}

type Fields = Readonly<Record<string, Field<unknown>>>;
export type Decoded<F extends Fields> = {
  readonly [K in keyof F]: (F[K] extends Field<infer T> ? T : never) | undefined;
};

export interface FieldsDecoder<F extends Fields> extends Decoder<Decoded<F>> {
  readonly known: F;
}

/** A map with these keys and no others. */
export function fields<const F extends Fields>(known: F): FieldsDecoder<F> {
  return {
    known,
    get schema() {
      return describe(known);
    },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      if (tree.kind !== "map") {
        return fail(report, tree, `must be a map (${Object.keys(known).join(", ")}), got ${got(tree)}`);
      }
      reportUnknown(tree, known, report);
      const values: Record<string, unknown> = {};
      for (const [key, field] of Object.entries(known)) values[key] = decodeField(tree, key, field, report);
      return values as Decoded<F>;
    },
  };
}

/** The same keys, none of them required. */
export function partial<F extends Fields>({ known }: FieldsDecoder<F>): FieldsDecoder<Fields> {
  return fields(
    Object.fromEntries(
      Object.entries(known).map(([key, { decoder, otherwise }]) => [key, {
        decoder,
        otherwise: otherwise ?? (() => undefined),
      }]),
    ),
  );
}

function decodeField(map: MapTree, key: string, field: Field<unknown>, report: Report): unknown {
  const { decoder, otherwise, whenNull } = field;
  const entry = map.entries.get(key);
  if (entry !== undefined && !isNull(entry.value)) {
    // What is not there yet is said at its key, where one looks for it.
    return decoder.later ? decoder.decode({ kind: "broken", ...entry }, report) : decoder.decode(entry.value, report);
  }
  const empty = entry?.value.kind === "scalar" ? decoder.empty?.(entry.value) : undefined;
  if (entry !== undefined && empty) return fail(report, entry.value, empty);
  if (entry !== undefined && whenNull !== undefined) return whenNull();
  if (otherwise !== undefined) return otherwise();
  const path = map.path === "" ? key : `${map.path}.${key}`;
  return fail(
    report,
    { at: entry?.at ?? map.at, path },
    entry === undefined ? "is required" : "is required, got nothing",
  );
}

function reportUnknown(map: MapTree, known: Fields, report: Report): void {
  for (const [key, entry] of map.entries) {
    if (Object.hasOwn(known, key)) continue;
    if (map.path === "" && key.startsWith("x-")) continue;
    report(entry, `unknown key${hint(key, Object.keys(known))}`);
  }
}

function describe(known: Fields): JsonSchema {
  const entries = Object.entries(known);
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(entries.map(([key, { decoder, otherwise }]) => [key, annotate(decoder, otherwise)])),
    required: entries.filter(([, field]) => field.otherwise === undefined).map(([key]) => key),
  };
}

/** A default is told in the file's own type: milliseconds are not what one writes for a duration. */
function annotate({ schema }: Decoder<unknown>, otherwise: (() => unknown) | undefined): JsonSchema {
  const value = otherwise?.();
  const fits = typeof value === "boolean" || (typeof value === "number" && schema.type === "integer") ||
    (typeof value === "string" && schema.type === "string") ||
    (Array.isArray(schema.enum) && schema.enum.includes(value));
  return fits ? { ...schema, default: value } : schema;
}

/** A form of the contract that is not built yet; the mistake is where `key` says which form it is. */
export function laterForm(key: string, instead: string): Decoder<never> {
  const message = `is not in this version: ${instead}`;
  return {
    schema: { description: message, not: {} },
    decode: (tree, report) => fail(report, reach(tree, key), message),
  };
}

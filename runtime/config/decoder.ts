/**
 * Declares what a tree may hold, and reads it: all mistakes at once, each where it was written. A decoder also knows its
 * JSON Schema, for editors.
 *
 * zod reads plain values: positions, quoting, comments and the origin of merged values are gone by then, and those are
 * what these errors are made of. So the schema is declared here, over the tree.
 */
import type { Position } from "./problem.ts";
import type { ScalarTree, Tree } from "./tree.ts";

export type JsonSchema = { readonly [key: string]: unknown };

interface Where {
  readonly at: Position;
  readonly path: string;
}

/** Where mistakes go. */
export type Report = (where: Where, message: string) => void;

export interface Decoder<T> {
  readonly schema: JsonSchema;
  /** The value, or undefined after a report. A value that is partly wrong comes back with undefined in those places. */
  decode(tree: Tree, report: Report): T | undefined;
  /** Why a key of this type with nothing behind it is a mistake; null where it only means "absent". */
  empty?(tree: ScalarTree): string | null;
  /** A later version's value: its mistake is the key itself. */
  readonly later?: true;
}

/** The decoded value, made into another; `to` reports and answers undefined where it cannot. */
export function map<A, B>(
  decoder: Decoder<A>,
  to: (value: A, tree: Tree, report: Report) => B | undefined,
): Decoder<B> {
  return {
    get schema() {
      return decoder.schema;
    },
    decode(tree, report) {
      const value = decoder.decode(tree, report);
      return value === undefined ? undefined : to(value, tree, report);
    },
    empty: decoder.empty,
  };
}

/** Chooses the decoder by what is there. `all`: every one it may choose. */
export function either<T>(choose: (tree: Tree) => Decoder<T>, all: readonly Decoder<unknown>[]): Decoder<T> {
  return {
    get schema() {
      return { anyOf: all.map((decoder) => decoder.schema) };
    },
    decode: (tree, report) => choose(tree).decode(tree, report),
  };
}

export function fail(report: Report, where: Where, message: string): undefined {
  report(where, message);
  return undefined;
}

/** "a, b or c". */
export function or(values: readonly (string | number)[]): string {
  if (values.length === 1) return String(values[0]);
  return `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

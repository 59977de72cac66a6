/** Decoders of single values: text, numbers, words. */
import { type Decoder, fail, type JsonSchema, or } from "./decoder.ts";
import { nearest } from "./nearest.ts";
import { got, isNull, type ScalarTree } from "./tree.ts";
import type { Parsed } from "./values.ts";

/** Words that YAML 1.1 readers take for booleans. As text they are a trap for the next reader of the file. */
const booleanWords = /^(yes|no|on|off|true|false)$/i;

export interface TextOptions {
  /** @default any */
  readonly pattern?: RegExp;
  /** "a name of letters, digits, _ . and -": what the pattern wants, in words. */
  readonly wanted?: string;
  /** Never quoted in a message. */
  readonly secret?: boolean;
  /** @default 1000 */
  readonly maxLength?: number;
}

/** Text, which YAML must not have taken for something else. */
export function text(options: TextOptions = {}): Decoder<string> {
  return {
    schema: { type: "string", ...(options.pattern && { pattern: options.pattern.source }) },
    decode(tree, report) {
      const show = options.secret ? "" : `, got ${got(tree)}`;
      if (tree.kind === "broken") return undefined;
      if (tree.kind !== "scalar") return fail(report, tree, `must be text, got ${got(tree)}`);
      const trap = tree.quoted ? null : misread(tree, options.secret ?? false);
      if (trap !== null) return fail(report, tree, trap);
      const value = String(tree.value);
      if (value === "") return fail(report, tree, "must not be empty");
      if (value.length > (options.maxLength ?? 1000)) {
        return fail(report, tree, `must be at most ${options.maxLength ?? 1000} characters, got ${value.length}`);
      }
      if (options.pattern !== undefined && !options.pattern.test(value)) {
        return fail(report, tree, `must be ${options.wanted}${show}`);
      }
      return value;
    },
    empty: options.secret ? explainComment : undefined,
  };
}

function misread(tree: ScalarTree, secret: boolean): string | null {
  const shown = secret ? " it" : ` ${tree.source}`;
  const quoted = secret ? "" : `: ${JSON.stringify(tree.source)}`;
  if (typeof tree.value === "number") return `is text, but YAML reads${shown} as a number: quote it${quoted}`;
  if (typeof tree.value === "boolean" || booleanWords.test(tree.source)) {
    return `is text, but YAML reads${shown} as yes or no: quote it${quoted}`;
  }
  if (tree.value === null) return "must be text, got nothing";
  if (/^[-+]?\d+(:[0-5]?\d)+$/.test(tree.source)) {
    return `is text, but YAML 1.1 reads${shown} as a number in base 60: quote it${quoted}`;
  }
  if (secret && tree.commented) return 'is cut at " #", where YAML begins a comment: quote it, or move the comment';
  return null;
}

function explainComment(tree: ScalarTree): string | null {
  return tree.commented ? "is nothing, because YAML begins a comment at #: quote it" : null;
}

/** Text that `parse` understands. Numbers are passed on as typed, so that "1" can be refused with a reason. */
export function parsedText<T>(parse: (text: string) => Parsed<T>, schema: JsonSchema): Decoder<T> {
  return {
    schema: { type: "string", ...schema },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      if (tree.kind !== "scalar" || isNull(tree)) return fail(report, tree, `must be text, got ${got(tree)}`);
      const result = parse(tree.quoted ? String(tree.value) : tree.source);
      return result.ok ? result.value : fail(report, tree, result.reason);
    },
  };
}

export function integer(minimum: number, maximum: number, unit = ""): Decoder<number> {
  return {
    schema: { type: "integer", minimum, maximum },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      const range = `${minimum}–${maximum}${unit}`;
      if (tree.kind !== "scalar" || typeof tree.value !== "number" || !/^[-+]?\d+$/.test(tree.source)) {
        const quoted = tree.kind === "scalar" && tree.quoted && /^\d+$/.test(tree.source) ? " in quotes" : "";
        return fail(report, tree, `must be a whole number of ${range}, got ${got(tree)}${quoted}`);
      }
      const { value } = tree;
      return value >= minimum && value <= maximum ? value : fail(report, tree, `must be ${range}, got ${tree.source}`);
    },
  };
}

/** A number that may have a fraction. */
export function decimal(minimum: number, maximum: number): Decoder<number> {
  return {
    schema: { type: "number", minimum, maximum },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      const value = tree.kind === "scalar" && /^\d+(\.\d+)?$/.test(tree.source) ? tree.value : null;
      if (typeof value === "number" && value >= minimum && value <= maximum) return value;
      return fail(report, tree, `must be a number of ${minimum}–${maximum}, got ${got(tree)}`);
    },
  };
}

export const yesNo: Decoder<boolean> = {
  schema: { type: "boolean" },
  decode(tree, report) {
    if (tree.kind === "broken") return undefined;
    if (tree.kind === "scalar" && typeof tree.value === "boolean") return tree.value;
    return fail(report, tree, `must be true or false, got ${got(tree)}`);
  },
};

/** One of some words or numbers. `laterOnes`: known, not built yet, and what to do instead. */
export function choice<const T extends string | number>(
  values: readonly T[],
  laterOnes: Readonly<Record<string, string>> = {},
): Decoder<T> {
  return {
    schema: { enum: values },
    decode(tree, report) {
      if (tree.kind === "broken") return undefined;
      const found = tree.kind === "scalar" ? values.find((value) => value === tree.value) : undefined;
      if (found !== undefined) return found;
      if (tree.kind === "scalar" && Object.hasOwn(laterOnes, String(tree.value))) {
        return fail(
          report,
          tree,
          `${JSON.stringify(tree.value)} is not in this version: ${laterOnes[String(tree.value)]}`,
        );
      }
      const meant = tree.kind === "scalar" ? nearest(String(tree.value), values.map(String)) : null;
      const mean = meant === null ? "" : `; did you mean ${meant}?`;
      return fail(report, tree, `must be ${or(values)}, got ${got(tree)}${mean}`);
    },
  };
}

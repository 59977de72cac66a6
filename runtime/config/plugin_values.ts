/** An operator's `with:` as plain data: as written, but for secrets, which are read where the plugin's schema expects one. */
import type { JsonSchema } from "../../plugins/declaration.ts";
import type { Report } from "./decoder.ts";
import type { Tree } from "./tree.ts";
import { secret, type SecretSource } from "./value_decoders.ts";

export interface WrittenOptions {
  /** The secret at `tree`, or undefined after a report. */
  readonly open: (source: SecretSource, tree: Tree) => string | undefined;
  /** Whether the secret of this name may go there. */
  readonly mayUse: (name: string) => boolean;
  /** What to add where it may not. */
  readonly grantLine: (name: string) => string;
  readonly report: Report;
}

/** The value of `tree`, or undefined where a part of it was reported. */
export function writtenValue(tree: Tree, schema: JsonSchema, options: WrittenOptions): unknown {
  if (schema["x-tandem"] === "secret") return secretValue(tree, options);
  switch (tree.kind) {
    case "broken":
      return undefined;
    case "scalar":
      return tree.value;
    case "list": {
      const items = tree.items.map((item) => writtenValue(item, schema.items ?? {}, options));
      return items.includes(undefined) ? undefined : items;
    }
    case "map": {
      const entries = [...tree.entries].map(([name, { value }]) => [
        name,
        writtenValue(value, below(schema, name), options),
      ]);
      return entries.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(entries);
    }
  }
}

function below({ properties = {}, additionalProperties }: JsonSchema, name: string): JsonSchema {
  if (Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === "object" ? additionalProperties : {};
}

function secretValue(tree: Tree, { open, mayUse, grantLine, report }: WrittenOptions): string | undefined {
  const source = secret.decode(tree, report);
  if (source === undefined) return undefined;
  if ("name" in source && !mayUse(source.name)) {
    report(tree, `secret "${source.name}" is not granted; ${grantLine(source.name)}`);
    return undefined;
  }
  return open(source, tree);
}

/** `backends.NAME.balance`: the policy that picks servers, by name or with what its own schema defines. */
import { fields, type FieldsDecoder, optional, required } from "./collections.ts";
import { type Decoder, either, fail } from "./decoder.ts";
import { written } from "./plugin_schema.ts";
import { choice, decimal, text } from "./scalars.ts";
import { child, type Tree } from "./tree.ts";

export interface BalanceDraft {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly fallback: string;
  /** Not one of ours: `with` is judged when the plugin is known. */
  readonly plugin: boolean;
}

const keyed = {
  table: optional(choice(["maglev", "ring"]), "maglev"),
  bound: optional(decimal(1.01, 100)),
};
const fieldName = text({ pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a field name" });
const cookieName = text({ pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, wanted: "a cookie name" });

/** What each policy of plugins/policy/ declares. */
const policies = {
  roundrobin: fields({}),
  leastconn: fields({}),
  random: fields({}),
  first: fields({}),
  source: fields(keyed),
  uri: fields(keyed),
  header: fields({ name: required(fieldName), ...keyed }),
  cookie: fields({ name: required(cookieName), ...keyed }),
} as const;

export type PolicyName = keyof typeof policies;

const names = Object.keys(policies) as PolicyName[];
const policyName = choice(names);
/** Those that can do without a configuration. */
const fallbackName = choice(names.filter((name) => name !== "header" && name !== "cookie"));

// deno-lint-ignore no-explicit-any -- every policy has fields of its own
const chosen: Readonly<Record<PolicyName, FieldsDecoder<any>>> = mapPolicies((decoder) =>
  fields({ use: required(policyName), with: optional(decoder), fallback: optional(fallbackName, "random") })
);

const byName: Decoder<BalanceDraft> = {
  schema: policyName.schema,
  decode(tree, report) {
    const use = policyName.decode(tree, report);
    if (use === undefined) return undefined;
    const needs = Object.entries(policies[use].known).find(([, { otherwise }]) => otherwise === undefined);
    if (needs !== undefined) {
      return fail(report, tree, `needs its "${needs[0]}": write { use: ${use}, with: { ${needs[0]}: … } }`);
    }
    return { use, with: defaultsOf(use), fallback: "random", plugin: false };
  },
};

const otherPolicy = fields({
  use: required(text()),
  with: optional(written),
  fallback: optional(fallbackName, "random"),
});

const byUse: Decoder<BalanceDraft> = {
  get schema() {
    return { anyOf: [...Object.values(chosen), otherPolicy].map(({ schema }) => schema) };
  },
  decode(tree, report) {
    const use = nameIn(tree);
    if (use === undefined) {
      const other = otherPolicy.decode(tree, report);
      if (other?.use === undefined) return undefined;
      return { use: other.use, with: {}, fallback: other.fallback ?? "random", plugin: true };
    }
    const value = chosen[use].decode(tree, report);
    if (value === undefined) return undefined;
    const given = value.with === null ? defaultsOf(use) : plain(value.with ?? {});
    // `with:` is missing where the policy cannot do without it.
    if (value.with === null && Object.values(policies[use].known).some(({ otherwise }) => otherwise === undefined)) {
      return fail(report, { at: tree.at, path: `${tree.path}.with.name` }, "is required");
    }
    return { use, with: given, fallback: String(value.fallback ?? "random"), plugin: false };
  },
};

export const balance: Decoder<BalanceDraft> = either((tree) => tree.kind === "map" ? byUse : byName, [byName, byUse]);

function nameIn(tree: Tree): PolicyName | undefined {
  const use = child(tree, "use");
  return use?.kind === "scalar" ? names.find((name) => name === use.value) : undefined;
}

function defaultsOf(use: PolicyName): Readonly<Record<string, unknown>> {
  return plain(
    Object.fromEntries(Object.entries(policies[use].known).map(([key, { otherwise }]) => [key, otherwise?.()])),
  );
}

/** Without the keys that were not given and mean nothing then. */
function plain(values: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
}

// deno-lint-ignore no-explicit-any -- every policy has fields of its own
function mapPolicies<T>(to: (decoder: FieldsDecoder<any>) => T): Record<PolicyName, T> {
  return Object.fromEntries(names.map((name) => [name, to(policies[name])])) as Record<PolicyName, T>;
}

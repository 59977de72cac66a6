/** What the policies that go by a key have in common to configure. */
import { type Plan, s } from "../contract.ts";

export interface KeyTableConfig {
  readonly table: "maglev" | "ring";
  readonly bound?: number;
}

export const keyTable = {
  table: s.oneOf(["maglev", "ring"], {
    default: "maglev",
    description: "maglev shares keys out most evenly; ring moves the fewest when servers come and go",
  }),
  bound: s.optional(s.number({
    minimum: 1.01,
    maximum: 100,
    description: "At most so many times its share of the requests under way at one server; the rest go to the next",
  })),
} as const;

/** The plan's key: what it is taken from, and the table of the configuration. */
export function keyFrom(
  source: Pick<NonNullable<Plan["key"]>, "from" | "name">,
  { table, bound }: KeyTableConfig,
): NonNullable<Plan["key"]> {
  return { ...source, table, ...(bound !== undefined && { bound }) };
}

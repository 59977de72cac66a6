/** What a plugin answers, checked before anyone acts on it, and by its author's tests in the same way. Pure. */
import type { Plan, Verdict } from "./contract.ts";
import { plainLine } from "./plain_line.ts";
import { BOUND_ABOVE, isBound, KEY_SOURCES, KEY_TABLES, MOST_BOUND, PLAN_PICKS } from "./plan_bounds.ts";

const SENTENCE_LIMIT = 300;

/** An answer that is none: the plugin's mistake, told to its author. */
export class InvalidAnswer extends Error {
  override readonly name = "InvalidAnswer";
}

const STATES = ["up", "standby", "drain", "down"] as const;

/** @throws {InvalidAnswer} when `value` is no verdict. */
export function decodeVerdict(value: unknown): Verdict {
  const answer = fields(value, "a verdict");
  const state = oneOf(answer.state, "state", STATES);
  const reason = sentence(answer.reason, "reason");
  switch (state) {
    case "up": {
      const { weightPercent } = answer;
      // NaN is null on the wire, and no full weight.
      if (weightPercent === undefined) return { state, reason };
      return { state, reason, weightPercent: number(weightPercent, "weightPercent", 0, 100) };
    }
    case "standby":
    case "drain":
      return { state, reason };
    case "down": {
      const detail = ["phase", "got", "wanted"].filter((name) => given(answer[name]));
      return { state, reason, ...Object.fromEntries(detail.map((name) => [name, sentence(answer[name], name)])) };
    }
  }
}

/** A plan that holds for less would be asked for more often than ten times a second. */
const LEAST_TTL = 100, LONGEST_TTL = 3_600_000;
const MOST_WEIGHT = 65_535;

/** @throws {InvalidAnswer} when `value` is no plan for `servers`. */
export function decodePlan(value: unknown, servers: ReadonlySet<string>): Plan {
  const answer = fields(value, "a plan");
  const weights: Record<string, number> = Object.create(null);
  for (const [name, weight] of Object.entries(fields(answer.weights, "weights"))) {
    if (!servers.has(name)) throw new InvalidAnswer(`weights names the server ${show(name)}, which was not given`);
    weights[name] = number(weight, `weights.${name}`, 0, MOST_WEIGHT);
  }
  if (servers.size > 0 && !Object.values(weights).some((weight) => weight > 0)) {
    throw new InvalidAnswer("weights must give at least one server more than 0");
  }
  return {
    ttlMs: number(answer.ttlMs, "ttlMs", LEAST_TTL, LONGEST_TTL),
    weights,
    ...(given(answer.pick) ? { pick: oneOf(answer.pick, "pick", PLAN_PICKS) } : {}),
    ...(given(answer.key) ? { key: decodeKey(answer.key) } : {}),
    ...(given(answer.explain) ? { explain: sentence(answer.explain, "explain") } : {}),
  };
}

function decodeKey(value: unknown): NonNullable<Plan["key"]> {
  const key = fields(value, "key");
  const from = oneOf(key.from, "key.from", KEY_SOURCES);
  const table = oneOf(key.table, "key.table", KEY_TABLES);
  const bound = key.bound === undefined ? {} : { bound: boundOf(key.bound) };
  if (from === "client_ip" || from === "path") return { from, table, ...bound };
  const name = sentence(key.name, "key.name");
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new InvalidAnswer(`key.name must be a token, got ${show(name)}`);
  return { from, name, table, ...bound };
}

function boundOf(value: unknown): number {
  if (isBound(value)) return value;
  throw new InvalidAnswer(`key.bound must be above ${BOUND_ABOVE} and at most ${MOST_BOUND}, got ${show(value)}`);
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function fields(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidAnswer(`${what} must be an object, got ${show(value)}`);
}

function sentence(value: unknown, name: string): string {
  if (typeof value !== "string") throw new InvalidAnswer(`${name} must be text, got ${show(value)}`);
  return plainLine(value).slice(0, SENTENCE_LIMIT);
}

function number(value: unknown, name: string, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw new InvalidAnswer(`${name} must be a number from ${least} to ${most}, got ${numberLike(value)}`);
}

function numberLike(value: unknown): string {
  return value === null ? "null, as NaN and Infinity arrive" : show(value);
}

function oneOf<const T extends string>(value: unknown, name: string, values: readonly T[]): T {
  if (values.includes(value as T)) return value as T;
  throw new InvalidAnswer(`${name} must be one of ${values.join(", ")}, got ${show(value)}`);
}

function show(value: unknown): string {
  return plainLine(JSON.stringify(value) ?? "nothing").slice(0, 60);
}

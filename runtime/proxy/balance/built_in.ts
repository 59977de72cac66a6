/** The policies that come with Tandem. They plan through the contract as any other, but here in the engine, without waiting. */
import type { Context, Plan, Policy, PolicyInput } from "../../../plugins/contract.ts";
import cookie from "../../../plugins/policy/cookie.ts";
import first from "../../../plugins/policy/first.ts";
import header from "../../../plugins/policy/header.ts";
import leastconn from "../../../plugins/policy/leastconn.ts";
import random from "../../../plugins/policy/random.ts";
import roundrobin from "../../../plugins/policy/roundrobin.ts";
import source from "../../../plugins/policy/source.ts";
import uri from "../../../plugins/policy/uri.ts";

// deno-lint-ignore no-explicit-any -- each takes a configuration of its own, which `check` has compared with its declaration
const policies: Readonly<Record<string, Policy<any>>> = {
  roundrobin,
  leastconn,
  random,
  source,
  uri,
  header,
  cookie,
  first,
};

/** The plan of the built-in policy `use`; null where there is none of that name. */
export function builtInPlan(use: string, config: unknown, input: PolicyInput): Plan | null {
  if (!Object.hasOwn(policies, use)) return null;
  // Ours look at nothing else, and answer at once: every thread plans the same from the same verdicts.
  return policies[use].plan(input, { config } as Context<unknown>) as Plan;
}

/** What following a policy's plan costs the engine for each request, over the memory that its threads share. */
import type { Plan } from "../../plugins/contract.ts";
import { balancer } from "../../runtime/proxy/balance/balancer.ts";
import { SharedLoad } from "../../runtime/proxy/balance/shared_load.ts";
import { allocateShared, SharedState } from "../../runtime/proxy/shared_state.ts";
import type { Cost } from "./cost.ts";

const SERVERS = 10, PICKS = 2_000_000;
/** DESIGN section 3, ns. */
const budget = 1000;

/** Everything that a plan may ask for. */
const plans: readonly (readonly [name: string, plan: Omit<Plan, "ttlMs" | "weights">])[] = [
  ["smooth weights", { pick: "smooth" }],
  ["least connections", { pick: "leastconn" }],
  ["two at random", { pick: "random2" }],
  ["key by table", { key: { from: "path", table: "maglev" } }],
  ["key by ring, bounded", { key: { from: "path", table: "ring", bound: 1.25 } }],
];

export function planCosts(): Cost[] {
  return plans.map(([name, plan]) => ({ what: `plan, a request: ${name}`, value: pickCost(plan), unit: "ns", budget }));
}

/** Nanoseconds of one pick, the median of five rounds behind one that is not counted. */
function pickCost(plan: Omit<Plan, "ttlMs" | "weights">): number {
  const servers = Array.from({ length: SERVERS }, (_, slot) => ({ name: `s${slot}`, usable: true, slot }));
  const weights = Object.fromEntries(servers.map(({ name }, index) => [name, 1 + index % 3]));
  const chosen = balancer({ ...plan, weights }, servers);
  const state = new SharedState(allocateShared(2, 16), 0);
  const load = new SharedLoad(state, 0, servers.map(({ slot }) => ({ slot, limit: 0 })));
  const none: readonly number[] = [];
  let key = 1;
  const rounds = Array.from({ length: 6 }, () => {
    const began = performance.now();
    for (let i = 0; i < PICKS; i++) {
      key = Math.imul(key, 0x9e3779b1) + 1;
      chosen.pick(key >>> 0, load, none);
    }
    return (performance.now() - began) / PICKS * 1e6;
  }).slice(1);
  return rounds.toSorted((a, b) => a - b)[2];
}

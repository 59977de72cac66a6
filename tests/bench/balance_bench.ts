/**
 * What picking a server costs a request, by policy, over the memory that threads share.
 *
 *     deno bench -A tests/bench/balance_bench.ts
 */
import type { Plan } from "../../plugins/contract.ts";
import { balancer } from "../../runtime/proxy/balance/balancer.ts";
import { SharedLoad } from "../../runtime/proxy/balance/shared_load.ts";
import { allocateShared, SharedState } from "../../runtime/proxy/shared_state.ts";

const servers = Array.from({ length: 10 }, (_, slot) => ({ name: `s${slot}`, usable: true, slot }));
const weights = Object.fromEntries(servers.map(({ name }, index) => [name, 1 + index % 3]));
const state = new SharedState(allocateShared(2, 16), 0);

const plans: readonly [name: string, plan: Omit<Plan, "ttlMs">, maxconn: number][] = [
  ["roundrobin", { weights, pick: "smooth" }, 0],
  ["roundrobin, maxconn", { weights, pick: "smooth" }, 100],
  ["leastconn", { weights, pick: "leastconn" }, 0],
  ["random", { weights, pick: "random2" }, 0],
  ["first", { weights, pick: "first" }, 0],
  ["by key, maglev", { weights, key: { from: "path", table: "maglev" } }, 0],
  ["by key, ring", { weights, key: { from: "path", table: "ring" } }, 0],
  ["by key, bounded", { weights, key: { from: "path", table: "maglev", bound: 1.25 } }, 0],
];

const NOBODY: readonly number[] = [];
let key = 1;

for (const [name, plan, limit] of plans) {
  const chosen = balancer(plan, servers);
  const load = new SharedLoad(state, 0, servers.map(({ slot }) => ({ slot, limit })));
  Deno.bench(`pick of 10 servers: ${name}`, () => {
    key = Math.imul(key, 0x9e3779b1) + 1;
    chosen.pick(key >>> 0, load, NOBODY);
  });
}

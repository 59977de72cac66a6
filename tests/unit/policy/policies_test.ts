import assert from "node:assert/strict";
import { type Context, type Plan, type Policy, type PolicyServer, schemaOf } from "../../../plugins/contract.ts";
import cookie from "../../../plugins/policy/cookie.ts";
import first from "../../../plugins/policy/first.ts";
import header from "../../../plugins/policy/header.ts";
import leastconn from "../../../plugins/policy/leastconn.ts";
import random from "../../../plugins/policy/random.ts";
import roundrobin from "../../../plugins/policy/roundrobin.ts";
import source from "../../../plugins/policy/source.ts";
import uri from "../../../plugins/policy/uri.ts";
import { planFault } from "../../../runtime/proxy/balance/plan_check.ts";

function server(name: string, weight = 1, backup = false): PolicyServer {
  return {
    name,
    address: "192.0.2.1",
    port: 80,
    weight,
    backup,
    labels: {},
    connections: 0,
    queued: 0,
    latencyMs: null,
    errorRate: 0,
  };
}

function plan<C>(policy: Policy<C>, config: C, ...servers: PolicyServer[]): Plan {
  const ctx = { config } as Context<C>;
  return policy.plan({ backend: "web", generation: 1, because: "start", servers }, ctx) as Plan;
}

const table = { table: "maglev" } as const;

Deno.test("built-in policies plan what their name says", () => {
  const rows: readonly [string, Plan, Partial<Plan>][] = [
    ["roundrobin", plan(roundrobin, {}, server("a")), { pick: "smooth" }],
    ["leastconn", plan(leastconn, {}, server("a")), { pick: "leastconn" }],
    ["random", plan(random, {}, server("a")), { pick: "random2" }],
    ["first", plan(first, {}, server("a")), { pick: "first" }],
    ["source", plan(source, table, server("a")), { key: { from: "client_ip", table: "maglev" } }],
    ["uri", plan(uri, { table: "ring", bound: 1.5 }, server("a")), {
      key: { from: "path", table: "ring", bound: 1.5 },
    }],
    ["header", plan(header, { name: "x-user", ...table }, server("a")), {
      key: { from: "header", name: "x-user", table: "maglev" },
    }],
    ["cookie", plan(cookie, { name: "SID", ...table }, server("a")), {
      key: { from: "cookie", name: "SID", table: "maglev" },
    }],
  ];
  for (const [name, { ttlMs, weights, ...rest }, wanted] of rows) {
    assert.deepEqual(rest, wanted, name);
    assert.deepEqual(weights, { a: 1 });
    assert.equal(planFault({ ttlMs, weights, ...rest }, ["a"]), null, name);
  }
});

Deno.test("built-in policies use backup servers only where no other has a weight", () => {
  const rows: readonly [readonly PolicyServer[], Record<string, number>][] = [
    [[server("a", 2), server("b", 1, true)], { a: 2, b: 0 }],
    [[server("a", 0), server("b", 1, true)], { a: 0, b: 1 }],
    [[server("b", 1, true), server("c", 3, true)], { b: 1, c: 3 }],
    [[server("a", 0)], { a: 0 }],
    [[], {}],
  ];
  for (const [servers, wanted] of rows) assert.deepEqual(plan(roundrobin, {}, ...servers).weights, wanted);
});

Deno.test("built-in policies declare their configuration as any plugin does", () => {
  assert.deepEqual(schemaOf(header.config ?? {}).required, ["name"]);
  assert.deepEqual(Object.keys(schemaOf(header.config ?? {}).properties ?? {}), ["name", "table", "bound"]);
  assert.deepEqual(schemaOf(roundrobin.config ?? {}).properties, {});
});

import assert from "node:assert/strict";
import type { Plan } from "../../../plugins/contract.ts";
import { balancer, type Candidate } from "../../../runtime/proxy/balance/balancer.ts";
import { hashText } from "../../../runtime/proxy/balance/hash.ts";
import { planFault } from "../../../runtime/proxy/balance/plan_check.ts";
import { slowStart } from "../../../runtime/proxy/balance/slow_start.ts";
import { chiSquared, fakeLoad, tally } from "./load_fake.ts";

const servers = (names: string, down = ""): Candidate[] =>
  [...names].map((name) => ({ name, usable: !down.includes(name) }));
const equal = (names: string) => Object.fromEntries([...names].map((name) => [name, 1]));

/** Names of `count` picks without a key. */
function picks(plan: Omit<Plan, "ttlMs">, among: readonly Candidate[], count: number, load = fakeLoad(among.length)) {
  const chosen = balancer(plan, among);
  return Array.from({ length: count }, () => among[chosen.pick(null, load, [])]?.name ?? "-").join("");
}

Deno.test("balancer() smooth gives nginx's sequence", () => {
  const rows: readonly [Record<string, number>, string][] = [
    [{ a: 5, b: 1, c: 1 }, "aabacaa"],
    [{ a: 1, b: 1, c: 1 }, "abc"],
    [{ a: 4, b: 2 }, "aba"],
    [{ a: 3, b: 0, c: 1 }, "aaca"],
    [{ a: 0.5, b: 0.25 }, "aba"],
    [{}, "---"],
  ];
  for (const [weights, wanted] of rows) {
    assert.equal(picks({ weights }, servers("abc"), wanted.length * 2), wanted.repeat(2), JSON.stringify(weights));
  }
});

Deno.test("balancer() gives nothing to a server that is not usable, whatever the plan says", () => {
  const kinds = ["smooth", "random2", "leastconn", "first"] as const;
  for (const pick of kinds) {
    const chosen = picks({ weights: equal("abc"), pick }, servers("abc", "b"), 200);
    assert.ok(!chosen.includes("b") && !chosen.includes("-"), pick);
    assert.equal(picks({ weights: equal("abc"), pick }, servers("abc", "abc"), 3), "---", pick);
    assert.equal(picks({ weights: equal("abc"), pick }, [], 1), "-", pick);
  }
});

Deno.test("balancer() goes past servers that were tried or are full, and waits where all are", () => {
  for (const pick of ["smooth", "random2", "leastconn", "first"] as const) {
    const chosen = balancer({ weights: equal("abc"), pick }, servers("abc"));
    const load = fakeLoad(3);
    for (let i = 0; i < 50; i++) assert.equal(chosen.pick(null, load, [0, 2]), 1, pick);
    assert.equal(chosen.pick(null, load, [0, 1, 2]), -1, pick);
    load.full.add(0).add(1);
    for (let i = 0; i < 50; i++) assert.equal(chosen.pick(null, load, []), 2, pick);
    load.full.add(2);
    assert.ok(chosen.pick(null, load, []) >= 0, pick);
    assert.equal(chosen.pick(null, load, [0, 1]), 2, pick);
  }
});

Deno.test("balancer() leastconn compares requests by weight and takes turns among equals", () => {
  const load = fakeLoad(3);
  assert.equal(picks({ weights: equal("abc"), pick: "leastconn" }, servers("abc"), 6, load), "abcabc");
  load.requests.splice(0, 3, 2, 1, 5);
  assert.equal(picks({ weights: equal("abc"), pick: "leastconn" }, servers("abc"), 3, load), "bbb");
  load.requests.splice(0, 3, 2, 1, 5);
  assert.equal(picks({ weights: { a: 1, b: 1, c: 10 }, pick: "leastconn" }, servers("abc"), 3, load), "ccc");
});

Deno.test("balancer() random2 is by weight at rest, and keeps the greatest load low", () => {
  const load = fakeLoad(3, 5);
  const weights = { a: 1, b: 2, c: 1 };
  const counts = tally(
    3,
    [...picks({ weights, pick: "random2" }, servers("abc"), 20_000, load)].map((name) => "abc".indexOf(name)),
  );
  assert.ok(chiSquared(counts, [1, 2, 1]) < 14, `${counts}`);

  // n requests on n servers: the fullest has ln ln n / ln 2 + O(1) with two choices (Azar et al. 1994), ln n / ln ln n with one.
  const n = 2000;
  const many = Array.from({ length: n }, (_, i) => ({ name: `s${i}`, usable: true }));
  const chosen = balancer({ weights: Object.fromEntries(many.map(({ name }) => [name, 1])), pick: "random2" }, many);
  const crowd = fakeLoad(n, 3);
  for (let i = 0; i < n; i++) crowd.requests[chosen.pick(null, crowd, [])]++;
  assert.ok(Math.max(...crowd.requests) <= 4, String(Math.max(...crowd.requests)));
});

Deno.test("balancer() first fills servers in the order of the plan", () => {
  const plan = { weights: { c: 1, a: 1, b: 1 }, pick: "first" } as const;
  const load = fakeLoad(3);
  assert.equal(picks(plan, servers("abc"), 2, load), "cc");
  load.full.add(2);
  assert.equal(picks(plan, servers("abc"), 2, load), "aa");
  load.full.add(0).add(1);
  assert.equal(picks(plan, servers("abc"), 2, load), "cc");
});

Deno.test("balancer() keeps keys where they were while servers come and go, with either table", () => {
  for (const table of ["maglev", "ring"] as const) {
    const plan = { weights: equal("abcdef"), key: { from: "client_ip", table } } as const;
    const whole = balancer(plan, servers("abcdef"));
    const without = balancer(plan, servers("abcdef", "c"));
    const load = fakeLoad(6);
    let moved = 0;
    for (let i = 0; i < 5000; i++) {
      const key = hashText(`10.0.${i >> 8}.${i & 255}`);
      const owner = whole.pick(key, load, []);
      assert.equal(whole.pick(key, load, []), owner);
      const next = without.pick(key, load, []);
      if (owner === 2) assert.ok(next !== 2 && next >= 0);
      else if (next !== owner) moved++;
    }
    assert.ok(moved <= (table === "ring" ? 0 : 250), `${table} moved ${moved} keys it need not`);
    assert.deepEqual(
      new Set(Array.from({ length: 6 }, () => whole.pick(null, load, []))),
      new Set([0, 1, 2, 3, 4, 5]),
      "a request without the key is balanced as any",
    );
  }
});

Deno.test("balancer() sends the keys of a failed server to one and the same other", () => {
  const chosen = balancer({ weights: equal("abcd"), key: { from: "path", table: "maglev" } }, servers("abcd"));
  const load = fakeLoad(4);
  for (let i = 0; i < 200; i++) {
    const key = hashText(`/${i}`);
    const owner = chosen.pick(key, load, []);
    const other = chosen.pick(key, load, [owner]);
    assert.ok(other !== owner && other >= 0);
    assert.equal(chosen.pick(key, load, [owner]), other);
    assert.equal(chosen.pick(key, load, [0, 1, 2, 3]), -1);
  }
});

Deno.test("balancer() with a bound lets no server have more than its share times the bound", () => {
  for (const table of ["maglev", "ring"] as const) {
    const among = servers("abcde");
    const weights = { a: 1, b: 1, c: 1, d: 1, e: 2 };
    const chosen = balancer({ weights, key: { from: "path", table, bound: 1.25 } }, among);
    const load = fakeLoad(5);
    for (let i = 0; i < 3000; i++) {
      // Half of all requests are for one path: without a bound its server would have half of them.
      const server = chosen.pick(hashText(i % 2 === 0 ? "/hot" : `/${i}`), load, []);
      load.requests[server]++;
      const share = (i + 1) * weights["abcde"[server] as "a"] / 6;
      assert.ok(load.requests[server] <= Math.ceil(1.25 * share) + 1, `${table}: ${load.requests} after ${i + 1}`);
    }
  }
});

Deno.test("slowStart() ramps from a tenth to all", () => {
  const rows = [[0, 10_000, 0.1], [500, 10_000, 0.1], [5000, 10_000, 0.5], [10_000, 10_000, 1], [99_999, 10_000, 1], [
    0,
    0,
    1,
  ]];
  for (const [upFor, duration, wanted] of rows) assert.equal(slowStart(upFor, duration), wanted);
});

Deno.test("planFault() says why a plan cannot be applied", () => {
  const good = { ttlMs: 1000, weights: { a: 1, b: 0.5 } };
  const rows: readonly [unknown, string | null][] = [
    [good, null],
    [{ ...good, pick: "first", key: { from: "header", name: "x", table: "ring", bound: 1.5 } }, null],
    [null, "A plan must be an object"],
    [{ ...good, ttlMs: 0 }, "ttlMs must be above 0 and at most 86400000, got 0"],
    [{ ...good, ttlMs: NaN }, "ttlMs must be above 0 and at most 86400000, got NaN"],
    [{ ...good, weights: { c: 1 } }, 'weights names "c", which is no server of the backend'],
    [{ ...good, weights: { a: -1 } }, 'weights["a"] must be a number from 0 to 1e9, got -1'],
    [{ ...good, weights: { a: Infinity } }, 'weights["a"] must be a number from 0 to 1e9, got Infinity'],
    [{ ...good, weights: { a: "1" } }, 'weights["a"] must be a number from 0 to 1e9, got 1'],
    [{ ...good, pick: "last" }, 'pick must be smooth, random2, leastconn, first, got "last"'],
    [{ ...good, key: { from: "cookie", table: "ring" } }, 'key.from "cookie" needs key.name'],
    [{ ...good, key: { from: "path", table: "tree" } }, 'key.table must be maglev or ring, got "tree"'],
    [{ ...good, key: { from: "path", table: "ring", bound: 1 } }, "key.bound must be above 1 and at most 100, got 1"],
  ];
  for (const [plan, wanted] of rows) assert.equal(planFault(plan as Plan, ["a", "b"]), wanted);
});

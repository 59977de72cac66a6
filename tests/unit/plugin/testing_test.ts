/** The kit of authors' tests: what passes with it works on a node, and what fails with it says why. */
import assert from "node:assert/strict";
import {
  type CheckerContext,
  defineApp,
  defineChecker,
  defineNotifier,
  definePolicy,
  type Plan,
  type Verdict,
} from "../../../plugins/contract.ts";
import {
  deliver,
  deliverAll,
  fakeClock,
  request,
  runCheck,
  script,
  simulate,
  type Step,
} from "../../../plugins/testing.ts";

type Check = (ctx: CheckerContext<unknown>) => Promise<Verdict>;

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (read: Uint8Array | null) => read === null ? "end" : new TextDecoder().decode(read);
const up = (reason: string): Verdict => ({ state: "up", reason });
const run = (check: Check, steps: readonly Step[], options = {}) =>
  runCheck(defineChecker({ check: (_target, ctx) => check(ctx) }), { config: {}, server: script(steps), ...options });

/** Writes each, then reads once. */
const say = (...words: string[]): Check => async (ctx) => {
  await using connection = await ctx.connect();
  for (const word of words) await connection.write(bytes(word));
  return up(text(await connection.read()));
};
const ping: readonly Step[] = [{ expect: "PING" }, { send: "PONG" }];
const judged = [{ expect: "PING" }] as const;

const verdicts: [name: string, check: Check, steps: readonly Step[], verdict: Verdict][] = [
  ["what is expected", say("PING"), ping, up("PONG")],
  ["what is expected in pieces", say("PI", "NG"), ping, up("PONG")],
  ["two that are expected and come at once", say("AB"), [{ expect: "A" }, { expect: "B" }, { send: "C" }], up("C")],
  [
    "a word of farewell that nobody waits for",
    async (ctx) => {
      await using connection = await ctx.connect();
      await connection.write(bytes("PING"));
      const reason = text(await connection.read());
      await connection.write(bytes("QUIT"));
      return up(reason);
    },
    ping,
    up("PONG"),
  ],
  ["a break after what was written", say("PING"), [{ expect: "PING" }, "reset"], {
    state: "down",
    reason: "read reset",
  }],
  [
    "a break after what was sent",
    async (ctx) => {
      const connection = await ctx.connect();
      await connection.read();
      await connection.write(bytes("x"));
      return up("");
    },
    [{ send: "a" }, "reset"],
    { state: "down", reason: "write reset" },
  ],
  ["an end", say(), ["close"], up("end")],
  [
    "an end that stays",
    async (ctx) => {
      const connection = await ctx.connect();
      return up(text(await connection.read()) + text(await connection.read()));
    },
    ["close"],
    up("endend"),
  ],
  ["no server", say(), ["refuse"], { state: "down", reason: "connect refused" }],
  ["a server that says nothing", say("PING"), judged, { state: "down", reason: "no answer within 1000 ms" }],
  ["a pause past the deadline", say(), [{ pause: 1500 }, { send: "late" }], {
    state: "down",
    reason: "no answer within 1000 ms",
  }],
  ["a pause within it", say(), [{ pause: 900 }, { send: "late" }], up("late")],
  [
    "a sleep past the deadline",
    async (ctx) => {
      await ctx.clock.sleep(5000);
      return up("slept");
    },
    [],
    { state: "down", reason: "no answer within 1000 ms" },
  ],
  [
    "a time-out of its own that an answer beats",
    async (ctx) => {
      await using connection = await ctx.connect();
      await connection.write(bytes("PING"));
      const late = ctx.clock.sleep(500).then(() => "timed out");
      return up(await Promise.race([connection.read().then(text), late]));
    },
    [{ answer: () => Promise.resolve("PONG") }],
    up("PONG"),
  ],
  [
    "an answer that takes real time",
    async (ctx) => {
      await using connection = await ctx.connect();
      await connection.write(bytes("PING"));
      return up(await Promise.race([connection.read().then(text), ctx.clock.sleep(500).then(() => "timed out")]));
    },
    [{ answer: () => new Promise((resolve) => setTimeout(() => resolve("PONG"), 50)) }],
    up("PONG"),
  ],
  [
    "work of its own that beats a time-out",
    async (ctx) => {
      const work = crypto.subtle.digest("SHA-256", new Uint8Array(2 ** 20)).then(() => "digested");
      return up(await Promise.race([work, ctx.clock.sleep(500).then(() => "timed out")]));
    },
    [],
    up("digested"),
  ],
  [
    "a time-out of its own that nothing beats",
    async (ctx) => {
      await using connection = await ctx.connect();
      const text = await Promise.race([connection.read(), ctx.clock.sleep(500).then(() => "timed out")]);
      return up(`${text} at ${ctx.clock.monotonic()}`);
    },
    [],
    up("timed out at 500"),
  ],
  [
    "a connection that it closed",
    async (ctx) => {
      const connection = await ctx.connect();
      connection.close();
      return up(text(await connection.read()));
    },
    [{ send: "data" }],
    { state: "down", reason: "The connection is closed" },
  ],
  [
    "a fifth connection at once",
    async (ctx) => {
      for (let count = 0; count < 4; count++) (await ctx.connect()).close();
      for (let count = 0; count < 5; count++) await ctx.connect();
      return up("");
    },
    [],
    { state: "down", reason: "A call may hold 4 connections at a time" },
  ],
  ["what is made to be one line", () => Promise.resolve(up("a\nb")), [], up("a b")],
];
for (const [name, check, steps, verdict] of verdicts) {
  Deno.test(`runCheck(): ${name}`, async () => assert.deepEqual((await run(check, steps)).verdict, verdict));
}

const swallow = (check: Check): Check => (ctx) => check(ctx).catch(() => ({ state: "down", reason: "caught" }));
const failures: [name: string, check: Check, steps: readonly Step[], error: RegExp][] = [
  ["other bytes", say("QUIT"), ping, /^Error: Script, step 1: expected "PING", got "QUIT"$/],
  ["other bytes, and the checker catches all", swallow(say("QUIT")), ping, /step 1: expected "PING", got "QUIT"/],
  ["more bytes", say("PINGPING"), ping, /step 1: expected "PING", got "PINGPING"/],
  ["more bytes later", say("PING", "PING"), ping, /step 1: expected no more, got "PING"/],
  [
    "bytes after which nothing is read",
    async (ctx) => {
      await using connection = await ctx.connect();
      await connection.write(bytes("QUIT"));
      return up("");
    },
    ping,
    /step 1: expected "PING", got "QUIT"/,
  ],
  [
    "too few bytes after which nothing is read",
    async (ctx) => {
      await using connection = await ctx.connect();
      await connection.write(bytes("PI"));
      return up("");
    },
    ping,
    /step 1: expected "PING", got "PI"/,
  ],
  ["an answer that throws", swallow(say("PING")), [{
    answer: (got) => assert.equal(text(got), "PONG") as unknown as string,
  }], /AssertionError/],
  ["an answer that rejects", swallow(say("PING")), [{ answer: () => Promise.reject(new Error("not me")) }], /not me/],
  ["a refusal in the middle", say(), [{ send: "a" }, "refuse"], /step 2: refuse must be the first step/],
  ["no verdict", () => Promise.resolve(undefined as unknown as Verdict), [], /a verdict must be an object, got null/],
  ["another verdict", () => Promise.resolve({ ok: true } as unknown as Verdict), [], /state must be one of up/],
  ["a weight above all", () => Promise.resolve({ ...up(""), weightPercent: 101 }), [], /weightPercent must be/],
  [
    "no answer though the deadline passed",
    async (ctx) => {
      await ctx.clock.sleep(2000).catch(() => {});
      return await new Promise<never>(() => {});
    },
    [],
    /no answer within 1000 ms, and none when ctx\.signal said so/,
  ],
];
for (const [name, check, steps, error] of failures) {
  Deno.test(`runCheck() fails the test: ${name}`, () => assert.rejects(run(check, steps), error));
}

Deno.test("what a plugin did not ask for is absent, and what it asked for has its size and its names", async () => {
  const seen: unknown[] = [];
  const look = (ctx: object) => void seen.push(["store", "fetch", "send", "run"].filter((name) => name in ctx));
  const checker = defineChecker({ check: (_target, ctx) => (look(ctx), up("")) });
  const policy = definePolicy({
    plan: ({ servers }, ctx) => (look(ctx), { ttlMs: 1000, weights: { [servers[0].name]: 1 } }),
  });
  const app = defineApp({ fetch: (_request, ctx) => (look(ctx), new Response()) });
  const all = { endpoints: ["a"], commands: ["b"], store: 10 };
  for (const requests of [undefined, all]) {
    await runCheck(checker, { config: {}, requests });
    await simulate(policy, { config: {}, servers: [{ name: "a" }], for: 1, requests });
    await request(app, new Request("http://a.example/"), { config: {}, requests });
  }
  const everything = ["store", "fetch", "send", "run"];
  assert.deepEqual(seen, [[], [], [], everything, everything, everything]);
  const notifier = defineNotifier({
    async notify(event, ctx) {
      await ctx.store!.set(event.text, "1234");
      await ctx.fetch!(event.text);
    },
  });
  const { errors } = await deliverAll(notifier, [{ text: "a" }, { text: "b" }, { text: "more" }], {
    config: {},
    requests: all,
  });
  assert.deepEqual(errors.map(String), [
    "null",
    'Error: Endpoint "b" is not granted',
    "RangeError: The store is full: 18 bytes wanted, 10 granted",
  ]);
});

Deno.test("what a node refuses at the author's line, the kit refuses there", async () => {
  const rows: readonly [does: (ctx: CheckerContext<unknown>) => void | Promise<void>, error: RegExp][] = [
    [(ctx) => ctx.metrics!.gauge("depth", NaN), /Metric "depth" must be a finite number, got NaN/],
    [(ctx) => ctx.metrics!.count("asked", -1), /Metric "asked" can only grow, got -1/],
    [(ctx) => ctx.metrics!.count("asked", "2" as never), /Metric "asked" must be a number, got string/],
    [
      (ctx) => ctx.store!.set("k", "x".repeat(250_000)),
      /"k" and its value have 250008 bytes, at most 245760/,
    ],
  ];
  for (const [does, error] of rows) {
    const checker = defineChecker({
      async check(_target, ctx) {
        await does(ctx);
        return up("");
      },
    });
    const { verdict } = await runCheck(checker, { config: {}, requests: { store: 2 ** 20 } });
    assert.equal(verdict.state, "down", "what a checker throws speaks against the server");
    assert.match(verdict.reason, error);
  }
});

Deno.test("deliver() shows datagrams and commands, and answers as the test says", async () => {
  const notifier = defineNotifier({
    async notify(event, ctx) {
      await ctx.send!("log", event.text);
      const { code } = await ctx.run!("hook", { args: ["x"], input: event.text });
      if (code !== 0) throw new Error(`the hook ended with ${code}`);
    },
  });
  const fine = await deliver(notifier, { text: "down" }, { config: {} });
  assert.deepEqual([fine.error, fine.datagrams, fine.ran], [
    null,
    [{ endpoint: "log", message: "down" }],
    [{ command: "hook", args: ["x"], input: "down" }],
  ]);
  const { error } = await deliver(notifier, {}, { config: {}, results: [{ code: 3, output: "" }] });
  assert.equal(error?.message, "the hook ended with 3");
  const unreachable = await deliver(notifier, {}, { config: {}, answers: [new Error("no route")] });
  assert.equal(unreachable.error?.message, "no route");
});

const even = definePolicy({
  plan: ({ servers }) => ({ ttlMs: 1000, weights: Object.fromEntries(servers.map(({ name }) => [name, 1])) }),
});
const servers = [{ name: "a" }, { name: "b" }];
for (const length of [50, 100, 250, 10_000]) {
  Deno.test(`simulate() shares all requests out, in ${length} ms`, async () => {
    const { spread } = await simulate(even, { config: {}, servers, for: length });
    for (const part of Object.values(spread)) assert.ok(Math.abs(part - 0.5) < 1e-9, String(part));
  });
}
Deno.test("simulate() asks at every change, when it is, and shares out by time", async () => {
  const asked: string[] = [];
  const policy = definePolicy({
    plan(input, ctx) {
      asked.push(`${ctx.clock.monotonic()} ${input.because} ${input.generation}`);
      return even.plan(input, ctx);
    },
  });
  const trace = [{ at: 110, servers: { b: null } }, { at: 150, servers: { c: {} } }];
  const { plans, spread } = await simulate(policy, { config: {}, servers, trace, for: 250 });
  assert.deepEqual(asked, ["0 start 1", "100 interval 1", "110 health 2", "150 health 3", "200 interval 3"]);
  assert.deepEqual(plans.map(({ at, plan }) => [at, plan.weights]), [
    [0, { a: 1, b: 1 }],
    [110, { a: 1 }],
    [150, { a: 1, c: 1 }],
  ]);
  const rounded = Object.fromEntries(Object.entries(spread).map(([name, part]) => [name, Math.round(part * 1000)]));
  assert.deepEqual(rounded, { a: 580, b: 220, c: 200 });
});
const changing: [name: string, change: (round: number) => Partial<Plan>][] = [
  ["pick", (round) => ({ pick: round % 2 ? "smooth" : "leastconn" })],
  ["key", (round) => ({ key: { from: "cookie", name: `c${round % 2}`, table: "maglev" } })],
  ["explain", (round) => ({ explain: String(round % 2) })],
];
for (const [name, change] of changing) {
  Deno.test(`simulate() sees a change of ${name}`, async () => {
    let round = 0;
    const plan = () => ({ ttlMs: 1000, weights: { a: 1 }, ...change(round++) });
    assert.equal((await simulate(definePolicy({ plan }), { config: {}, servers, for: 400 })).changes, 3);
  });
}
const noPlans: [plan: unknown, error: RegExp][] = [
  [{ ttlMs: 1000, weights: { a: -1 } }, /weights\.a must be a number from 0/],
  [{ ttlMs: 1000, weights: { a: NaN } }, /weights\.a must be a number/],
  [{ ttlMs: 1000, weights: { nobody: 1 } }, /weights names the server "nobody", which was not given/],
  [{ ttlMs: 1, weights: { a: 1 } }, /ttlMs must be/],
  [undefined, /a plan must be an object/],
];
for (const [plan, error] of noPlans) {
  Deno.test(`simulate() refuses the plan ${Deno.inspect(plan)}`, async () => {
    const policy = definePolicy({ plan: () => plan as Plan });
    await assert.rejects(simulate(policy, { config: {}, servers }), error);
  });
}

Deno.test("fakeClock() leaps to whoever waits for it next, and no further", async () => {
  const clock = fakeClock(1000);
  const order: string[] = [];
  const sleep = async (ms: number) => {
    await clock.sleep(ms);
    order.push(`${ms} at ${clock.now()}`);
  };
  await Promise.all([sleep(3000), sleep(10), sleep(500)]);
  assert.deepEqual(order, ["10 at 1010", "500 at 1500", "3000 at 4000"]);
  const pending = sleep(100);
  clock.advance(200);
  await pending;
  assert.equal(order.at(-1), "100 at 4200");
});

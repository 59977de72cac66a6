import assert from "node:assert/strict";
import { createControl } from "../../../runtime/control.ts";
import type { Resolution } from "../../../runtime/control/resolve_name.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import type { InstanceStatus } from "../../../runtime/vrrp/protocol.ts";
import { fakeClock } from "../../support/fake_clock.ts";
import { fakeProxy, fakeVrrp, instanceStatus, proxyAlive } from "./fake_roles.ts";
import { config, pairText } from "./pair_config.ts";

/** A node with fake children; `state` is what its instance is in. */
async function fixture(
  options: { text?: string; taken?: string[]; stateDirectory?: string; resolve?: () => Promise<Resolution> } = {},
) {
  const clock = fakeClock(1_000_000);
  const taken = new Set(options.taken);
  const world = { state: "backup" as InstanceStatus["state"], text: options.text ?? pairText };
  const proxy = fakeProxy(taken);
  const vrrp = fakeVrrp(() => world.state);
  const control = await createControl({
    config: config(world.text),
    load: () => Promise.resolve().then(() => config(world.text)),
    version: "0",
    log: createLogger({ role: "test", write: () => {} }),
    spawn: { vrrp: vrrp.spawn, proxy: proxy.spawn },
    stateDirectory: options.stateDirectory ?? null,
    missing: [],
    cores: 2,
    clock,
    resolve: options.resolve,
  });
  /** Lets promises settle, and `ms` pass. */
  const done = async <T>(promise: Promise<T>, ms = 10): Promise<T> => {
    let settled = false;
    promise.then(() => settled = true, () => settled = true);
    for (let turn = 0; turn < 50 && !settled; turn++) await clock.advance(ms);
    return await promise;
  };
  const stop = () => done(control.stop(), 1000);
  return { clock, control, proxy, vrrp, taken, world, done, stop };
}

/** What was told, by type. */
function types(told: readonly { readonly type: string }[]): string[] {
  return told.map(({ type }) => type);
}

Deno.test("start() serves before it announces, and nothing fails then", async () => {
  const { control, proxy, vrrp, done, stop } = await fixture();
  assert.deepEqual(control.unready(), ["the node is starting"]);
  await done(control.start());
  assert.equal(types(proxy.told).filter((type) => type === "apply").length, 1);
  const [apply] = vrrp.told;
  assert.equal(apply.type, "apply");
  assert.deepEqual(apply.type === "apply" && apply.tracking, { VI_1: { effect: "none", causes: [] } });
  assert.deepEqual(apply.type === "apply" && apply.vouched, []);
  assert.deepEqual(apply.type === "apply" && apply.instances[0].ports, [80]);
  assert.deepEqual(control.unready(), []);
  assert.equal(control.status().phase, "running");
  await stop();
  assert.equal(vrrp.told.at(-1)?.type, "stop");
  assert.equal(proxy.told.at(-1)?.type, "stop");
});

Deno.test("a node without virtual routers has no vrrp process, until a reload brings one", async () => {
  const vrrpLess = pairText.replace(/vrrp:[^]*frontends/, "frontends").replace("VI_1:80", "192.0.2.1:80");
  const { control, vrrp, world, done, stop } = await fixture({ text: vrrpLess });
  await done(control.start());
  assert.deepEqual(control.status().children.map(({ role }) => role), ["proxy"]);
  world.text = pairText;
  await done(control.reload());
  assert.deepEqual(types(vrrp.told), ["apply"]);
  assert.deepEqual(control.status().children.map(({ role }) => role), ["vrrp", "proxy"]);
  await stop();
});

Deno.test("start() refuses a taken port with the proxy's sentence and tells vrrp nothing", async () => {
  const { control, vrrp, done, stop } = await fixture({ taken: ["192.0.2.100:80"] });
  await assert.rejects(done(control.start()), {
    message: "Cannot listen on 192.0.2.100:80: EADDRINUSE, another program holds the port",
  });
  assert.equal(vrrp.told.length, 0);
  await stop();
});

Deno.test("start() waits for the first round of checks, at most 2 s", async () => {
  // Nobody answers at the address of the documentation network: the check ends by its time-out, later than 2 s.
  const text = pairText.replace("  web:\n", "  web:\n    check: { interval: 10s, timeout: 9s }\n");
  const { clock, control, vrrp, stop } = await fixture({ text });
  const started = control.start();
  await clock.advance(1900);
  assert.equal(vrrp.told.length, 0);
  await clock.advance(200);
  assert.equal(vrrp.told[0]?.type, "apply");
  await started;
  assert.equal(control.status().backends[0].servers[0].reason, "not checked yet");
  await stop();
});

Deno.test("a failing listener makes its instance yield, and a healed one ends that", async () => {
  const { control, proxy, vrrp, done, stop } = await fixture();
  await done(control.start());
  const listener = { frontend: "http-in", address: "192.0.2.100:80", listening: false, error: "closed by a test" };
  proxy.say({ type: "listeners", listeners: [listener] });
  proxy.say({ type: "listeners", listeners: [{ ...listener, listening: true, error: null }] });
  assert.deepEqual(vrrp.told.slice(1), [
    {
      type: "track",
      instance: "VI_1",
      tracking: {
        effect: "yield",
        causes: ['frontend "http-in" is not listening on 192.0.2.100:80: closed by a test'],
      },
    },
    { type: "track", instance: "VI_1", tracking: { effect: "none", causes: [] } },
  ]);
  await stop();
});

Deno.test("a stall of control is no silence of the proxy, and a silent proxy is found after it", async () => {
  const { clock, control, proxy, vrrp, done, stop } = await fixture();
  await done(control.start());
  const status = () => proxy.say(proxyAlive);
  // The vrrp process says something all the time; only the proxy falls silent.
  const alive = () =>
    vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, "backup")] });
  for (let quarter = 0; quarter < 10; quarter++) {
    status();
    await clock.advance(250);
  }
  clock.stall(4500);
  // The tick that is overdue runs before the reports that wait in the pipe are read.
  await clock.advance(0);
  status();
  alive();
  await clock.advance(250);
  assert.deepEqual(vrrp.told.slice(1), []);
  await clock.advance(2500);
  assert.deepEqual(vrrp.told.slice(1), []);
  alive();
  await clock.advance(1500);
  assert.deepEqual(vrrp.told.slice(1), [{
    type: "track",
    instance: "VI_1",
    tracking: {
      effect: "yield",
      causes: ['frontend "http-in" is not served: the proxy process has fallen silent'],
    },
  }]);
  await stop();
});

Deno.test("a proxy that dies makes its instances yield until its successor listens", async () => {
  const { clock, control, proxy, vrrp, done, stop } = await fixture();
  await done(control.start());
  const before = proxy.told.length;
  proxy.die();
  await clock.advance(0);
  assert.equal(proxy.told[before].type, "apply", "its successor is told everything");
  assert.deepEqual(vrrp.told.slice(1).map((told) => told.type === "track" && told.tracking.effect), ["yield", "none"]);
  assert.deepEqual(control.status().children.map(({ restarts }) => restarts), [0, 1]);
  assert.equal(control.journal.list().at(-1)?.type, "process.state");
  await stop();
});

Deno.test("a vrrp process that dies while active is vouched for, one that was backup or silent is not", async () => {
  const rows = [["active", 1000, ["VI_1"]], ["backup", 0, []], ["active", 1600, []]] as const;
  for (const [state, silent, vouched] of rows) {
    const { clock, control, vrrp, world, done, stop } = await fixture();
    world.state = state;
    await done(control.start());
    await clock.advance(silent);
    vrrp.die();
    await clock.advance(0);
    const again = vrrp.told.filter(({ type }) => type === "apply")[1];
    assert.deepEqual(again.type === "apply" && again.vouched, vouched, `${state}, silent for ${silent} ms`);
    await stop();
  }
});

Deno.test("a vrrp process that died during a stall of control is not vouched for", async () => {
  const { clock, control, vrrp, world, done, stop } = await fixture();
  world.state = "active";
  await done(control.start());
  const status = () =>
    vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, "active")] });
  await clock.advance(1000);
  status();
  clock.stall(4500);
  // Its last words were said at the beginning of the stall, and are heard only now.
  status();
  vrrp.die();
  await clock.advance(0);
  const again = vrrp.told.filter(({ type }) => type === "apply")[1];
  assert.deepEqual(again.type === "apply" && again.vouched, []);
  await stop();
});

Deno.test("an instance that leaves active retires its addresses, one that becomes active reinstates them", async () => {
  const { control, proxy, vrrp, done, stop } = await fixture();
  await done(control.start());
  for (const state of ["active", "active", "backup"] as const) {
    vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, state)] });
  }
  assert.deepEqual(proxy.told.filter(({ type }) => type === "reinstate" || type === "retire"), [
    { type: "reinstate", addresses: ["192.0.2.100"] },
    { type: "retire", addresses: ["192.0.2.100"] },
  ]);
  assert.deepEqual(proxy.told.filter(({ type }) => type === "held"), [
    { type: "held", addresses: ["192.0.2.100"] },
    { type: "held", addresses: [] },
  ]);
  await stop();
});

Deno.test("a proxy that was started again learns what this node holds", async () => {
  const { clock, control, proxy, vrrp, done, stop } = await fixture();
  await done(control.start());
  vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, "active")] });
  const before = proxy.told.length;
  proxy.die();
  for (let turn = 0; turn < 20 && proxy.told.length === before; turn++) await clock.advance(100);
  assert.deepEqual(types(proxy.told.slice(before, before + 2)), ["apply", "held"]);
  await stop();
});

Deno.test("changeServer() tells the proxy at once, and ends when its time is over", async () => {
  const { clock, control, proxy, done, stop } = await fixture();
  await done(control.start());
  const now = clock.now();
  const said = { by: "ann", reason: "disk", since: now, until: now + 60_000 };
  const { view, applied } = await done(control.changeServer("web", "a", { state: "drain", ...said }));
  assert.deepEqual([view.state, applied], ["drain", true]);
  const [verdicts, settle] = proxy.told.slice(-2);
  assert.deepEqual(verdicts, {
    type: "verdicts",
    verdicts: [{ backend: "web", server: "a", state: "drain", weight: 1, reason: "disk" }],
  });
  assert.equal(settle.type, "settle", "the answer waits for the threads");
  assert.deepEqual(control.status().overrides.map(({ about, by, reason }) => [about, by, reason]), [[
    "web/a",
    "ann",
    "disk",
  ]]);
  await clock.advance(60_000);
  assert.deepEqual(control.status().overrides, []);
  assert.equal(control.status().backends[0].servers[0].state, "up");
  await assert.rejects(control.changeServer("web", "z", { state: "drain", ...said }), { why: "unknown" });
  await stop();
});

Deno.test("changeServer() waits for the successor of a proxy that dies, and at most 2 s for one that is silent", async () => {
  const { clock, control, proxy, done, stop } = await fixture();
  await done(control.start());
  const said = { by: "ann", reason: "disk", since: 0, until: null };
  proxy.silent = true;
  const dying = control.changeServer("web", "a", { state: "drain", ...said });
  proxy.silent = false;
  proxy.die();
  assert.equal((await done(dying)).applied, true);
  proxy.silent = true;
  const waiting = control.changeServer("web", "a", { state: "ready", ...said });
  await clock.advance(1999);
  assert.equal(await Promise.race([waiting, Promise.resolve(null)]), null);
  await clock.advance(1);
  assert.equal((await waiting).applied, false);
  proxy.silent = false;
  await stop();
});

/** What the vrrp process says of the last planned move that it was told of. */
function answer({ told, say }: ReturnType<typeof fakeVrrp>, outcome: "moved" | "failed" | "drained"): void {
  const command = told.findLast(({ type }) => type === "failover" || type === "failback");
  if (command !== undefined && "id" in command) say({ type: "answer", id: command.id, outcome, text: outcome });
}

Deno.test("failover() is for what is active here, is held, and outlives a restart", async () => {
  const stateDirectory = await Deno.makeTempDir();
  try {
    const request = { by: "ann", reason: "kernel", for: null };
    {
      const { control, vrrp, world, done, stop } = await fixture({ stateDirectory });
      world.state = "active";
      await done(control.start());
      await assert.rejects(control.failover("VI_2", request), { why: "unknown" });
      await assert.rejects(control.failback("VI_1"), { why: "conflict" });
      assert.equal((await done(control.failover("VI_1", request))).text, "handing over");
      assert.deepEqual(control.status().overrides, [], "nothing is held before it has moved");
      answer(vrrp, "moved");
      vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, "backup")] });
      await assert.rejects(control.failover("VI_1", request), { why: "conflict" });
      await stop();
    }
    const { control, vrrp, done, stop } = await fixture({ stateDirectory });
    await done(control.start());
    const [apply] = vrrp.told;
    assert.deepEqual(apply.type === "apply" && apply.holds, {
      VI_1: { since: 1_000_010, until: null, reason: "kernel", by: "ann" },
    });
    await done(control.failback("VI_1"));
    assert.deepEqual(control.status().overrides, []);
    await stop();
  } finally {
    await Deno.remove(stateDirectory, { recursive: true });
  }
});

Deno.test("a hold that the vrrp process ended is ended", async () => {
  const { control, vrrp, world, done, stop } = await fixture();
  world.state = "active";
  await done(control.start());
  await done(control.failover("VI_1", { by: "ann", reason: "", for: null }));
  answer(vrrp, "moved");
  const hold = { since: 1, until: null, reason: "", by: "ann" };
  const status = (state: "active" | "backup", held: typeof hold | null) =>
    vrrp.say({
      type: "status",
      at: 0,
      instances: [instanceStatus({ name: "VI_1", priority: 101 }, state, { hold: held })],
    });
  status("active", null);
  assert.equal(control.status().overrides.length, 1, "not heard of yet is not ended");
  status("backup", hold);
  status("backup", null);
  assert.deepEqual(control.status().overrides, []);
  await stop();
});

Deno.test("a vrrp process that dies during a move leaves a hold only where it had moved", async () => {
  const request = { by: "ann", reason: "", for: null };
  for (const moved of [false, true]) {
    const { clock, control, vrrp, world, done, stop } = await fixture();
    world.state = "active";
    await done(control.start());
    await done(control.failover("VI_1", request));
    if (moved) answer(vrrp, "moved");
    vrrp.die();
    await clock.advance(10);
    const again = vrrp.told.filter(({ type }) => type === "apply")[1];
    const held = moved ? ["VI_1"] : [];
    assert.deepEqual(again.type === "apply" && Object.keys(again.holds), held, `moved: ${moved}`);
    assert.deepEqual(control.status().overrides.map(({ about }) => about), held, `moved: ${moved}`);
    await stop();
  }
});

Deno.test("failback() ends a hold that only the vrrp process knows", async () => {
  const { control, vrrp, done, stop } = await fixture();
  await done(control.start());
  const hold = { since: 1, until: null, reason: "", by: "ann" };
  vrrp.say({ type: "status", at: 0, instances: [instanceStatus({ name: "VI_1", priority: 101 }, "backup", { hold })] });
  assert.equal((await done(control.failback("VI_1"))).text, "handing over");
  await stop();
});

Deno.test("reload() touches only what changed", async () => {
  const { control, proxy, vrrp, world, done, stop } = await fixture();
  await done(control.start());
  const [proxied, routed] = [proxy.told.length, vrrp.told.length];
  assert.equal((await done(control.reload())).text, "nothing changed");
  assert.deepEqual([proxy.told.length, vrrp.told.length], [proxied, routed]);
  world.text = pairText.replace("weight: 2", "weight: 3");
  assert.equal((await done(control.reload())).text, "updated web");
  world.text = world.text.replace("address: 192.0.2.2 }", "address: 192.0.2.2, labels: { zone: b } }");
  assert.equal((await done(control.reload())).text, "updated nodes");
  assert.deepEqual(types(vrrp.told.slice(routed)), [], "a weight is no matter of vrrp");
  world.text = world.text.replace("dlp1: 101", "dlp1: 150");
  await done(control.reload());
  assert.deepEqual(types(vrrp.told.slice(routed)), ["apply"]);
  await stop();
});

Deno.test("reload() that opens and closes listeners is no failure of a frontend", async () => {
  const { control, vrrp, world, done, stop } = await fixture();
  await done(control.start());
  const rows = [['["VI_1:80", "VI_1:81"]', 2], ['"VI_1:82"', 2], ['["VI_1:80", "VI_1:82"]', 3], [
    '"VI_1:80"',
    4,
  ]] as const;
  for (const [bind, weight] of rows) {
    world.text = pairText.replace('"VI_1:80"', bind).replace("weight: 2", `weight: ${weight}`);
    await done(control.reload());
  }
  assert.deepEqual(types(vrrp.told).filter((type) => type === "track"), []);
  await stop();
});

Deno.test("reload() of a bad configuration changes nothing and says why", async () => {
  const { control, proxy, taken, vrrp, world, done, stop } = await fixture();
  await done(control.start());
  const before = proxy.told.length;
  world.text = "version: 1\nfrontend: {}\n";
  await assert.rejects(done(control.reload()), { why: "invalid", message: /tandem.yaml:2:1: frontend: unknown key/ });
  assert.equal(proxy.told.length, before);
  // A listener that cannot be had: back to what ran.
  taken.add("192.0.2.100:81");
  world.text = pairText.replace('bind: "VI_1:80"', 'bind: ["VI_1:80", "VI_1:81"]');
  await assert.rejects(done(control.reload()), { why: "conflict", message: /Cannot listen on 192.0.2.100:81/ });
  const applies = proxy.told.filter((told) => told.type === "apply");
  assert.deepEqual(applies.at(-1)?.options, applies[0].options);
  assert.deepEqual(types(vrrp.told.slice(1)).filter((type) => type === "apply"), []);
  assert.deepEqual(control.status().frontends[0].bind, ["192.0.2.100:80"]);
  assert.equal(control.journal.list().at(-1)?.severity, "error");
  await stop();
});

Deno.test("a server that fails requests is left alone for a while, the last one never", async () => {
  const { clock, control, proxy, done, stop } = await fixture();
  await done(control.start());
  const state = () => control.status().backends[0].servers.map(({ state }) => state).join(" ");
  const say = (server: string) =>
    proxy.say({ type: "evidence", evidence: { backend: "web", server, errors: 5, cause: "no answer in time" } });
  say("a");
  assert.equal(state(), "down up");
  const told = proxy.told.at(-1);
  const reason = "ejected for 5 s: 5 requests in a row failed, the last one: no answer in time";
  assert.deepEqual(told?.type === "verdicts" && told.verdicts, [
    { backend: "web", server: "a", state: "down", weight: 1, reason },
  ]);
  assert.equal(control.status().backends[0].servers[0].reason, reason);
  assert.equal(control.journal.list({ limit: 1 }).at(-1)?.text, `web/a is down: ${reason}`);
  say("b");
  assert.equal(state(), "down up");
  await clock.advance(5500);
  // Its time is over; now the other one, whose evidence is younger, may be left alone.
  assert.equal(state(), "up up");
  await stop();
});

Deno.test("a server by name is unresolved until it has an address, and follows it", async () => {
  const answers: Resolution[] = [];
  const text = pairText.replace(/192\.0\.2\.11:80/, "web.example:80");
  assert.notEqual(text, pairText);
  const resolve = () => answers.length === 0 ? Promise.reject(new Error("ENOTFOUND")) : Promise.resolve(answers[0]);
  const { clock, control, proxy, done, stop } = await fixture({ text, resolve });
  await done(control.start());
  const server = () => control.status().backends[0].servers[0];
  assert.deepEqual([server().state, server().reason], ["unresolved", 'cannot resolve "web.example": ENOTFOUND']);
  assert.deepEqual([server().address, server().resolved], ["web.example:80", null]);
  const addresses = () => {
    const applied = proxy.told.filter((command) => command.type === "apply").at(-1);
    return applied?.type === "apply" ? applied.options.backends[0].servers.map(({ address }) => address) : [];
  };
  assert.deepEqual(addresses(), ["192.0.2.12"]);
  answers[0] = { addresses: ["192.0.2.77"], ttl: 60_000 };
  await clock.advance(3000);
  assert.deepEqual([server().state, server().resolved], ["up", "192.0.2.77"]);
  assert.deepEqual(addresses(), ["192.0.2.77", "192.0.2.12"]);
  answers[0] = { addresses: ["192.0.2.78"], ttl: 60_000 };
  await clock.advance(61_000);
  assert.deepEqual(addresses(), ["192.0.2.78", "192.0.2.12"]);
  await stop();
});

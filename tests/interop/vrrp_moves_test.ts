/** Planned moves between two vrrp processes, and between one and a keepalived: holds, yields, refusals, lists that differ. */
import assert from "node:assert/strict";
import type { Tracking } from "../../runtime/vrrp/protocol.ts";
import { until } from "../support/command.ts";
import { Lan } from "../support/namespaces.ts";
import { startKeepalived } from "../support/peers.ts";
import { Scratch } from "../support/scratch.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const hosts = { dlp1: "192.0.2.1/24", dlp2: "192.0.2.2/24" };
const vip = "192.0.2.100";
/** Long enough for any election at 100 ms adverts. */
const settled = 1200;
const fine: Tracking = { effect: "none", causes: [] };
const failing: Tracking = { effect: "yield", causes: ["backend web: 0 of 2 servers are up"] };

interface Two extends AsyncDisposable {
  readonly lan: Lan;
  readonly one: VrrpRole;
  readonly two: VrrpRole;
}

/** dlp1, with the higher one of the priorities, is active, dlp2 is backup. */
async function twoOf(wanted: Wanted = {}, priorities: readonly [one: number, two: number] = [200, 100]): Promise<Two> {
  const stack = new AsyncDisposableStack();
  const scratch = stack.use(new Scratch());
  const lan = stack.use(await Lan.create(hosts));
  const options = (name: string, priority: number) => [
    instanceOf(lan.host(name), { advertInterval: 100, ...wanted, priority }),
  ];
  const one = stack.use(await VrrpRole.start(lan.host("dlp1"), scratch.path, options("dlp1", priorities[0])));
  await one.reaches("active");
  const two = stack.use(await VrrpRole.start(lan.host("dlp2"), scratch.path, options("dlp2", priorities[1])));
  await wait(settled);
  return { lan, one, two, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("failover stays moved until failback, or until the peer dies", async (t) => {
  await using pair = await twoOf();
  const { one, two, lan } = pair;

  await t.step("refused where it is not active", async () => {
    const [answer] = await two.move("failover");
    assert.equal(answer.outcome, "refused");
    assert.match(answer.text, /backup here, not active/);
  });

  await t.step("moved, and it stays there although preempt is on", async () => {
    const answers = await one.move("failover", { reason: "maintenance" });
    assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "moved", "drained"]);
    await two.reaches("active");
    await wait(settled);
    assert.deepEqual([one.state, two.state], ["backup", "active"]);
    assert.equal(one.status[0].hold?.reason, "maintenance");
    assert.equal(one.status[0].reason, "maintenance");
    assert.match(two.status[0].reason, /192\.0\.2\.1 handed it over/);
  });

  await t.step("failback takes it back at once", async () => {
    const begin = performance.now();
    const answers = await one.move("failback");
    assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "moved", "drained"]);
    assert.ok(performance.now() - begin < 300, `took ${(performance.now() - begin).toFixed(0)} ms`);
    assert.deepEqual(await lan.holders(vip), ["dlp1"]);
    assert.equal(one.status[0].hold, null);
  });

  await t.step("the peer's death ends the hold", async () => {
    await one.move("failover", { reason: "again" });
    await two.reaches("active");
    await lan.port("dlp2", "down");
    await one.reaches("active", settled);
    assert.equal(one.status[0].hold, null);
    assert.match(one.log, /Hold is over: no advert from 192\.0\.2\.2/);
  });
});

Deno.test("failover with nobody to take it keeps the address and says so", async () => {
  await using pair = await twoOf();
  const { one, two, lan } = pair;
  await two.kill();
  const answers = await one.move("failover", { reason: "test" });
  assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "failed"]);
  assert.equal(answers[1].text, "Nobody took it");
  assert.equal(one.state, "active");
  assert.equal(one.status[0].hold, null);
  assert.deepEqual(await lan.holders(vip), ["dlp1"]);
});

Deno.test("a move of more addresses than a message can list keeps connections too", async () => {
  const addresses = Array.from(
    { length: 200 },
    (_, i) => ({ address: `192.0.2.${20 + i}`, prefix: 24, interface: "ens32" }),
  );
  const ports = Array.from({ length: 20 }, (_, i) => 8000 + i);
  await using pair = await twoOf({ addresses, ports });
  const { one, two, lan } = pair;
  const answers = await one.move("failover", { reason: "test" });
  assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "moved", "drained"]);
  await two.reaches("active");
  assert.equal(one.events.findLast(({ type }) => type === "vrrp.transition")?.fields.connections, "kept");
  assert.equal((await lan.host("dlp2").addresses()).length, 1 + addresses.length);
});

Deno.test("a tracker moves the address once, and never leaves nobody", async (t) => {
  for (const preempt of [true, false]) {
    await t.step(`yield hands over and comes back, preempt ${preempt}`, async () => {
      await using pair = await twoOf({ preempt });
      const { one, two } = pair;
      one.send({ type: "track", instance: "VI_1", tracking: failing });
      await two.reaches("active", 500);
      await one.reaches("backup");
      assert.equal(one.status[0].priority.effective, 1);
      assert.match(one.status[0].reason, /0 of 2 servers are up/);

      // A cause that both share: the second one keeps what it has.
      two.send({ type: "track", instance: "VI_1", tracking: failing });
      await wait(2 * settled);
      assert.deepEqual([one.state, two.state], ["backup", "active"]);
      assert.match(two.log, /Planned move \(yield\): 192\.0\.2\.1 refused: it yields too/);

      // Whoever can serve again gets it, without preempt too.
      one.send({ type: "track", instance: "VI_1", tracking: fine });
      await one.reaches("active", 15_000);
      await two.reaches("backup");
      assert.equal(one.status[0].priority.effective, 200);
    });
  }

  await t.step("a fault releases at once and comes back", async () => {
    await using pair = await twoOf();
    const { one, two, lan } = pair;
    one.send({
      type: "track",
      instance: "VI_1",
      tracking: { effect: "fault", causes: ["frontend web: not listening"] },
    });
    await one.reaches("fault", 200);
    await two.reaches("active", 400);
    assert.deepEqual(await lan.holders(vip), ["dlp2"]);
    assert.equal(one.status[0].reason, "frontend web: not listening");
    one.send({ type: "track", instance: "VI_1", tracking: fine });
    await one.reaches("active", 2000);
  });
});

Deno.test("yield beside a keepalived hands over without the channel", async () => {
  using scratch = new Scratch();
  await using lan = await Lan.create(hosts);
  const [one, two] = [lan.host("dlp1"), lan.host("dlp2")];
  const instance = {
    version: 3,
    virtualRouterId: 51,
    priority: 100,
    advertInterval: 0.1,
    addresses: [`${vip}/24`],
  } as const;
  await using role = await VrrpRole.start(one, scratch.path, [instanceOf(one, { advertInterval: 100, priority: 200 })]);
  await role.reaches("active");
  await using keepalived = await startKeepalived(two, { directory: scratch.path, instances: [instance] });
  await wait(settled);
  role.send({ type: "track", instance: "VI_1", tracking: failing });
  await until("keepalived is master", () => /Entering MASTER STATE/.test(keepalived.output), { timeout: 1000 });
  await role.reaches("backup");
  assert.match(role.log, /connections are not kept: no Tandem peer is heard/);
  assert.deepEqual(await lan.holders(vip), ["dlp2"]);
  role.send({ type: "track", instance: "VI_1", tracking: fine });
  await role.reaches("active", 3000);
});

Deno.test("preempt: false stays with whoever has it, preempt_delay waits", async (t) => {
  await t.step("preempt: false, no advert of the one that comes back", async () => {
    await using pair = await twoOf({ preempt: false });
    const { one, two } = pair;
    await one.move("failover", null);
    await two.reaches("active");
    const sent = one.status[0].counters.adverts_sent;
    await wait(2 * settled);
    assert.deepEqual([one.state, two.state], ["backup", "active"]);
    assert.equal(one.status[0].counters.adverts_sent, sent);
  });

  await t.step("preempt_delay 2 s", async () => {
    await using pair = await twoOf({ preemptDelay: 2000 });
    const { one, two } = pair;
    const begin = performance.now();
    await one.move("failover", null);
    await two.reaches("active");
    await one.reaches("active", 5000);
    const took = performance.now() - begin;
    assert.ok(took > 1950 && took < 3000, `came back after ${took.toFixed(0)} ms`);
  });

  await t.step("preempt: false, the other one was given priority 1 and can serve", async () => {
    await using pair = await twoOf({ preempt: false }, [2, 1]);
    const { one, two } = pair;
    await one.move("failover", null);
    await two.reaches("active");
    await wait(2 * settled);
    assert.deepEqual([one.state, two.state], ["backup", "active"]);
    two.send({ type: "track", instance: "VI_1", tracking: failing });
    // What it really cannot do it gives away, without preempt too.
    await one.reaches("active", 15_000);
  });

  await t.step("preempt_delay does not keep it with one that cannot serve", async () => {
    await using pair = await twoOf({ preemptDelay: 300_000 });
    const { one, two } = pair;
    await one.move("failover", null);
    await two.reaches("active");
    // Kept from the one whose turn it would be, it becomes the one that yields.
    one.send({ type: "track", instance: "VI_1", tracking: failing });
    await until("one yields", () => one.status[0].priority.effective === 1);
    two.send({ type: "track", instance: "VI_1", tracking: failing });
    await until("both yield", () => two.status[0].priority.effective === 1);
    one.send({ type: "track", instance: "VI_1", tracking: fine });
    await one.reaches("active", 15_000);
    assert.match(one.status[0].reason, /192\.0\.2\.2 handed it over/);
  });
});

Deno.test("a reload touches only what changed", async (t) => {
  await using pair = await twoOf();
  const { one, two, lan } = pair;
  const host = lan.host("dlp1");
  const base = instanceOf(host, { advertInterval: 100, priority: 200 });
  const second = { address: "192.0.2.101", prefix: 24, interface: host.device };

  await t.step("unchanged, fifty times: no transition, adverts go on", async () => {
    const before = one.transitions;
    const sent = one.status[0].counters.adverts_sent;
    const from = one.statusAt;
    for (let i = 0; i < 50; i++) await one.apply([base]);
    await wait(1100);
    assert.equal(one.transitions, before);
    // One each 100 ms, as if nothing had been said: none more, none left out.
    const more = one.status[0].counters.adverts_sent - sent;
    const due = (one.statusAt - from) / 100;
    assert.ok(Math.abs(more - due) <= 2, `${more} adverts, ${due.toFixed(1)} were due`);
    assert.equal(two.transitions, 1);
  });

  await t.step("a second address here only: both keep their state, the difference is told once", async () => {
    await one.apply([{ ...base, addresses: [...base.addresses, second] }]);
    await wait(settled);
    assert.deepEqual([one.state, two.state], ["active", "backup"]);
    assert.deepEqual((await host.addresses()).sort(), ["192.0.2.1/24", "192.0.2.100/24", "192.0.2.101/24"]);
    await until("the mismatch is counted", () => two.status[0].counters.vip_mismatch > 5);
    assert.equal(two.log.match(/advertises other addresses/g)?.length, 1);
    await one.apply([base]);
    assert.deepEqual((await host.addresses()).sort(), ["192.0.2.1/24", "192.0.2.100/24"]);
  });

  await t.step("another instance comes and goes", async () => {
    const before = one.transitions;
    const other = { ...base, name: "VI_2", virtualRouterId: 52, addresses: [second] };
    await one.apply([base, other]);
    await until("both are active", () => one.status.length === 2 && one.status[1].state === "active");
    await one.apply([base]);
    await until("the second is gone", () => one.status.length === 1);
    assert.equal(one.transitions, before);
    assert.deepEqual((await host.addresses()).sort(), ["192.0.2.1/24", "192.0.2.100/24"]);
  });

  await t.step("an instance of another name goes on as it is", async () => {
    const before = one.transitions;
    await one.apply([{ ...base, name: "VI_9" }]);
    await until("it has its new name", () => one.status[0].name === "VI_9");
    await wait(settled);
    assert.deepEqual([one.state, one.transitions, two.transitions], ["active", before, 1]);
    assert.deepEqual(await lan.holders(vip), ["dlp1"]);
    await one.apply([base]);
  });

  await t.step("a lower priority gives way, a new interval is followed", async () => {
    await one.apply([{ ...base, priority: 50, advertInterval: 200 }]);
    await two.reaches("active", 3000);
    await one.reaches("backup");
  });
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

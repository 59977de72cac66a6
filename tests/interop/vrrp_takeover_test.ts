/** How long nobody advertises when the active router dies, by the clock of a third host. */
import assert from "node:assert/strict";
import { Lan } from "../support/namespaces.ts";
import { startCapture } from "../support/peers.ts";
import { Scratch } from "../support/scratch.ts";
import { announcements, gapBetween, soundAdverts } from "./vrrp_capture.ts";
import { instanceOf, VrrpRole } from "./vrrp_role.ts";

const hosts = { dlp1: "192.0.2.1/24", dlp2: "192.0.2.2/24", client: "192.0.2.10/24" };
const vip = "192.0.2.100";

const crashes: readonly { name: string; version: 2 | 3; interval: number; most: number }[] = [
  { name: "1 s", version: 2, interval: 1000, most: 3750 },
  { name: "100 ms", version: 3, interval: 100, most: 420 },
  { name: "10 ms", version: 3, interval: 10, most: 60 },
];

for (const { name, version, interval, most } of crashes) {
  Deno.test(`a crashed active router is followed within ${most} ms at ${name} adverts`, async () => {
    using scratch = new Scratch();
    await using lan = await Lan.create(hosts);
    const [one, two, client] = [lan.host("dlp1"), lan.host("dlp2"), lan.host("client")];
    const wanted = { version, advertInterval: interval };
    await using first = await VrrpRole.start(one, scratch.path, [instanceOf(one, { ...wanted, priority: 200 })]);
    await first.reaches("active");
    await using second = await VrrpRole.start(two, scratch.path, [instanceOf(two, { ...wanted, priority: 100 })]);
    await using capture = await startCapture(client, scratch.path, "ip proto 112 or arp");
    await wait(Math.max(500, 2.5 * interval));
    assert.equal(second.state, "backup");
    assert.deepEqual([first.transitions, second.transitions], [2, 1], "nothing moves by itself");

    // Its port down, then its process killed: as when the power goes.
    await lan.port("dlp1", "down");
    await first.kill();
    await second.reaches("active", most + 2000);
    await wait(300);
    await capture.stop();

    const adverts = await soundAdverts(capture, [one.address, two.address]);
    const { gap, firstAt } = gapBetween(adverts, one.address, two.address);
    assert.ok(gap <= most, `took ${gap.toFixed(1)} ms, at most ${most}`);
    assert.ok(gap >= 3 * interval - 5, `took only ${gap.toFixed(1)} ms: before three intervals were over`);
    const mac = await two.mac();
    const [announced] = (await announcements(capture, vip)).filter((seen) => seen.mac === mac);
    assert.ok(announced, "gratuitous ARP was sent");
    assert.ok(announced.at - firstAt < 10, `gratuitous ARP ${(announced.at - firstAt).toFixed(1)} ms after the advert`);
  });
}

Deno.test("a stopped active router hands over, preemption takes back, a killed process resumes where it was", async (t) => {
  using scratch = new Scratch();
  await using lan = await Lan.create(hosts);
  const [one, two, client] = [lan.host("dlp1"), lan.host("dlp2"), lan.host("client")];
  const options = [instanceOf(one, { priority: 200 })];
  await using second = await VrrpRole.start(two, scratch.path, [instanceOf(two, { priority: 100 })]);
  let first = await VrrpRole.start(one, scratch.path, options);
  try {
    await first.reaches("active");
    await using capture = await startCapture(client, scratch.path, "ip proto 112 or arp");

    await t.step("stop: the peer has it before it is gone here", async () => {
      assert.equal(await first.stop(), 0);
      await second.reaches("active", 500);
      assert.deepEqual(await lan.holders(vip), ["dlp2"]);
      await capture.stop();
      const adverts = await soundAdverts(capture, [one.address, two.address]);
      assert.equal(adverts.findLast(({ source }) => source === one.address)?.priority, 0);
      const { gap } = gapBetween(adverts, one.address, two.address);
      assert.ok(gap < 50, `from priority 0 to the peer's advert it took ${gap.toFixed(1)} ms`);
    });

    await t.step("preemption: asked for and handed over", async () => {
      first = await VrrpRole.start(one, scratch.path, options);
      await first.reaches("active", 6000);
      await second.reaches("backup");
      assert.match(first.status[0].reason, /handed it over/);
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);
    });

    await t.step("kill -9 and a vouched restart: no transition on the peer", async () => {
      const before = second.transitions;
      await first.kill();
      first = new VrrpRole(one, `${scratch.path}/dlp1`);
      await first.apply(options, { vouched: ["VI_1"] });
      await first.reaches("active");
      assert.match(first.status[0].reason, /resumed/);
      await wait(1500);
      assert.equal(second.transitions, before);
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);
    });

    await t.step("kill -9 and a restart that nobody vouches for: what it held is removed", async () => {
      await first.kill();
      first = new VrrpRole(one, `${scratch.path}/dlp1`);
      await first.apply(options);
      await first.reaches("backup");
      assert.deepEqual(await lan.holders(vip), []);
    });

    await t.step("interface gone and back: fault within 50 ms, then it takes part again", async () => {
      // Whichever was first to miss the dead one; the better one has it in the end.
      await first.reaches("active", 10_000);
      await wait(1500);
      const at = performance.now();
      await one.run(["ip", "link", "set", one.device, "down"]);
      await first.reaches("fault", 1000);
      const took = performance.now() - at;
      assert.ok(took < 80, `fault after ${took.toFixed(0)} ms, the command included`);
      assert.match(first.status[0].reason, /"ens32" is down/);
      await one.run(["ip", "link", "set", one.device, "up"]);
      await first.reaches("active", 6000);
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);
    });
  } finally {
    await first[Symbol.asyncDispose]();
  }
});

Deno.test("after every split brain the winner announces itself last, and the client believes it", async () => {
  using scratch = new Scratch();
  await using lan = await Lan.create(hosts);
  const [one, two, client] = [lan.host("dlp1"), lan.host("dlp2"), lan.host("client")];
  const wanted = { advertInterval: 100 };
  await using first = await VrrpRole.start(one, scratch.path, [instanceOf(one, { ...wanted, priority: 200 })]);
  await first.reaches("active");
  await using second = await VrrpRole.start(two, scratch.path, [instanceOf(two, { ...wanted, priority: 100 })]);
  const mac = await one.mac();
  await client.ip(["neigh", "replace", vip, "lladdr", mac, "dev", client.device, "nud", "stale"]);
  for (let heal = 1; heal <= 6; heal++) {
    await lan.isolate(["dlp1", "dlp2"], true);
    await second.reaches("active", 2000);
    assert.deepEqual(await lan.holders(vip), ["dlp1", "dlp2"]);
    await wait(100 * heal);
    await using capture = await startCapture(client, scratch.path, "arp or ip proto 112");
    await lan.isolate(["dlp1", "dlp2"], false);
    await second.reaches("backup", 1000);
    await wait(1500);
    await capture.stop();
    assert.equal(first.state, "active");
    const seen = await announcements(capture, vip);
    assert.equal(seen.at(-1)?.mac, mac, `heal ${heal}: ${JSON.stringify(seen)}`);
    // A neighbour table does not believe two changes within a second: the last word must find it ready.
    assert.equal(await client.neighbour(vip), mac, `heal ${heal}`);
  }
});

Deno.test("a stalled active router finds out before it speaks", async (t) => {
  for (const preempt of [true, false]) {
    await t.step(`preempt ${preempt}`, async () => {
      using scratch = new Scratch();
      await using lan = await Lan.create(hosts);
      const [one, two] = [lan.host("dlp1"), lan.host("dlp2")];
      const wanted = { advertInterval: 100, preempt };
      await using first = await VrrpRole.start(one, scratch.path, [instanceOf(one, { ...wanted, priority: 200 })]);
      await first.reaches("active");
      await using second = await VrrpRole.start(two, scratch.path, [instanceOf(two, { ...wanted, priority: 100 })]);
      await wait(500);
      first.signal("SIGSTOP");
      await second.reaches("active", 1000);
      await wait(500);
      first.signal("SIGCONT");
      await wait(800);
      const [winner, loser] = preempt ? [first, second] : [second, first];
      assert.deepEqual([winner.state, loser.state], ["active", "backup"], first.log + second.log);
      assert.deepEqual(await lan.holders(vip), [winner.host.name]);
      // Without preempt the incumbent is not disturbed at all.
      if (!preempt) assert.equal(second.transitions, 2);
    });
  }
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

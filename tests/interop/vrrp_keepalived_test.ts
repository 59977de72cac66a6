/** Our vrrp process beside a real keepalived: both directions, both versions, multicast and unicast. */
import assert from "node:assert/strict";
import { AddressWatch } from "../support/address_watch.ts";
import { LEASE_LATE } from "../support/lease.ts";
import { Lan } from "../support/namespaces.ts";
import { type KeepalivedInstance, startCapture, startKeepalived } from "../support/peers.ts";
import { until } from "../support/command.ts";
import { Scratch } from "../support/scratch.ts";
import { soundAdverts } from "./vrrp_capture.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const hosts = { dlp1: "192.0.2.1/24", dlp2: "192.0.2.2/24", client: "192.0.2.10/24" };
const vip = "192.0.2.100";
const peers = ["192.0.2.1", "192.0.2.2"];

interface Variant {
  readonly name: string;
  readonly ours: Wanted;
  readonly theirs: Partial<KeepalivedInstance>;
  /** Seconds of keepalived, ms of ours. */
  readonly interval: number;
}

const password = { type: "pass", password: "12345678", alsoAccept: [] } as const;
const ourUnicast = { source: null, peers, minTtl: 255 };
const theirUnicast = { source: "192.0.2.2", peers: ["192.0.2.1"] };

const variants: readonly Variant[] = [
  {
    name: "version 2, password, multicast, 1 s",
    ours: { version: 2, authentication: password },
    theirs: { version: 2, password: "12345678" },
    interval: 1000,
  },
  {
    name: "version 2, no password, unicast, 1 s",
    ours: { version: 2, unicast: ourUnicast },
    theirs: { version: 2, unicast: theirUnicast },
    interval: 1000,
  },
  { name: "version 3, multicast, 100 ms", ours: {}, theirs: { version: 3 }, interval: 100 },
  {
    name: "version 3, unicast, 100 ms",
    ours: { unicast: ourUnicast },
    theirs: { version: 3, unicast: theirUnicast },
    interval: 100,
  },
];

for (const { name, ours, theirs, interval } of variants) {
  Deno.test(`beside keepalived: ${name}`, async (t) => {
    using scratch = new Scratch();
    await using lan = await Lan.create(hosts);
    const [one, two, client] = [lan.host("dlp1"), lan.host("dlp2"), lan.host("client")];
    await using capture = await startCapture(client, scratch.path, "ip proto 112");
    // Unicast does not pass the client's port: what we send is captured where it leaves.
    await using leaving = await startCapture(one, scratch.path, "ip proto 112");
    const keepalivedOf = (priority: number) => ({
      virtualRouterId: 51,
      advertInterval: interval / 1000,
      addresses: [`${vip}/24`],
      ...theirs,
      priority,
    });
    const options = (priority: number) => [instanceOf(one, { advertInterval: interval, ...ours, priority })];
    const downAfter = 3 * interval + interval + 300;

    let log = "";
    await t.step("it stays backup under our adverts and takes over when we stop", async () => {
      await using role = await VrrpRole.start(one, scratch.path, options(200));
      await role.reaches("active");
      await using keepalived = await startKeepalived(two, {
        directory: scratch.path,
        instances: [keepalivedOf(100)],
      });
      await wait(Math.max(1000, 5 * interval));
      assert.doesNotMatch(keepalived.output, /Entering MASTER STATE/);
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);
      assert.equal(role.transitions, 2);

      const at = performance.now();
      const stopped = role.stop();
      await until("keepalived is master", () => /Entering MASTER STATE/.test(keepalived.output), { interval: 5 });
      const took = performance.now() - at;
      assert.ok(took < 0.75 * interval + 150, `keepalived took over after ${took.toFixed(0)} ms`);
      assert.equal(await stopped, 0);
      assert.deepEqual(await lan.holders(vip), ["dlp2"]);
      await keepalived.stop();
      log += keepalived.output;
    });

    await t.step("it takes over when we die, and gives in when we are back", async () => {
      await using role = await VrrpRole.start(one, scratch.path, options(200));
      await role.reaches("active");
      await using keepalived = await startKeepalived(two, {
        directory: scratch.path,
        instances: [keepalivedOf(100)],
      });
      await wait(Math.max(1000, 5 * interval));
      assert.doesNotMatch(keepalived.output, /Entering MASTER STATE/);

      await lan.port("dlp1", "down");
      await role.kill();
      await until("keepalived is master", () => /Entering MASTER STATE/.test(keepalived.output), {
        timeout: downAfter,
        interval: 5,
      });
      // A dead machine holds nothing: its lease ends.
      await until("the lease ends", async () => (await lan.holders(vip)).join() === "dlp2", {
        timeout: 3000 + LEASE_LATE,
      });

      await lan.port("dlp1", "up");
      await using back = await VrrpRole.start(one, scratch.path, options(200));
      await back.reaches("active", downAfter + 2000);
      await until("it stepped down", () => /MASTER STATE[\s\S]*Entering BACKUP STATE/.test(keepalived.output));
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);
      log += keepalived.output;
    });

    await t.step("we preempt it, stay backup under its adverts, and take over when it dies", async () => {
      await using keepalived = await startKeepalived(two, {
        directory: scratch.path,
        instances: [keepalivedOf(150)],
      });
      await until("keepalived is master", () => /Entering MASTER STATE/.test(keepalived.output));
      await using role = await VrrpRole.start(one, scratch.path, options(100));
      await wait(Math.max(1000, 5 * interval));
      assert.equal(role.state, "backup");
      assert.equal(role.status[0].activeRouter, two.address);
      assert.deepEqual(role.status[0].peer, { address: two.address, state: "ok", tandem: false, explain: null });

      await role.apply(options(200));
      await role.reaches("active", downAfter + 1000);
      await until(
        "keepalived stepped down",
        () => /Entering BACKUP STATE[\s\S]*Entering BACKUP STATE/.test(keepalived.output),
      );
      assert.deepEqual(await lan.holders(vip), ["dlp1"]);

      await role.apply(options(100));
      await role.reaches("backup", downAfter + 1000);
      assert.deepEqual(await lan.holders(vip), ["dlp2"]);
      log += keepalived.output;
      await lan.port("dlp2", "down");
      await keepalived.crash();
      await role.reaches("active", downAfter);
      assert.match(role.status[0].reason, /no advert from 192\.0\.2\.2 for/);
      const { dropped } = role.status[0].counters;
      assert.deepEqual(Object.values(dropped).filter((count) => count > 0), [], JSON.stringify(dropped));
    });

    await t.step("every advert of ours is well-formed, and keepalived found nothing wrong", async () => {
      await Promise.all([capture.stop(), leaving.stop()]);
      const adverts = await soundAdverts(leaving, [one.address]);
      assert.ok(adverts.length > 10, `${adverts.length} adverts`);
      const destination = ours.unicast ? two.address : "224.0.0.18";
      assert.deepEqual(new Set(adverts.map((advert) => advert.destination)), new Set([destination]));
      if (!ours.unicast) await soundAdverts(capture, [one.address]);
      assert.doesNotMatch(log, /invalid|wrong|bad|mismatch|old version|Error|unexpected/i);
    });
  });
}

Deno.test("one node at version 2 and one at version 3: never two holders", async (t) => {
  using scratch = new Scratch();
  await using lan = await Lan.create(hosts);
  const [one, two] = [lan.host("dlp1"), lan.host("dlp2")];
  const first = [instanceOf(one, { version: 2, priority: 101 })];
  const second = [instanceOf(two, { version: 3, priority: 100 })];
  await using watch = await AddressWatch.start(lan, vip);
  const neverTwo = (from: number) => assert.deepEqual(watch.doubles({ from, to: Infinity }), []);

  await t.step("started together", async () => {
    const from = Date.now();
    await using a = await VrrpRole.start(one, scratch.path, first);
    await using b = await VrrpRole.start(two, scratch.path, second);
    await a.reaches("active");
    await wait(5000);
    assert.deepEqual([a.state, b.state], ["active", "backup"]);
    const { peer, counters } = b.status[0];
    assert.equal(peer?.state, "incompatible");
    assert.equal(
      peer?.explain,
      "192.0.2.1 uses version 2, this node version 3: make vrrp.VI_1.version the same on both nodes",
    );
    assert.ok(counters.incompatible >= 4 && counters.dropped.version === counters.incompatible);
    assert.equal(b.log.match(/Incompatible peer/g)?.length, 1);

    // The one that waits takes over when the other dies, and gives in when it is back.
    await a.kill();
    await lan.host("dlp1").run(["ip", "addr", "flush", "to", `${vip}/32`]);
    await b.reaches("active", 6000);
    await using again = await VrrpRole.start(one, scratch.path, first);
    await wait(5000);
    assert.deepEqual([again.state, b.state], ["backup", "active"]);
    neverTwo(from);
  });

  await t.step("split and healed: both were active, one gives in", async () => {
    await using a = await VrrpRole.start(one, scratch.path, first);
    await using b = await VrrpRole.start(two, scratch.path, second);
    await a.reaches("active");
    await wait(1500);
    await lan.isolate(["dlp1", "dlp2"], true);
    await b.reaches("active", 6000);
    await lan.isolate(["dlp1", "dlp2"], false);
    await b.reaches("backup", 3000);
    await wait(200);
    const from = Date.now();
    await wait(5000);
    assert.deepEqual([a.state, b.state], ["active", "backup"]);
    neverTwo(from);
  });

  await t.step("beside keepalived of the other version", async () => {
    const instance = { version: 2, virtualRouterId: 51, priority: 90, addresses: [`${vip}/24`] } as const;
    await using keepalived = await startKeepalived(two, { directory: scratch.path, instances: [instance] });
    await until("keepalived is master", () => /Entering MASTER STATE/.test(keepalived.output));
    const from = Date.now();
    await using role = await VrrpRole.start(one, scratch.path, [instanceOf(one, { version: 3, priority: 200 })]);
    await wait(6000);
    assert.equal(role.state, "backup");
    await keepalived.stop();
    await role.reaches("active", 6000);
    neverTwo(from);
    assert.deepEqual(watch.spans().filter(({ to }) => to > from).map(({ host }) => host), ["dlp2", "dlp1"]);
  });
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

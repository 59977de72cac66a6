/** Processes that are killed: each is back, the address is on exactly one node, and a dead machine's lease ends. */
import assert from "node:assert/strict";
import { AddressWatch } from "../support/address_watch.ts";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import { LEASE_LATE } from "../support/lease.ts";
import { Pair } from "../support/pair.ts";
import { startCapture } from "../support/peers.ts";
import { pairAddress } from "../support/tandem.ts";
import { explain } from "../../runtime/demo/measure.ts";

Deno.test("kill -9 of any one child process: it is back, and the address is on exactly one node", async (t) => {
  await using pair = await Pair.start();
  const client = await pair.client();
  await client.requests(100);
  await using watch = await AddressWatch.start(pair.lan, pairAddress);
  const node = pair.node("dlp1");
  const roles = [...(await node.children()).keys()];
  assert.ok(roles.includes("vrrp") && roles.includes("proxy"), `children of the node: ${roles.join(", ")}`);

  for (const role of roles) {
    await t.step(role, async () => {
      await pair.converged("dlp1", 15_000);
      await client.requests(50);
      const before = (await node.children()).get(role)!;
      const from = Client.now();
      Deno.kill(before, "SIGKILL");
      const after = await until(`${role} is back`, async () => {
        const pid = (await node.children()).get(role);
        return pid !== undefined && pid !== before ? pid : null;
      });
      assert.notEqual(after, before);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const holders = await until("one node holds the address", async () => {
        const holders = await pair.lan.holders(pairAddress);
        return holders.length === 1 ? holders : null;
      });
      assert.equal(holders.length, 1);
      await client.requests(100);
      const window = await client.since(from);
      // The address stays on the interface, so nobody but the other node could notice.
      if (role === "vrrp") {
        assert.ok(client.gap(window) < 200, `nobody was served for ${Math.round(client.gap(window))} ms`);
        assert.deepEqual(client.failures(window).map(explain), []);
        assert.deepEqual(watch.spans().filter(({ to }) => to > from).map(({ host }) => host), ["dlp1"]);
      }
    });
  }
});

Deno.test("kill -9 of everything: the address is gone when its lease ends", async () => {
  await using pair = await Pair.start();
  await using watch = await AddressWatch.start(pair.lan, pairAddress);
  // The cable stays in: nothing but the lease takes the address off this machine.
  await pair.node("dlp1").crash();
  const from = Client.now();
  const lost = await until("dlp1 no longer holds the address", () => watch.lost("dlp1"), { timeout: 5_000 });
  assert.ok(lost - from <= 3_000 + LEASE_LATE, `it was there for ${Math.round(lost - from)} ms, its lease is 3 s`);
  await until("dlp2 holds it", async () => (await pair.lan.holders(pairAddress)).join() === "dlp2", { timeout: 3_000 });
});

Deno.test("takeover after a crash, by the adverts on the wire", async (t) => {
  const rows: readonly [interval: string, budget: number][] = [["100ms", 420], ["10ms", 60]];
  for (const [interval, budget] of rows) {
    await t.step(`${interval} adverts, version 3: at most ${budget} ms`, async () => {
      await using pair = await Pair.start({ version: 3, advertInterval: interval, priority: { dlp1: 200, dlp2: 100 } });
      // Both have started and are quiet.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await using capture = await startCapture(pair.lan.host("client"), pair.scratch.path, "ip proto 112");
      await new Promise((resolve) => setTimeout(resolve, 500));
      await pair.crash("dlp1");
      await pair.converged("dlp2");
      await capture.stop();
      const adverts = await capture.fields("vrrp", ["frame.time_epoch", "ip.src"]);
      const first = adverts.findIndex((advert) => advert["ip.src"] === pair.lan.host("dlp2").address);
      assert.ok(first > 0, `no change of sender among ${adverts.length} adverts`);
      const silence = (Number(adverts[first]["frame.time_epoch"]) - Number(adverts[first - 1]["frame.time_epoch"])) *
        1_000;
      assert.ok(silence <= budget, `${silence.toFixed(1)} ms between the last advert of dlp1 and the first of dlp2`);
      assert.ok(
        adverts.slice(first).every((advert) => advert["ip.src"] === pair.lan.host("dlp2").address),
        "one transition",
      );
    });
  }
});

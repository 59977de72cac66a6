/** Planned moves of the whole pair under load: nobody notices, and nothing is left behind. */
import assert from "node:assert/strict";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import type { Host } from "../support/namespaces.ts";
import { Pair } from "../support/pair.ts";
import { pairAddress } from "../support/tandem.ts";
import { explain } from "../../runtime/demo/measure.ts";

Deno.test("ten planned handovers and failbacks under load: no failed request, no reset, gaps below 50 ms", async (t) => {
  await using pair = await Pair.start({ instance: ["handover: { connections: auto, drain: 5s }"] });
  const timeout = 3_000;
  const client = await pair.client({ kept: 8, pause: 10, pace: 10, timeout });
  const begun = Client.now();
  await client.requests(200);
  for (let round = 1; round <= 10; round++) {
    for (const [verb, owner] of [["failover", "dlp2"], ["failback", "dlp1"]] as const) {
      await t.step(`${verb} ${round}`, async () => {
        const from = Client.now();
        const { status, body } = await pair.node("dlp1").api("POST", `/api/v1/vrrp/VI_1/${verb}`, { reason: "test" });
        assert.equal(status, 202, body);
        await pair.converged(owner);
        await client.requests(100);
        const window = await client.since(from);
        assert.deepEqual(client.failures(window).map(explain), []);
        for (const kind of ["new", "kept"] as const) {
          const gap = client.gap(window, kind);
          assert.ok(gap < 50, `no answer on ${kind} connections for ${Math.round(gap)} ms`);
        }
        assert.equal(client.neighbours.at(-1)?.mac, await pair.lan.host(owner).mac());
      });
    }
  }
  await t.step(
    "what began in a move did not fail later either",
    async () => {
      await new Promise((resolve) => setTimeout(resolve, timeout + 500));
      const window = await client.since(begun);
      assert.deepEqual(client.failures(window).map(explain), []);
    },
  );
});

Deno.test("a stop of the service, SIGTERM to each of its processes, hands over without a failed request", async () => {
  await using pair = await Pair.start({ instance: ["handover: { connections: auto, drain: 3s }"] });
  const client = await pair.client({ kept: 4, pause: 20, pace: 10 });
  await client.requests(200);
  const from = Client.now();
  const leaving = pair.node("dlp1");
  // systemd's KillMode=control-group, and what Ctrl-C is in a terminal.
  for (const pid of [leaving.pid, ...(await leaving.children()).values()]) Deno.kill(pid, "SIGTERM");
  await until("dlp2 alone holds the address", async () => (await pair.lan.holders(pairAddress)).join() === "dlp2");
  const moved = await client.since(from);
  assert.deepEqual(client.failures(moved).map(explain), []);
  assert.ok(client.gap(moved) < 50, `nobody was served for ${Math.round(client.gap(moved))} ms`);
  const status = await Promise.race([
    leaving.exit,
    new Promise<null>((resolve) => setTimeout(() => resolve(null), 15_000)),
  ]);
  assert.equal(status?.code, 0, `did not end by itself:\n${leaving.output.slice(-3_000)}`);
  assert.deepEqual(client.failures(await client.since(from)).map(explain), []);
  assert.deepEqual(await leftovers(pair.lan.host("dlp1")), []);
});

/** Copies of the address on `lo`, tables of ours in nftables, changed ARP settings. */
async function leftovers(host: Host): Promise<string[]> {
  const onLoopback = (await host.addresses("lo")).filter((cidr) => cidr !== "127.0.0.1/8");
  const tables = (await host.run(["nft", "list", "tables"])).stdout.split("\n").filter((line) =>
    line.includes("tandem")
  );
  const keys = ["arp_ignore", "arp_announce"].map((key) => `/proc/sys/net/ipv4/conf/${host.device}/${key}`);
  const values = (await host.run(["cat", ...keys])).stdout.trim().split("\n");
  return [
    ...onLoopback,
    ...tables,
    ...values.flatMap((value, index) => value === "0" ? [] : [`${keys[index]} = ${value}`]),
  ];
}

Deno.test("a node that starts beside an active one of lower priority takes over, and no request fails", async () => {
  await using pair = await Pair.prepare();
  await pair.startNode("dlp2");
  await pair.converged("dlp2");
  const client = await pair.client({ kept: 4, pause: 10, pace: 10 });
  await client.requests(100);
  const from = Client.now();
  // It asks for the address at the first advert of its life; nobody has ever heard of it.
  await pair.startNode("dlp1");
  await pair.converged("dlp1");
  await client.requests(200);
  const window = await client.since(from);
  assert.deepEqual(client.failures(window).map(explain), []);
  assert.equal(client.neighbours.at(-1)?.mac, await pair.lan.host("dlp1").mac());
  assert.match(pair.node("dlp2").output, /keeps \d+ connections/);
});

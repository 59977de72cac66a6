/** The classic pair, end to end: one file on both nodes, real sockets, a client that sees everything. */
import assert from "node:assert/strict";
import { AddressWatch } from "../support/address_watch.ts";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import { Pair } from "../support/pair.ts";
import { startCapture } from "../support/peers.ts";
import { request } from "../support/request.ts";
import { pairAddress } from "../support/tandem.ts";
import { explain } from "../../runtime/demo/measure.ts";

Deno.test("the pair of the picture balances, survives its servers, its owner and gives the address back", async (t) => {
  await using pair = await Pair.start();
  const asker = pair.lan.host("client");

  // The kernel's word on every host, from here to the crash: whatever happens to servers, the address stays where it is.
  await using watch = await AddressWatch.start(pair.lan, pairAddress);

  await t.step("round robin is 50/50", async () => {
    const answers = await request(asker, { address: pairAddress, times: 200 });
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const first = answers.filter(({ headers }) => headers["x-served-by"] === "node01").length;
    // Each engine thread takes turns by itself, so each may be one off.
    assert.ok(Math.abs(first - 100) <= navigator.hardwareConcurrency, `node01 answered ${first} of 200`);
  });

  await t.step("X-Forwarded-For is the client's address, whatever the client claims", async () => {
    const [answer] = await request(asker, {
      address: pairAddress,
      path: "/echo?a=1",
      headers: [
        "X-Forwarded-For: 10.0.0.1",
        "x-forwarded-for: 10.0.0.2, 10.0.0.3",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
      ],
    });
    const seen = JSON.parse(answer.body);
    assert.equal(seen.path, "/echo?a=1");
    assert.equal(seen.headers["x-forwarded-for"], asker.address);
    assert.equal(seen.headers["x-forwarded-proto"], "http");
    assert.equal(seen.headers["x-forwarded-host"], pairAddress);
    assert.equal(seen.headers.host, pairAddress);
    assert.equal(seen.peer, pair.lan.host("dlp1").address);
  });

  const client = await pair.client();

  await t.step("a server that is stopped costs no request", async () => {
    const from = Client.now();
    await pair.server("node01").stop();
    const down = await pair.node("dlp1").waitFor("node01 is down", (status) => {
      const server = status.backends[0].servers.find(({ name }) => name === "node01");
      // What requests met may have taken it out before its check did.
      return server?.state === "down" && server.check?.ok === false ? server : null;
    });
    assert.match(down.check?.reason ?? "", /refused/);
    const since = Client.now();
    await client.requests(300);
    const window = await client.since(from);
    assert.deepEqual(client.failures(window).map(explain), []);
    assert.deepEqual([...client.shares(await client.since(since)).keys()], ["node02"]);
    await pair.startServer("node01");
    await pair.node("dlp1").waitFor("node01 is back", (status) => status.backends[0].servers[0].state === "up");
  });

  await t.step("a silent server is out after `fall`, and then costs no request", async () => {
    const from = Client.now();
    pair.server("node02").signal("SIGSTOP");
    try {
      // fall 2, one probe a second, 500 ms of patience each.
      await pair.node("dlp1").waitFor(
        "node02 is down",
        (status) => status.backends[0].servers[1].state === "down",
        4_000,
      );
      assert.ok(Client.now() - from < 3_500, `out after ${Math.round(Client.now() - from)} ms`);
      const since = Client.now();
      await client.requests(100);
      const window = await client.since(since);
      // Requests that were with the silent server when it fell silent are its own; what began later is not.
      const later = client.failures(window).filter(({ started }) => started > since);
      assert.deepEqual(later.map(explain), []);
      assert.equal(client.shares(window).get("node02") ?? 0, 0);
    } finally {
      pair.server("node02").signal("SIGCONT");
    }
    await pair.node("dlp1").waitFor("node02 is back", (status) => status.backends[0].servers[1].state === "up");
  });

  await t.step("with all servers down the address stays where it is and answers 503", async () => {
    await Promise.all([pair.server("node01").stop("SIGKILL"), pair.server("node02").stop("SIGKILL")]);
    await pair.node("dlp1").waitFor(
      "both servers are down",
      (status) => status.backends[0].servers.every(({ state }) => state === "down"),
    );
    const end = Client.now() + 3_000;
    while (Client.now() < end) {
      assert.deepEqual(await pair.lan.holders(pairAddress), ["dlp1"]);
      const [answer] = await request(asker, { address: pairAddress });
      assert.equal(answer.status, 503);
    }
    await Promise.all([pair.startServer("node01"), pair.startServer("node02")]);
    await pair.node("dlp1").waitFor(
      "both servers are back",
      (status) => status.backends[0].servers.every(({ state }) => state === "up"),
    );
  });

  await t.step("since convergence exactly one node held the address, at any time", () => {
    assert.deepEqual(watch.spans(), [{ host: "dlp1", from: -Infinity, to: Infinity }]);
  });

  await t.step(
    "the active node dies: takeover within 3.75 s, announced within 10 ms, known to the client",
    async () => {
      await client.requests(50);
      await using capture = await startCapture(asker, pair.scratch.path, "ip proto 112 or arp");
      const from = Client.now();
      await pair.crash("dlp1");
      await pair.converged("dlp2");
      await client.requests(50);
      const window = await client.since(from);
      await capture.stop();
      assert.ok(client.gap(window) <= 3_750, `nobody was served for ${Math.round(client.gap(window))} ms`);
      assert.equal(client.neighbours.at(-1)?.mac, await pair.lan.host("dlp2").mac());

      const heir = pair.lan.host("dlp2");
      const frames = await capture.fields(
        `(vrrp && ip.src == ${heir.address}) || (arp && arp.src.proto_ipv4 == ${pairAddress})`,
        [
          "frame.time_epoch",
          "vrrp.prio",
          "arp.src.hw_mac",
          "arp.opcode",
        ],
      );
      const advert = Number(frames.find((frame) => frame["vrrp.prio"] !== "")?.["frame.time_epoch"]);
      const mac = await heir.mac();
      const announcements = frames.filter((frame) => frame["arp.src.hw_mac"] === mac);
      const delay = (Number(announcements[0]?.["frame.time_epoch"]) - advert) * 1_000;
      assert.ok(delay <= 10, `announced ${delay.toFixed(1)} ms after the first advert`);
      assert.deepEqual(
        new Set(announcements.map((frame) => frame["arp.opcode"])),
        new Set(["1", "2"]),
        "request and reply",
      );
    },
  );

  await t.step("it returns and takes the address back by preemption, and no request fails", async () => {
    await pair.lan.port("dlp1", "up");
    await pair.startNode("dlp1");
    const from = Client.now();
    await until("dlp1 holds the address", async () => (await pair.lan.holders(pairAddress)).includes("dlp1"));
    const moved = Client.now();
    await pair.converged("dlp1");
    await client.requests(100);
    const window = await client.since(from);
    assert.deepEqual(client.failures(window).map(explain), []);
    // What the start of three processes takes from the client on a small machine is no matter of the move.
    const gap = client.gap({ from: moved - 1_000, to: window.to });
    assert.ok(gap < 50, `nobody was served for ${Math.round(gap)} ms`);
    await until(
      "the client's entry names dlp1",
      async () => client.neighbours.at(-1)?.mac === await pair.lan.host("dlp1").mac(),
    );
  });
});

Deno.test("trackers that fail on both nodes cost at most one move, then 503", async () => {
  await using pair = await Pair.start({ instance: ["track: { backends: [backend_servers] }"] });
  await Promise.all([pair.server("node01").stop("SIGKILL"), pair.server("node02").stop("SIGKILL")]);
  for (const name of ["dlp1", "dlp2"] as const) {
    await pair.node(name).waitFor(
      "both servers are down",
      (status) => status.backends[0].servers.every(({ state }) => state === "down"),
    );
  }
  const before = Client.now();
  const owners: string[] = [];
  while (Client.now() < before + 6_000) {
    const holders = await pair.lan.holders(pairAddress);
    assert.ok(holders.length >= 1, `nobody holds the address\n${await pair.explain()}`);
    if (holders.length === 1 && holders[0] !== owners.at(-1)) owners.push(holders[0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(owners.length <= 2, `the address went ${owners.join(" → ")}`);
  const [answer] = await request(pair.lan.host("client"), { address: pairAddress });
  assert.equal(answer.status, 503);
});

/** Virtual addresses on real interfaces: leases, what others do to them, links that come and go, gratuitous ARP. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { LEASE_LATE } from "../support/lease.ts";
import { Lan } from "../support/namespaces.ts";
import { startCapture } from "../support/peers.ts";
import { now, VipNode } from "./vip_node.ts";

const vip = "10.97.0.100";
const hosts = { one: "10.97.0.1/24", client: "10.97.0.9/24" };

function holding(device = "ens32", advertInterval = 1000) {
  return {
    addresses: [{ address: vip, prefix: 24, interface: device }],
    advertInterval,
    garp: { repeat: 5, delay: 1000, refresh: 0 },
  };
}

Deno.test("VIP: acquire announces by request and reply, and the client's neighbour entry changes", async () => {
  const directory = await Deno.makeTempDir();
  await using lan = await Lan.create({ ...hosts, two: "10.97.0.2/24" });
  const client = lan.host("client");
  await using a = await VipNode.start(lan.host("one"));
  await using b = await VipNode.start(lan.host("two"));
  await a.do("acquire", { instance: "VI_1", holding: holding() });
  await client.run(["bash", "-c", `echo > /dev/tcp/${vip}/9`], { allowFailure: true });
  assert.equal(await client.neighbour(vip), await lan.host("one").mac());

  await using capture = await startCapture(client, directory, "arp");
  await a.do("release", { instance: "VI_1" });
  await b.do("acquire", { instance: "VI_1", holding: holding() });
  const mac = await lan.host("two").mac();
  await until("neighbour entry of the client", async () => await client.neighbour(vip) === mac, { timeout: 200 });
  assert.deepEqual(await lan.holders(vip), ["two"]);

  await new Promise((resolve) => setTimeout(resolve, 1500));
  await capture.stop();
  const seen = await capture.fields(`arp.src.proto_ipv4 == ${vip} && arp.isgratuitous == 1`, [
    "arp.opcode",
    "eth.dst",
    "eth.src",
    "arp.src.hw_mac",
    "arp.dst.hw_mac",
    "arp.dst.proto_ipv4",
    "frame.len",
    "frame.time_relative",
  ]);
  // Two bursts of five rounds, each a request and a reply.
  assert.equal(seen.length, 20, JSON.stringify(seen));
  for (const [i, frame] of seen.entries()) {
    assert.equal(frame["arp.opcode"], i % 2 === 0 ? "1" : "2");
    assert.equal(frame["eth.dst"], "ff:ff:ff:ff:ff:ff");
    assert.equal(frame["eth.src"], mac);
    assert.equal(frame["arp.src.hw_mac"], mac);
    assert.equal(frame["arp.dst.hw_mac"], "ff:ff:ff:ff:ff:ff");
    assert.equal(frame["arp.dst.proto_ipv4"], vip);
    assert.equal(frame["frame.len"], "42");
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("VIP: the lease outlives renewals, and ends by itself when the process is killed", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  const node = await VipNode.start(host);
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.deepEqual(await lan.holders(vip), ["one"]);
  const from = now();
  await node.crash();
  await until("end of the lease", async () => (await lan.holders(vip)).length === 0, { timeout: 5000 });
  const after = now() - from;
  assert.ok(after >= 1500 && after <= 3000 + LEASE_LATE, `gone after ${after} ms`);
});

Deno.test("VIP: deleted by someone else it is back within 100 ms, announced", async () => {
  const directory = await Deno.makeTempDir();
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  await using node = await VipNode.start(host);
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  await using capture = await startCapture(lan.host("client"), directory, "arp");
  for (let i = 0; i < 5; i++) {
    const from = now();
    await host.ip(["address", "del", `${vip}/24`, "dev", "ens32"]);
    const restored = await node.reported("restored", from);
    assert.ok(restored.at - from < 100, `back after ${restored.at - from} ms`);
    assert.deepEqual(await lan.holders(vip), ["one"]);
  }
  // All addresses at once, as a network manager does it: also the primary goes, and stays away.
  const from = now();
  await host.ip(["address", "flush", "dev", "ens32"]);
  await node.reported("restored", from);
  assert.deepEqual(await host.addresses(), [`${vip}/24`]);
  const { addressesRestored } = await node.do("held", { instance: "VI_1" });
  // `ip address flush` looks again until nothing is left, so that it may meet the restored one.
  assert.ok(addressesRestored >= 6, `restored ${addressesRestored} times`);
  await capture.stop();
  const announced = await capture.fields(`arp.src.proto_ipv4 == ${vip} && arp.isgratuitous == 1`, ["arp.opcode"]);
  assert.ok(announced.length >= 12, `${announced.length} announcements`);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("VIP: link down and carrier loss are seen within 50 ms, and a link that is back is announced on", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  await using node = await VipNode.start(host);
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  const down = async (cut: () => Promise<unknown>) => {
    const from = now();
    await cut();
    const seen = await until(
      "link down",
      () =>
        node.reports.find(({ at, event }) =>
          at >= from && event.type === "link" && !(event.link as { up: boolean }).up
        ),
      { interval: 2 },
    );
    assert.ok(seen.at - from < 50, `seen after ${seen.at - from} ms`);
  };
  const before = (await node.do("held", { instance: "VI_1" })).garpSent;
  await down(() => lan.port("one", "down"));
  await lan.port("one", "up");
  await until("announcement after the link is up", async () => {
    return (await node.do("held", { instance: "VI_1" })).garpSent > before;
  });
  await down(() => host.ip(["link", "set", "ens32", "down"]));
  await host.ip(["link", "set", "ens32", "up"]);
  assert.deepEqual(await lan.holders(vip), ["one"]);
});

Deno.test("VIP: a missing interface is waited for and picked up when it appears, also under a new index", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  await using node = await VipNode.start(host);
  let from = now();
  await node.do("acquire", { instance: "VI_1", holding: holding("late0") });
  const waiting = await node.reported("waiting", from);
  assert.equal(waiting.event.text, `${vip}/24 on "late0" cannot be held: Interface "late0" does not exist`);
  for (let i = 0; i < 2; i++) {
    from = now();
    await host.ip(["link", "add", "late0", "type", "veth", "peer", "name", "late1"]);
    const held = await node.reported("held", from);
    assert.ok(held.at - from < 100, `held after ${held.at - from} ms`);
    assert.deepEqual(await host.addresses("late0"), [`${vip}/24`]);
    from = now();
    await host.ip(["link", "del", "late0"]);
    await node.reported("waiting", from);
    assert.deepEqual((await node.do("held", { instance: "VI_1" })).held, []);
  }
});

Deno.test("VIP: what a killed run left is adopted by acquire and removed by reconcile", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  const first = await VipNode.start(host);
  await first.do("acquire", { instance: "VI_1", holding: holding("ens32", 10_000) });
  await first.crash();
  const second = await VipNode.start(host);
  let from = now();
  await second.do("acquire", { instance: "VI_1", holding: holding("ens32", 10_000) });
  assert.equal(
    (await second.reported("adopted", from)).event.text,
    `${vip}/24 on "ens32" was left by an earlier run: kept`,
  );
  await second.crash();
  assert.deepEqual(await lan.holders(vip), ["one"]);
  await using third = await VipNode.start(host);
  from = now();
  await third.do("reconcile", { addresses: holding().addresses });
  await third.reported("leftover", from);
  assert.deepEqual(await lan.holders(vip), []);
});

Deno.test("VIP: a permanent address of someone else is used, said, and left alone", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  await host.ip(["address", "add", `${vip}/24`, "dev", "ens32"]);
  await using node = await VipNode.start(host);
  let from = now();
  await node.do("reconcile", { addresses: holding().addresses });
  assert.match((await node.reported("foreign", from)).event.text ?? "", /even while another router is active/);
  from = now();
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  assert.match((await node.reported("foreign", from)).event.text ?? "", /used as it is/);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.match(await host.ip(["address", "show", "dev", "ens32"]), /10\.97\.0\.100\/24[^\n]*\n\s*valid_lft forever/);
  await node.do("release", { instance: "VI_1" });
  assert.deepEqual(await lan.holders(vip), ["one"]);
  // Removed there while held here, it becomes a lease of ours; made permanent while held here, it is theirs again.
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  from = now();
  await host.ip(["address", "del", `${vip}/24`, "dev", "ens32"]);
  await node.reported("restored", from);
  from = now();
  await host.ip(["address", "replace", `${vip}/24`, "dev", "ens32"]);
  assert.match((await node.reported("foreign", from)).event.text ?? "", /made permanent by someone else/);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.match(await host.ip(["address", "show", "dev", "ens32"]), /10\.97\.0\.100\/24[^\n]*\n\s*valid_lft forever/);
});

Deno.test("VIP: released as the primary of its network, it does not take the others along", async () => {
  await using lan = await Lan.create({ one: null, client: "10.97.0.9/24" });
  const host = lan.host("one");
  await using node = await VipNode.start(host);
  await node.do("acquire", { instance: "VI_1", holding: holding() });
  await host.ip(["address", "add", "10.97.0.1/24", "dev", "ens32"]);
  await node.do("release", { instance: "VI_1" });
  assert.deepEqual(await host.addresses(), ["10.97.0.1/24"]);
});

Deno.test("VIP: after more announcements than a stalled process could take it looks for itself", async () => {
  await using lan = await Lan.create(hosts);
  const host = lan.host("one");
  await using node = await VipNode.start(host);
  // At adverts of ten seconds the lease outlives the stall.
  await node.do("acquire", { instance: "VI_1", holding: holding("ens32", 10_000) });
  await host.ip(["link", "add", "gone0", "type", "veth", "peer", "name", "gone1"]);
  await node.reported("link", 0);
  node.signal("SIGSTOP");
  const toggles = Array.from({ length: 8000 }, (_, i) => `link set ens32 mtu ${1400 + i % 2 * 100}`);
  await host.run(["ip", "-batch", "-"], {
    stdin: [...toggles, `address del ${vip}/24 dev ens32`, "link del gone0"].join("\n"),
  });
  const from = now();
  node.signal("SIGCONT");
  await node.reported("restored", from);
  await node.reported("linkGone", from);
  assert.deepEqual(await lan.holders(vip), ["one"]);
  const told = node.reports.filter(({ at, event }) => at >= from && event.type === "link").length;
  assert.ok(told < toggles.length, `all ${told} announcements were taken, none was lost`);
});

Deno.test("VIP: an IPv6 address is usable at once, and its move reaches the client's neighbour entry", async () => {
  await using lan = await Lan.create({ ...hosts, two: "10.97.0.2/24" });
  const client = lan.host("client");
  for (const [i, name] of ["one", "two", "client"].entries()) {
    const host = lan.host(name);
    await host.ip(["address", "add", `2001:db8::${i + 1}/64`, "dev", host.device, "nodad"]);
  }
  const address = "2001:db8::100";
  const held = { ...holding(), addresses: [{ address, prefix: 64, interface: "ens32" }] };
  await using one = await VipNode.start(lan.host("one"));
  await using two = await VipNode.start(lan.host("two"));
  await one.do("acquire", { instance: "VI_1", holding: held });
  const shown = await lan.host("one").ip(["-6", "address", "show", "dev", "ens32"]);
  assert.match(shown, /2001:db8::100\/64 [^\n]*nodad/);
  assert.doesNotMatch(shown, /2001:db8::100[^\n]*tentative/);
  await client.run(["timeout", "2", "bash", "-c", `echo > /dev/tcp/${address}/9`], { allowFailure: true });
  assert.equal(await client.neighbour(address), await lan.host("one").mac());
  await one.do("release", { instance: "VI_1" });
  await two.do("acquire", { instance: "VI_1", holding: held });
  const mac = await lan.host("two").mac();
  await until("neighbour entry of the client", async () => await client.neighbour(address) === mac, { timeout: 500 });
});

Deno.test("VIP: two hundred addresses are held and announced, none of them late by more than 100 ms", async () => {
  const directory = await Deno.makeTempDir();
  await using lan = await Lan.create(hosts);
  await using capture = await startCapture(lan.host("client"), directory, "arp");
  await using node = await VipNode.start(lan.host("one"));
  const addresses = Array.from(
    { length: 200 },
    (_, i) => ({ address: `10.97.1.${i}`, prefix: 24, interface: "ens32" }),
  );
  const from = now();
  await node.do("acquire", { instance: "VI_1", holding: { ...holding(), addresses } });
  const acquired = now() - from;
  await new Promise((resolve) => setTimeout(resolve, 600));
  await capture.stop();
  const seen = await capture.fields("arp.isgratuitous == 1", ["arp.src.proto_ipv4", "frame.time_relative"]);
  const first = new Map<string, number>();
  for (const frame of seen) {
    const address = frame["arp.src.proto_ipv4"];
    if (!first.has(address)) first.set(address, Number(frame["frame.time_relative"]) * 1000);
  }
  assert.equal(first.size, 200);
  const times = [...first.values()];
  const spread = Math.max(...times) - Math.min(...times);
  assert.ok(spread < 100 && acquired < 200, `announced over ${spread} ms, acquired in ${acquired} ms`);
  await Deno.remove(directory, { recursive: true });
});

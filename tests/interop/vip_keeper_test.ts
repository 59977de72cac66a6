/** Connections kept over planned moves: the rules, the copies on `lo`, and real traffic through both. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { explain, succeeded } from "../../runtime/demo/measure.ts";
import { ahead } from "../support/ahead.ts";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import { type Host, Lan } from "../support/namespaces.ts";
import { now, VipNode } from "./vip_node.ts";

const vip = "10.98.0.100";
const instance = "VI_1";
const hosts = { one: "10.98.0.1/24", two: "10.98.0.2/24", client: "10.98.0.9/24" };
const port = 8080;
const holding = {
  addresses: [{ address: vip, prefix: 24, interface: "ens32" }],
  advertInterval: 1000,
  garp: { repeat: 5, delay: 5000, refresh: 0 },
};

async function forwardingTo(peer: Host) {
  const mac = (await peer.mac()).split(":").map((byte) => parseInt(byte, 16));
  return {
    interface: "ens32",
    peer: { address: peer.address, mac },
    addresses: [vip],
    ports: [port, 8443],
    limit: 30_000,
  };
}

const retention = { interface: "ens32", addresses: [vip], ports: [port], drain: 30_000 };

/** The order that keeps connections: rules, copy on lo, address here, address off there, announcement, tidying up. */
async function move(giver: VipNode, taker: VipNode): Promise<void> {
  assert.equal(await taker.do("forward", { instance, forwarding: await forwardingTo(giver.host) }), null);
  assert.equal(await giver.do("retain", { instance, retention }), null);
  await taker.do("acquire", { instance, holding });
  await taker.do("confirm", { instance });
  await giver.do("release", { instance });
  await taker.do("announce", { instance });
  await taker.do("letGo", { instance });
  await giver.do("stopForwarding", { instance });
  await giver.do("drain", { instance });
}

function ruleset(host: Host): Promise<string> {
  return host.run(["nft", "list", "ruleset"]).then(({ stdout }) => stdout);
}

async function arpSettings(host: Host): Promise<string> {
  const files = ["ens32", "all"].flatMap((where) =>
    ["arp_ignore", "arp_announce"].map((name) => `/proc/sys/net/ipv4/conf/${where}/${name}`)
  );
  return (await host.run(["cat", ...files])).stdout.replaceAll("\n", " ").trim();
}

/** Nothing of a move is left on the host. */
async function assertClean(host: Host): Promise<void> {
  assert.equal(await ruleset(host), "");
  assert.deepEqual(await host.addresses("lo"), ["127.0.0.1/8"]);
  assert.equal(await arpSettings(host), "0 0 0 0");
}

async function startWeb(host: Host) {
  const program = fileURLToPath(new URL("../support/web_program.ts", import.meta.url));
  const argv = [Deno.execPath(), "run", "-A", "--no-prompt", program, host.name, "0.0.0.0", String(port)];
  const server = host.spawn(ahead(argv));
  await server.said(/listening/);
  return server;
}

Deno.test("Keeper: the rules are the recipe, and go unconfirmed, with the process, and by stopForwarding", async () => {
  await using lan = await Lan.create(hosts);
  const one = lan.host("one");
  const node = await VipNode.start(one);
  assert.equal(await node.do("missing"), null);
  assert.equal(await ruleset(one), "");
  const forwarding = await forwardingTo(lan.host("two"));
  assert.equal(await node.do("forward", { instance, forwarding: { ...forwarding, unconfirmed: 300 } }), null);
  assert.equal(
    (await ruleset(one)).replace(/ # progname \w+/, ""),
    `table ip tandem-VI_1 {
	flags owner

	set served {
		type ipv4_addr . inet_service
		elements = { 10.98.0.100 . 8080,
			     10.98.0.100 . 8443 }
	}

	set own {
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		size 1048576
		flags dynamic,timeout
		timeout 1h
	}

	chain moved {
		tcp flags syn / syn,ack add @own { ip saddr . tcp sport . ip daddr . tcp dport } accept
		ip saddr . tcp sport . ip daddr . tcp dport @own accept
		ether saddr ${await lan.host("two").mac()} accept
		dup to 10.98.0.2 device "ens32"
		drop
	}

	chain pre {
		type filter hook prerouting priority mangle; policy accept;
		ip daddr . tcp dport @served jump moved
	}
}
`,
  );
  await node.reported("expired", 0, 1000);
  assert.equal(await ruleset(one), "");

  assert.equal(await node.do("forward", { instance, forwarding }), null);
  assert.equal(await node.do("forward", { instance, forwarding: { ...forwarding, ports: [81] } }), null);
  assert.match(await ruleset(one), /elements = \{ 10\.98\.0\.100 \. 81 \}/);
  await one.run(["nft", "flush", "ruleset"]);
  assert.match(await ruleset(one), /tandem-VI_1/, "only its owner may remove it");
  await node.do("stopForwarding", { instance });
  assert.equal(await ruleset(one), "");

  assert.equal(
    await node.do("forward", { instance, forwarding: { ...forwarding, ports: [] } }),
    "No TCP port is served at these addresses",
  );
  assert.equal(await node.do("forward", { instance, forwarding }), null);
  await node.crash();
  await until("rules gone with their process", async () => await ruleset(one) === "", { timeout: 500 });
});

Deno.test("Keeper: without CAP_NET_ADMIN it says what is missing, and nothing else breaks", async () => {
  await using lan = await Lan.create(hosts);
  const one = lan.host("one");
  await using node = await VipNode.start(one, undefined, [
    "setpriv",
    "--bounding-set=-net_admin",
    "--inh-caps=-net_admin",
  ]);
  const reason =
    /^Cannot (load forwarding rules|list nf_tables tables).*: netlink answered EPERM, needs CAP_NET_ADMIN$/;
  assert.match(await node.do("missing"), reason);
  assert.match(await node.do("forward", { instance, forwarding: await forwardingTo(lan.host("two")) }), reason);
  await one.ip(["address", "add", `${vip}/24`, "dev", "ens32"]);
  await until("the copy on lo is refused", async () => {
    return /^Cannot add 10\.98\.0\.100\/32 to "lo".*EPERM/.test(await node.do("retain", { instance, retention }));
  });
  await one.ip(["address", "del", `${vip}/24`, "dev", "ens32"]);
  assert.deepEqual(await node.do("clean", { addresses: [vip] }), []);
  await node.do("acquire", { instance, holding });
  const waiting = await node.reported("waiting", 0);
  assert.match(
    waiting.event.text ?? "",
    /cannot be held: Cannot add 10\.98\.0\.100\/24 to "ens32": netlink answered EPERM/,
  );
  await assertClean(one);
});

Deno.test("Keeper: a copy on lo is a lease, answers no ARP, and what a killed run left is put back", async () => {
  const directory = await Deno.makeTempDir();
  await using lan = await Lan.create(hosts);
  const one = lan.host("one");
  // The kernel answers ARP for an address of any interface on this one too.
  await lan.plug("one", "ens33", "10.99.0.1/24");
  const node = await VipNode.start(one, `${directory}/ledger`);
  assert.equal(
    await node.do("retain", { instance, retention }),
    'Connections are kept over IPv4 only, and there is none on "ens32"',
  );
  await node.do("acquire", { instance, holding });
  assert.equal(await node.do("retain", { instance, retention }), null);
  await node.do("release", { instance });
  assert.deepEqual(await one.addresses("lo"), ["127.0.0.1/8", `${vip}/32`]);
  assert.equal(await arpSettings(one), "1 2 1 2");
  await lan.host("client").run(["timeout", "1", "bash", "-c", `echo > /dev/tcp/${vip}/9`], { allowFailure: true });
  assert.equal(await lan.host("client").neighbour(vip), null);
  await node.do("letGo", { instance });
  await assertClean(one);

  await node.do("acquire", { instance, holding });
  assert.equal(await node.do("retain", { instance, retention }), null);
  await node.crash();
  await using next = await VipNode.start(one, `${directory}/ledger`);
  const said: string[] = await next.do("clean", { addresses: [vip] });
  assert.deepEqual(said.map((sentence) => sentence.replace(/of an earlier run .*/, "…")), [
    "Setting net/ipv4/conf/all/arp_ignore …",
    "Setting net/ipv4/conf/all/arp_announce …",
    "Setting net/ipv4/conf/ens32/arp_ignore …",
    "Setting net/ipv4/conf/ens32/arp_announce …",
    `Copy of ${vip} on "lo" …`,
  ]);
  await assertClean(one);
  assert.deepEqual(await next.do("clean", { addresses: [vip] }), []);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("Keeper: six moves to and fro under load break no connection, and leave nothing", async () => {
  await using lan = await Lan.create(hosts);
  await using _webOne = await startWeb(lan.host("one"));
  await using _webTwo = await startWeb(lan.host("two"));
  await using one = await VipNode.start(lan.host("one"));
  await using two = await VipNode.start(lan.host("two"));
  await one.do("acquire", { instance, holding });
  await using client = new Client(lan.host("client"), {
    address: vip,
    port,
    kept: 40,
    pause: 50,
    pace: 10,
    timeout: 3000,
  });
  await client.requests(300);
  const from = Client.now();
  const nodes = [one, two];
  for (let i = 0; i < 6; i++) {
    const begun = Client.now();
    await move(nodes[i % 2], nodes[(i + 1) % 2]);
    await client.requests(800);
    const gap = client.gap(await client.since(begun));
    assert.ok(gap < 50, `new connections were not served for ${gap.toFixed(1)} ms in move ${i + 1}`);
  }
  // At home again: all forty are served here directly. Once more away, so that all forty cross.
  await move(one, two);
  await client.requests(800);
  const window = await client.since(from);
  assert.deepEqual(client.failures(window).map(explain), []);
  const kept = client.samples.filter((sample) => sample.kind === "kept" && succeeded(sample));
  assert.ok(kept.every(({ outcome }) => outcome.type === "served" && outcome.server === "one"), "kept at their server");
  assert.ok(client.samples.length > 4000, `${client.samples.length} requests`);
  assert.equal(await one.do("connections", { instance }), 40);

  const stopped = now();
  await client.stop();
  await one.reported("drained", stopped);
  await two.do("stopForwarding", { instance });
  await assertClean(lan.host("one"));
  await two.do("release", { instance });
  await assertClean(lan.host("two"));
});

Deno.test("Keeper: the drain ends with its time, and tells how many connections are cut", async () => {
  await using lan = await Lan.create(hosts);
  await using _web = await startWeb(lan.host("one"));
  await using one = await VipNode.start(lan.host("one"));
  await using two = await VipNode.start(lan.host("two"));
  await one.do("acquire", { instance, holding });
  await using client = new Client(lan.host("client"), {
    address: vip,
    port,
    kept: 3,
    pause: 50,
    pace: 0,
    timeout: 1000,
  });
  await client.requests(9);
  assert.equal(await two.do("forward", { instance, forwarding: await forwardingTo(lan.host("one")) }), null);
  assert.equal(await one.do("retain", { instance, retention: { ...retention, drain: 1500 } }), null);
  await two.do("acquire", { instance, holding });
  await one.do("release", { instance });
  const from = now();
  await one.do("drain", { instance });
  const drained = await one.reported("drained", from);
  assert.equal(drained.event.text, `Connections of "VI_1" are drained: the drain is over, 3 are cut`);
  assert.ok(drained.at - from >= 1450 && drained.at - from < 1700, `after ${drained.at - from} ms`);
  await assertClean(lan.host("one"));
});

Deno.test("Keeper: ARP settings are only made stricter, and go back when the last instance has let go", async () => {
  await using lan = await Lan.create(hosts);
  const one = lan.host("one");
  await one.sysctl("net.ipv4.conf.ens32.arp_ignore", "2");
  await using node = await VipNode.start(one);
  const second = { address: "10.98.0.101", prefix: 24, interface: "ens32" };
  await node.do("acquire", { instance, holding: { ...holding, addresses: [...holding.addresses, second] } });
  assert.equal(await node.do("retain", { instance, retention }), null);
  const other = { ...retention, addresses: [second.address] };
  assert.equal(await node.do("retain", { instance: "VI_2", retention: other }), null);
  assert.equal(await arpSettings(one), "2 2 1 2");
  await node.do("letGo", { instance });
  assert.equal(await arpSettings(one), "2 2 1 2");
  await node.do("letGo", { instance: "VI_2" });
  assert.equal(await arpSettings(one), "2 0 0 0");
});

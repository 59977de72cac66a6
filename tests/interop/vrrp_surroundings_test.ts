/** What the machine around a vrrp process does to it: addresses by DHCP, interfaces that leave and return, second ones. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { type Host, Lan } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const hosts = { dlp1: "192.0.2.1/24", dlp2: "192.0.2.2/24" };
const vip = "192.0.2.100";

/** Long enough for any election at 100 ms adverts. */
const settled = 1200;

/** As a DHCP client configures it. */
function lease(host: Host, cidr: string): Promise<string> {
  const lifetime = ["valid_lft", "86400", "preferred_lft", "86400"];
  return host.ip(["address", "add", cidr, "brd", "+", "dev", host.device, ...lifetime]);
}

function options(host: Host, wanted: Wanted = {}) {
  return [instanceOf(host, { advertInterval: 100, ...wanted })];
}

Deno.test("an own address by DHCP is picked up when it comes, and followed when it changes", async () => {
  using scratch = new Scratch();
  await using lan = await Lan.create({ dlp1: null });
  const host = lan.host("dlp1");
  await using role = await VrrpRole.start(host, scratch.path, options(host));
  await role.reaches("fault");
  await lease(host, "192.0.2.1/24");
  await role.reaches("active");
  assert.equal(role.status[0].activeRouter, "192.0.2.1");
  await host.ip(["address", "del", "192.0.2.1/24", "dev", host.device]);
  await lease(host, "192.0.2.150/24");
  await until("it advertises from its new address", () => role.status[0].activeRouter === "192.0.2.150");
  assert.equal(role.state, "active");
  assert.deepEqual((await host.addresses()).sort(), [`${vip}/24`, "192.0.2.150/24"]);
});

Deno.test("an address owner whose address is by DHCP leaves it as it is", async () => {
  using scratch = new Scratch();
  await using lan = await Lan.create({ dlp1: null });
  const host = lan.host("dlp1");
  await lease(host, "192.0.2.1/24");
  const addresses = [{ address: "192.0.2.1", prefix: 24, interface: host.device }];
  await using role = await VrrpRole.start(host, scratch.path, options(host, { priority: 255, addresses }));
  await role.reaches("active");
  assert.match(role.log, /configured with a lifetime, as DHCP does, by someone else: used as it is/);
  const lifetime = async () => /valid_lft (\d+)sec/.exec(await host.ip(["address", "show", "dev", host.device]))?.[1];
  assert.ok(Number(await lifetime()) > 80_000, `valid for ${await lifetime()} s`);
  assert.equal(await role.stop(), 0);
  assert.ok(Number(await lifetime()) > 80_000, `valid for ${await lifetime()} s`);
});

/** More than the process keeps unread. */
const many = Array.from({ length: 8000 }, (_, i) => `link set noise0 mtu ${1400 + i % 2 * 100}`);
const leaves = [["within one wake-up", []], ["while announcements are lost", many]] as const;

for (const [how, noise] of leaves) {
  Deno.test(`an interface that leaves and comes back under its index ${how} is listened on again`, async () => {
    using scratch = new Scratch();
    await using lan = await Lan.create(hosts);
    const [one, two] = [lan.host("dlp1"), lan.host("dlp2")];
    await using first = await VrrpRole.start(one, scratch.path, options(one, { priority: 200 }));
    await first.reaches("active");
    await using second = await VrrpRole.start(two, scratch.path, options(two));
    await until("dlp2 hears dlp1", () => second.status[0]?.activeRouter === one.address);
    await two.ip(["link", "add", "noise0", "type", "veth", "peer", "name", "noise1"]);
    const index = async () => JSON.parse(await two.ip(["-j", "link", "show", two.device]))[0].ifindex;
    const before = await index();
    const aside = `${two.namespace}-aside`;
    await two.run(["ip", "netns", "add", aside]);
    second.signal("SIGSTOP");
    try {
      await two.run(["ip", "-batch", "-"], { stdin: noise.join("\n") });
      await two.ip(["link", "set", two.device, "netns", aside]);
      await two.run(["ip", "-n", aside, "link", "set", two.device, "netns", two.namespace]);
      await two.ip(["link", "set", two.device, "up"]);
      await two.ip(["address", "add", hosts.dlp2, "brd", "+", "dev", two.device]);
    } finally {
      await two.run(["ip", "netns", "del", aside]);
    }
    assert.equal(await index(), before);
    assert.equal(await lostAnnouncements(two) > 0, noise.length > 0);
    second.signal("SIGCONT");
    // 224.0.0.18, as this machine writes it.
    await until("it is in the group again", async () => /120000E0/.test(await igmp(two)));
    await until("it hears dlp1 again", heardMore(second));
    await wait(settled);
    assert.deepEqual([first.state, second.state], ["active", "backup"]);
    assert.deepEqual(await lan.holders(vip), ["dlp1"]);
  });
}

Deno.test("a peer is heard though it sends to a second interface of ours on the same segment", async () => {
  using scratch = new Scratch();
  await using lan = await Lan.create(hosts);
  const [one, two] = [lan.host("dlp1"), lan.host("dlp2")];
  await lan.plug("dlp1", "ens33", "198.51.100.1/24");
  // The kernel answers ARP for an address on every interface; this answer came first.
  const wrong = await one.mac("ens33");
  await two.ip(["neighbour", "replace", one.address, "lladdr", wrong, "dev", two.device, "nud", "permanent"]);
  await using first = await VrrpRole.start(one, scratch.path, options(one, { priority: 200 }));
  await first.reaches("active");
  await using second = await VrrpRole.start(two, scratch.path, options(two));
  await until("dlp1 knows dlp2", () => first.status[0].peer?.tandem === true);
  const answers = await first.move("failover", { reason: "test" });
  assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "moved", "drained"]);
  await second.reaches("active");
  assert.match(second.status[0].reason, /192\.0\.2\.1 handed it over/);
});

/** Whether five adverts more were received than when this was called. */
function heardMore(role: VrrpRole): () => boolean {
  const before = role.status[0].counters.adverts_received;
  return () => role.status[0].counters.adverts_received >= before + 5;
}

async function igmp(host: Host): Promise<string> {
  return (await host.run(["cat", "/proc/net/igmp"])).stdout;
}

/** Of all netlink sockets in the namespace of the host: its ninth column. */
async function lostAnnouncements(host: Host): Promise<number> {
  const [_head, ...rows] = (await host.run(["cat", "/proc/net/netlink"])).stdout.trim().split("\n");
  return rows.reduce((sum, row) => sum + Number(row.trim().split(/\s+/)[8]), 0);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

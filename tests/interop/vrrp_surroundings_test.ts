/** What the machine around a vrrp process does to it: addresses by DHCP, interfaces that leave and return, second ones. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { type Host, Lan } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const vip = "192.0.2.100";

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

/** Networks built without the `ip` program are what `ip` shows. */
import assert from "node:assert/strict";
import { createNetworkNamespace, type NetworkNamespace, openNetworkNamespace } from "../../runtime/os/namespace.ts";
import { openNetwork } from "../../runtime/os/rtnetlink_network.ts";
import { Topology } from "../../runtime/os/rtnetlink_topology.ts";

function run(namespace: NetworkNamespace, argv: readonly string[]): string {
  const [file, ...args] = argv;
  const { stdout, stderr } = namespace.within(() => new Deno.Command(file, { args }).outputSync());
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** "refused" when the host answers, "" when nobody does. */
function reach(namespace: NetworkNamespace, address: string): string {
  const said = run(namespace, ["timeout", "0.5", "bash", "-c", `echo > /dev/tcp/${address}/9`]);
  return said.includes("refused") ? "refused" : "";
}

Deno.test("Topology: two hosts on a bridge, isolated, joined, unplugged, and gone with their descriptors", () => {
  using lan = createNetworkNamespace();
  using one = createNetworkNamespace();
  using two = createNetworkNamespace();
  using atLan = lan.within(() => new Topology());
  using atOne = one.within(() => new Topology());
  using atTwo = two.within(() => new Topology());

  atLan.createBridge("br0");
  atLan.createVeth("one", { name: "eth0", namespace: one });
  atLan.createVeth("two", { name: "moves" });
  atLan.moveTo("moves", two);
  for (const port of ["one", "two"]) {
    atLan.setMaster(port, "br0");
    atLan.setUp(port);
  }
  atOne.setUp("eth0");
  atOne.addAddress("eth0", "10.96.0.1", 24);
  atTwo.setUp("moves");
  atTwo.addAddress("moves", "10.96.0.2", 24);
  atTwo.addDefaultRoute("10.96.0.1");

  assert.equal(reach(one, "10.96.0.2"), "refused");
  const [neighbour] = atOne.neighbours();
  const mac = two.within(() => {
    using network = openNetwork();
    return network.link("moves")?.mac ?? new Uint8Array(0);
  });
  assert.equal(neighbour.address, "10.96.0.2");
  assert.equal(neighbour.mac, [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
  assert.match(run(lan, ["ip", "-d", "link", "show", "br0"]), /bridge .*mcast_snooping 0/);
  assert.match(run(two, ["ip", "route"]), /^default via 10\.96\.0\.1 dev moves proto static/);

  for (const port of ["one", "two"]) atLan.setIsolated(port, "on");
  assert.equal(reach(one, "10.96.0.2"), "");
  atLan.setIsolated("two", "off");
  assert.equal(reach(one, "10.96.0.2"), "refused");

  atLan.setDown("one");
  assert.match(run(one, ["ip", "link", "show", "eth0"]), /NO-CARRIER/);
  atLan.setMaster("two", null);
  assert.doesNotMatch(run(lan, ["ip", "link", "show", "two"]), /master/);
  atLan.removeLink("one");
  assert.doesNotMatch(run(one, ["ip", "link"]), /eth0/);
});

Deno.test("Topology: what cannot be done is said with its subject and cause", () => {
  using namespace = createNetworkNamespace();
  using topology = namespace.within(() => new Topology());
  topology.createBridge("br0");
  const rows: readonly (readonly [() => void, string])[] = [
    [() => topology.createBridge("br0"), 'Cannot create bridge "br0": netlink answered EEXIST'],
    [() => topology.setUp("nope"), 'Cannot find interface "nope": netlink answered ENODEV'],
    [
      () => openNetworkNamespace("/proc/0/ns/net"),
      'Cannot open network namespace "/proc/0/ns/net": open answered ENOENT',
    ],
  ];
  for (const [attempt, message] of rows) assert.throws(attempt, { name: "OsError", message });
});

Deno.test("NetworkNamespace: within() comes back, also from an error", () => {
  const here = () => Deno.readLinkSync("/proc/thread-self/ns/net");
  const before = here();
  using namespace = createNetworkNamespace();
  assert.equal(here(), before);
  assert.notEqual(namespace.within(here), before);
  assert.throws(() =>
    namespace.within(() => {
      throw new Error("inside");
    }), /inside/);
  assert.equal(here(), before);
  namespace.close();
  namespace.close();
});

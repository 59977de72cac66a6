import { deepEqual, equal } from "node:assert/strict";
import { addressProtocol, type InterfaceAddress, type Link, type NetworkEvent } from "../../../runtime/os/rtnetlink.ts";
import { Holder, type HolderEvent, leaseFor, type NetworkPort } from "../../../runtime/vip/holder.ts";

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const eth0: Link = { index: 2, name: "eth0", mac, up: true, mtu: 1500, flags: 0x41 };
const vip = { address: "192.0.2.100", prefix: 24, interface: "eth0" };
const holding = { addresses: [vip], advertInterval: 1000, garp: { repeat: 1, delay: 0, refresh: 0 } };
const present = (validFor: number | null, address = vip.address): InterfaceAddress => {
  const protocol = validFor === null ? 0 : addressProtocol;
  return { family: 4, index: 2, address, prefix: 24, label: null, flags: 0, validFor, protocol };
};
/** As a DHCP client configures it. */
const leasedByOther: InterfaceAddress = { ...present(86_400_000), protocol: 0 };

class FakeNetwork implements NetworkPort {
  readonly links = new Map([["eth0", eth0]]);
  table: InterfaceAddress[] = [];
  readonly calls: string[] = [];
  refusal: string | undefined;
  keepsProtocol = true;
  link = (name: string) => this.links.get(name);
  addresses = (index: number) => this.table.filter((address) => address.index === index);
  addAddress({ address, lease }: { address: string; lease: number }): void {
    if (this.refusal !== undefined) throw new Error(this.refusal);
    this.calls.push(`add ${address} for ${lease}`);
    if (!this.table.some((one) => one.address === address)) this.table.push(present(lease, address));
  }
  removeAddress({ address }: { address: string }): void {
    this.calls.push(`remove ${address}`);
    this.table = this.table.filter((one) => one.address !== address);
  }
  promoteSecondaries = () => {};
}

function start(network = new FakeNetwork()) {
  const events: HolderEvent[] = [];
  const frames: number[] = [];
  const send = (index: number) => frames.push(index) > 0;
  const holder = new Holder({ network, frames: { send }, report: (event) => events.push(event) });
  return {
    network,
    holder,
    frames,
    said: () => events.splice(0).map(({ type, address }) => `${type} ${address}`),
    events,
  };
}

Deno.test("leaseFor() is 3 s at adverts of 1 s and faster, else three adverts", () => {
  deepEqual([10, 100, 1000, 1001, 2000, 40_950].map(leaseFor), [3000, 3000, 3000, 3003, 6000, 122_850]);
});

Deno.test("Holder: acquire adds a lease, announces by request and reply, and renews each second", () => {
  const { network, holder, frames, said } = start();
  holder.acquire("VI_1", holding, 0);
  deepEqual(network.calls.splice(0), ["add 192.0.2.100 for 3000"]);
  deepEqual(said(), ["held 192.0.2.100"]);
  deepEqual(frames, [2, 2]);
  deepEqual(holder.held("VI_1"), ["192.0.2.100/24"]);
  equal(holder.deadline(), 1000);
  holder.run(999);
  deepEqual(network.calls, []);
  holder.run(1000);
  deepEqual(network.calls.splice(0), ["add 192.0.2.100 for 3000"]);
  equal(holder.deadline(), 2000);
  deepEqual(said(), [], "a renewal is no news");
  deepEqual(holder.counters("VI_1"), { garpSent: 2, addressesRestored: 0 });
});

Deno.test("Holder: many leases are renewed in helpings, so that adverts go between", () => {
  const { network, holder } = start();
  const addresses = Array.from({ length: 70 }, (_, i) => ({ ...vip, address: `192.0.2.${i + 1}` }));
  holder.acquire("VI_1", { ...holding, addresses }, 0);
  for (let now = holder.deadline(); now < 1000; now = holder.deadline()) holder.run(now);
  const helpings: [number, number][] = [];
  for (let now = holder.deadline(); now < 2000; now = holder.deadline()) {
    network.calls.length = 0;
    holder.run(now);
    helpings.push([now, network.calls.length]);
  }
  deepEqual(helpings, [[1000, 32], [1001, 32], [1002, 6]]);
  network.calls.length = 0;
  holder.release("VI_1");
  equal(network.calls[0], "remove 192.0.2.70", "the primary goes last");
});

Deno.test("Holder: acquire again touches only the difference", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  network.calls.length = 0;
  said();
  const other = { ...vip, address: "192.0.2.101" };
  holder.acquire("VI_1", { ...holding, addresses: [vip, other] }, 10);
  deepEqual(network.calls.splice(0), ["add 192.0.2.101 for 3000"]);
  holder.acquire("VI_1", { ...holding, addresses: [other] }, 20);
  deepEqual(network.calls.splice(0), ["remove 192.0.2.100"]);
  holder.acquire("VI_1", { ...holding, addresses: [other] }, 30);
  deepEqual(network.calls, []);
  deepEqual(said(), ["held 192.0.2.101", "released 192.0.2.100"]);
});

Deno.test("Holder: release removes and ends everything; another instance's addresses stay", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  holder.acquire("VI_2", { ...holding, addresses: [{ ...vip, address: "192.0.2.102" }] }, 0);
  said();
  holder.release("VI_1");
  deepEqual(said(), ["released 192.0.2.100"]);
  deepEqual(network.table.map(({ address }) => address), ["192.0.2.102"]);
  holder.release("VI_2");
  equal(holder.deadline(), Infinity);
  holder.release("VI_2");
  deepEqual(said(), ["released 192.0.2.102"]);
});

Deno.test("Holder: an instance of another name holds on, with its counters, renewals and announcements", () => {
  const { network, holder, frames, said } = start();
  const other = { ...vip, address: "192.0.2.101" };
  holder.acquire("VI_1", { ...holding, garp: { repeat: 2, delay: 0, refresh: 0 } }, 0);
  holder.acquire("VI_2", { ...holding, addresses: [other] }, 0);
  said();
  network.calls.length = 0;
  holder.rename(new Map([["VI_1", "VI_2"], ["VI_2", "VI_1"]]));
  deepEqual([holder.held("VI_1"), holder.held("VI_2")], [["192.0.2.101/24"], ["192.0.2.100/24"]]);
  holder.run(20);
  equal(frames.length, 6);
  deepEqual([holder.counters("VI_1").garpSent, holder.counters("VI_2").garpSent], [2, 4]);
  holder.run(1000);
  deepEqual(network.calls.splice(0), ["add 192.0.2.100 for 3000", "add 192.0.2.101 for 3000"]);
  holder.release("VI_1");
  deepEqual(network.calls, ["remove 192.0.2.101"]);
  holder.rename(new Map([["VI_2", "VI_1"]]));
  equal(holder.counters("VI_1").garpSent, 4);
});

Deno.test("Holder: what another instance holds too stays until the last one gives it", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  holder.acquire("VI_2", holding, 0);
  deepEqual(said(), ["held 192.0.2.100", "held 192.0.2.100"], "and nobody left it");
  holder.release("VI_1");
  deepEqual([network.table.length, holder.held("VI_2")], [1, ["192.0.2.100/24"]]);
  holder.release("VI_2");
  equal(network.table.length, 0);
});

Deno.test("Holder: what someone else removed is back at once, with an announcement", () => {
  const { network, holder, frames, said } = start();
  holder.acquire("VI_1", holding, 0);
  said();
  network.table = [];
  holder.observe({ type: "addressGone", address: present(3000) }, 500);
  deepEqual(network.calls, ["add 192.0.2.100 for 3000", "add 192.0.2.100 for 3000"]);
  deepEqual(said(), ["restored 192.0.2.100"]);
  equal(holder.deadline(), 500);
  holder.run(500);
  equal(frames.length, 4);
  equal(holder.counters("VI_1").addressesRestored, 1);
});

Deno.test("Holder: what lapsed during a stall is back too, and nobody is blamed", () => {
  const { network, holder, events } = start();
  holder.acquire("VI_1", holding, 0);
  network.table = [];
  events.length = 0;
  holder.observe({ type: "addressGone", address: present(3000) }, 5000);
  deepEqual(events.map(({ type, text }) => [type, text]), [
    ["restored", '192.0.2.100/24 on "eth0" lapsed while this process was stalled: it is back'],
  ]);
  equal(holder.counters("VI_1").addressesRestored, 0);
});

Deno.test("Holder: events about its own changes and about others' addresses are no news", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  holder.release("VI_1");
  holder.acquire("VI_1", holding, 1);
  said();
  network.calls.length = 0;
  const events: readonly NetworkEvent[] = [
    { type: "address", address: present(3000), before: null },
    { type: "addressGone", address: present(3000) },
    { type: "address", address: present(3000), before: null },
    { type: "addressGone", address: present(null, "192.0.2.7") },
    { type: "addressGone", address: { ...present(3000), index: 3 } },
    { type: "link", link: { ...eth0, index: 9, name: "eth9" }, before: null },
  ];
  for (const event of events) holder.observe(event, 2);
  deepEqual(said(), []);
  deepEqual(network.calls, []);
});

Deno.test("Holder: a missing interface is said once, and picked up when it appears", () => {
  const { network, holder, frames, said } = start();
  network.links.delete("eth0");
  holder.acquire("VI_1", holding, 0);
  holder.run(1000);
  holder.run(2000);
  deepEqual(said(), ["waiting 192.0.2.100"]);
  deepEqual(holder.held("VI_1"), []);
  network.links.set("eth0", { ...eth0, index: 7 });
  holder.observe({ type: "link", link: { ...eth0, index: 7 }, before: null }, 2500);
  deepEqual(said(), ["held 192.0.2.100"]);
  holder.run(2500);
  deepEqual(frames, [7, 7]);
  network.links.delete("eth0");
  holder.observe({ type: "linkGone", link: { ...eth0, index: 7 } }, 3000);
  deepEqual(said(), ["waiting 192.0.2.100"]);
});

Deno.test("Holder: a link that left and is back is no interruption but for its address", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  said();
  network.table = [];
  holder.observe({ type: "addressGone", address: present(3000) }, 10);
  holder.observe({ type: "linkGone", link: eth0 }, 10);
  holder.observe({ type: "link", link: eth0, before: null }, 10);
  deepEqual(said(), ["restored 192.0.2.100"]);
  deepEqual(holder.held("VI_1"), ["192.0.2.100/24"]);
});

Deno.test("Holder: a refusal of the kernel is said with its reason, once, and tried again each second", () => {
  const { network, holder, said, events } = start();
  network.refusal = "Cannot add 192.0.2.100/24: EPERM";
  holder.acquire("VI_1", holding, 0);
  equal(events[0].text, `192.0.2.100/24 on "eth0" cannot be held: Cannot add 192.0.2.100/24: EPERM`);
  said();
  holder.run(1000);
  deepEqual(said(), []);
  network.refusal = undefined;
  holder.run(2000);
  deepEqual(said(), ["held 192.0.2.100"]);
});

Deno.test("Holder: someone else's permanent address is used and announced, never changed", () => {
  const { network, holder, frames, said } = start();
  network.table = [present(null)];
  holder.reconcile([vip]);
  holder.acquire("VI_1", holding, 0);
  holder.run(1000);
  deepEqual(holder.held("VI_1"), ["192.0.2.100/24"]);
  equal(frames.length, 2);
  holder.release("VI_1");
  deepEqual(network.calls, []);
  deepEqual(said(), ["foreign 192.0.2.100", "foreign 192.0.2.100", "foreign 192.0.2.100"]);
});

Deno.test("Holder: made permanent by someone else while held, it is theirs", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  said();
  network.calls.length = 0;
  network.table = [present(null)];
  holder.observe({ type: "address", address: present(null), before: present(3000) }, 10);
  holder.run(1000);
  deepEqual(network.calls, []);
  deepEqual(said(), ["foreign 192.0.2.100"]);
});

Deno.test("Holder: an address with a lifetime of someone else's is theirs, where the kernel can tell", () => {
  const { network, holder, frames, said } = start();
  network.table = [leasedByOther];
  holder.reconcile([vip]);
  holder.acquire("VI_1", holding, 0);
  holder.run(1000);
  deepEqual(holder.held("VI_1"), ["192.0.2.100/24"]);
  equal(frames.length, 2);
  holder.release("VI_1");
  deepEqual(network.calls, []);
  deepEqual(said(), ["foreign 192.0.2.100", "foreign 192.0.2.100", "foreign 192.0.2.100"]);
  network.keepsProtocol = false;
  holder.acquire("VI_1", holding, 2000);
  deepEqual(said(), ["adopted 192.0.2.100"]);
});

Deno.test("Holder: given another lifetime by someone else while held, it is theirs, unless it was renewed since", () => {
  const { network, holder, said } = start();
  holder.acquire("VI_1", holding, 0);
  said();
  network.calls.length = 0;
  const event = { type: "address", address: leasedByOther, before: present(3000) } as const;
  holder.observe(event, 10);
  deepEqual(said(), [], "ours again");
  network.table = [leasedByOther];
  holder.observe(event, 20);
  holder.run(1000);
  deepEqual(network.calls, []);
  deepEqual(said(), ["foreign 192.0.2.100"]);
});

Deno.test("Holder: an earlier run's lease is adopted when held, removed when not", () => {
  const { network, holder, said } = start();
  network.table = [present(2000), present(1000, "192.0.2.101")];
  holder.acquire("VI_1", holding, 0);
  holder.reconcile([vip, { ...vip, address: "192.0.2.101" }, { ...vip, interface: "eth9" }]);
  deepEqual(said(), ["adopted 192.0.2.100", "leftover 192.0.2.101"]);
  deepEqual(network.table.map(({ address }) => address), ["192.0.2.100"]);
});

Deno.test("Holder: announce starts a new burst; so does a link that comes back, with its new MAC", () => {
  const { holder, frames } = start();
  holder.acquire("VI_1", holding, 0);
  equal(frames.length, 2);
  holder.announce("VI_1", 100);
  equal(frames.length, 4);
  const down = { ...eth0, up: false };
  holder.observe({ type: "link", link: down, before: eth0 }, 200);
  equal(holder.deadline(), 1000);
  holder.observe({ type: "link", link: eth0, before: down }, 300);
  equal(holder.deadline(), 300);
  holder.run(300);
  equal(frames.length, 6);
});

Deno.test("Holder: a new MAC is announced at once, though the link was never down", () => {
  const { holder, frames } = start();
  holder.acquire("VI_1", holding, 0);
  const narrow = { ...eth0, mtu: 1400 };
  holder.observe({ type: "link", link: narrow, before: eth0 }, 100);
  equal(holder.deadline(), 1000, "another MTU is no reason");
  holder.observe({ type: "link", link: { ...narrow, mac: Uint8Array.of(2, 0, 0, 0, 0, 2) }, before: narrow }, 200);
  equal(holder.deadline(), 200);
  holder.run(200);
  equal(frames.length, 4);
});

import { deepEqual, equal } from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { encodeHandover, handoverPort } from "../../../runtime/vrrp/handover_message.ts";
import type { InterfaceView } from "../../../runtime/vrrp/outlook.ts";
import type { AddressPort, ConnectionPort } from "../../../runtime/vrrp/ports.ts";
import type { InstanceOptions, InstanceStatus, Tracking, VrrpCommand } from "../../../runtime/vrrp/protocol.ts";
import { Router, type WireListener } from "../../../runtime/vrrp/router.ts";
import { routerOptions } from "./router_options.ts";

const options: InstanceOptions = { ...routerOptions, priority: 255 };

const view = (index: number, address: string): InterfaceView => {
  return { index, up: true, mac: "02:00:00:00:00:01", addresses: [parseAddress(address)] };
};

/** A router on a machine with eth0 and eth1; `calls` is what it asked of the rest of the process. */
function start() {
  const interfaces = new Map([["eth0", view(2, "192.0.2.1")], ["eth1", view(3, "198.51.100.1")]]);
  const calls: string[] = [];
  const call = (name: string) => (instance: string) => void calls.push(`${name} ${instance}`);
  const addresses: AddressPort = {
    acquire: call("acquire"),
    release: call("release"),
    rename: (names) => calls.push(`rename ${[...names].join(" ")}`),
    announce: call("announce"),
    held: () => [],
    counters: () => ({ garpSent: 0, addressesRestored: 0 }),
  };
  const connections: ConnectionPort = {
    missing: () => null,
    forward: () => null,
    confirm: () => {},
    stopForwarding: () => {},
    forwarding: () => false,
    retain: () => null,
    drain: () => {},
    connections: () => null,
    letGo: () => {},
    rename: () => {},
  };
  const lines: string[] = [];
  let status: readonly InstanceStatus[] = [];
  let now = 0;
  const listeners = new Map<string, WireListener>();
  const router = new Router({
    interfaces: {
      view: (name) => interfaces.get(name) ?? null,
      isLocal: () => false,
      isNear: (name, address) => name === "eth0" && formatAddress(address).startsWith("192.0.2."),
    },
    addresses,
    connections,
    openWire: (device, listener) => {
      listeners.set(device.name, listener);
      calls.push(`open ${device.name}`);
      const close = () => void calls.push(`close ${device.name}`);
      return { device, transmit: () => 0, say: () => 0, converseOn: () => {}, [Symbol.dispose]: close };
    },
    reconcile: () => {},
    log: createLogger({ role: "test", write: (line) => lines.push(line) }),
    report: (report) => {
      if (report.type === "status") status = report.instances;
    },
    listening: () => true,
    now: () => now,
    wallClock: () => now,
    randomId: () => "id",
  });
  const said = (name = "VI_1") => {
    router.run(now);
    const { state, reason } = status.find((one) => one.name === name) ?? { state: "gone", reason: "" };
    return [state, reason];
  };
  return {
    router,
    interfaces,
    calls: () => calls.splice(0),
    said,
    apply(instances: readonly InstanceOptions[], tracking: Record<string, Tracking> = {}) {
      const command: VrrpCommand = { type: "apply", id: 1, instances, vouched: [], tracking, holds: {} };
      router.obey(command, now);
    },
    look: () => router.look(++now),
    /** A greeting on the hand-over channel of eth0; the peer that is known then, or what was logged. */
    greet(from: string, arrived: "here" | "elsewhere"): string {
      const bytes = encodeHandover({ type: "hello", priority: 100, takes: null, answer: false }, 51, null);
      const received = { bytes, source: parseAddress(from), port: handoverPort, hopLimit: 255 };
      lines.length = 0;
      listeners.get("eth0")?.datagram(received, arrived);
      router.run(now += 1000);
      return lines.length > 0 ? JSON.parse(lines[0]).text : status[0].peer?.address ?? "nobody";
    },
  };
}

Deno.test("Router: an interface that carries a virtual address is a condition, whether it is tracked or not", () => {
  const { interfaces, apply, look, said } = start();
  const other = { address: "198.51.100.100", prefix: 24, interface: "eth1" };
  const eth1 = view(3, "198.51.100.1");
  interfaces.delete("eth1");
  apply([{ ...options, addresses: [...options.addresses, other] }]);
  const missing = 'Interface "eth1" of 198.51.100.100 does not exist';
  const rows: readonly (readonly [string, InterfaceView | null, readonly string[]])[] = [
    ["missing at start", null, ["fault", missing]],
    ["it appears, down", { ...eth1, up: false }, ["fault", 'Interface "eth1" of 198.51.100.100 is down']],
    ["it is up", eth1, ["active", "address owner (priority 255)"]],
    ["it goes", null, ["fault", missing]],
    ["it carries its address without one of its own", { ...eth1, addresses: [] }, [
      "active",
      "address owner (priority 255)",
    ]],
  ];
  for (const [name, there, expected] of rows) {
    if (there === null) interfaces.delete("eth1");
    else interfaces.set("eth1", there);
    look();
    deepEqual(said(), expected, name);
  }
});

Deno.test("Router: a tracked interface that carries addresses too is named once", () => {
  const { interfaces, apply, said } = start();
  interfaces.delete("eth1");
  const addresses = ["198.51.100.100", "198.51.100.101"].map((address) => ({ address, prefix: 24, interface: "eth1" }));
  const track: readonly { name: string; effect: "yield" | "fault" }[] = [{ name: "eth1", effect: "yield" }];
  apply([{ ...options, addresses: [...options.addresses, ...addresses], trackInterfaces: track }]);
  deepEqual(said(), ["fault", 'Interface "eth1" of 198.51.100.100, 198.51.100.101 does not exist']);
});

Deno.test("Router: a link that left has its sockets opened anew, though it be back under the same index", () => {
  const { router, apply, look, calls } = start();
  apply([options, { ...options, name: "VI_2", interface: "eth1", addresses: [] }]);
  calls();
  look();
  deepEqual(calls(), []);
  router.linkGone(2);
  look();
  deepEqual(calls(), ["close eth0", "open eth0"]);
  router.linkGone(null);
  look();
  deepEqual(calls().sort(), ["close eth0", "close eth1", "open eth0", "open eth1"]);
});

Deno.test("Router: an instance of another name on the same interface and virtual router ID goes on as it is", () => {
  const { apply, said, calls } = start();
  const second: InstanceOptions = { ...options, name: "VI_2", virtualRouterId: 52, addresses: [] };
  apply([options, second]);
  calls();
  apply([{ ...options, name: "VI_3" }, second]);
  deepEqual(calls(), ["rename VI_1,VI_3", "acquire VI_3"]);
  deepEqual([said("VI_1")[0], said("VI_2")[0], said("VI_3")[0]], ["gone", "active", "active"]);
  apply([{ ...options, name: "VI_2" }, { ...second, name: "VI_3" }]);
  deepEqual(calls(), ["rename VI_3,VI_2 VI_2,VI_3", "acquire VI_2", "acquire VI_3"], "swapped");
  apply([{ ...options, name: "VI_3" }]);
  deepEqual(calls(), ["release VI_3", "rename VI_2,VI_3", "acquire VI_3"], "into the place of one that goes");
  deepEqual([said("VI_2")[0], said("VI_3")[0]], ["gone", "active"]);
});

Deno.test("Router: one that still leaves makes room for another name on its virtual router ID", () => {
  const { apply, said, calls } = start();
  apply([options]);
  apply([]);
  deepEqual(said()[0], "active", "it offers its addresses first");
  calls();
  apply([{ ...options, name: "VI_2" }]);
  deepEqual(calls(), ["release VI_1", "acquire VI_2"]);
  deepEqual([said()[0], said("VI_2")[0]], ["gone", "active"]);
});

Deno.test("Router: by another interface only a peer's address may come in", () => {
  const unicast = { source: null, peers: ["192.0.2.1", "203.0.113.2"], minTtl: 255 };
  const refused = (from: string) => `VI_1: Hand-over message from ${from} refused (it came in by another interface)`;
  const rows: readonly (readonly [Partial<InstanceOptions>, string, "here" | "elsewhere", string])[] = [
    [{}, "192.0.2.2", "here", "192.0.2.2"],
    [{}, "203.0.113.2", "here", "203.0.113.2"],
    [{}, "192.0.2.2", "elsewhere", "192.0.2.2"],
    [{}, "203.0.113.2", "elsewhere", refused("203.0.113.2")],
    [{ unicast }, "203.0.113.2", "elsewhere", "203.0.113.2"],
    [{ unicast }, "192.0.2.2", "elsewhere", refused("192.0.2.2")],
  ];
  for (const [more, from, arrived, expected] of rows) {
    const { apply, greet } = start();
    apply([{ ...options, ...more }]);
    equal(greet(from, arrived), expected, `${from} ${arrived}`);
  }
});

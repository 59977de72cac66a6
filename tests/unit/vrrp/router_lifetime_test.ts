import { deepEqual, equal } from "node:assert/strict";
import { type Address, formatAddress, parseAddress } from "../../../runtime/bytes/address.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import type { InstanceOptions, VrrpReport } from "../../../runtime/vrrp/protocol.ts";
import { Router } from "../../../runtime/vrrp/router.ts";
import { routerOptions } from "./router_options.ts";

const instance: InstanceOptions = {
  ...routerOptions,
  advertInterval: 5000,
  garp: { repeat: 5, delay: 5000, refresh: 0 },
};

/** A router with one instance that is vouched for: it is active at once. */
function start() {
  const world = {
    now: 0,
    held: [] as string[],
    sent: [] as number[],
    conversed: [] as string[],
    reports: [] as VrrpReport[],
  };
  const router = new Router({
    interfaces: {
      view: () => ({ index: 2, up: true, mac: "02:00:00:00:00:01", addresses: [parseAddress("192.0.2.1")] }),
      isLocal: () => false,
      isNear: () => true,
    },
    addresses: {
      acquire: (_, { addresses }) => void (world.held = addresses.map(({ address }) => address)),
      release: () => void (world.held = []),
      announce: () => {},
      held: () => world.held,
      counters: () => ({ garpSent: 0, addressesRestored: 0 }),
      rename: () => {},
    },
    connections: {
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
    },
    openWire: (device) => ({
      device,
      converseOn: (addresses: readonly Address[]) => world.conversed.push(addresses.map(formatAddress).join()),
      // The priority stands behind an IPv4 header, version and virtual router ID.
      transmit: (packet) => (world.sent.push(packet[22]), 0),
      say: () => 0,
      [Symbol.dispose]: () => {},
    }),
    reconcile: () => {},
    log: createLogger({ role: "test", write: () => {} }),
    report: (report) => world.reports.push(report),
    listening: () => true,
    now: () => world.now,
    wallClock: () => world.now,
    randomId: () => "id",
  });
  router.obey({ type: "apply", id: 1, instances: [instance], vouched: ["VI_1"], tracking: {}, holds: {} }, 0);
  return { router, world };
}

/** Runs it whenever it wants to be, until `end`. */
function runUntil(router: Router, from: number, end: number): void {
  for (let now = from; now <= end; now = Math.max(router.deadline(), now + 1)) router.run(now);
}

Deno.test("Router: channels that could not be had are tried again each second", () => {
  const { router, world } = start();
  world.conversed.length = 0;
  runUntil(router, 0, 3500);
  deepEqual(world.conversed, Array(4).fill("192.0.2.1"));
});

Deno.test("Router: told to stop it waits for a taker; told again it lets go at once", () => {
  const { router, world } = start();
  deepEqual(world.held, ["192.0.2.100"]);
  router.stop(100);
  runUntil(router, 100, 2400);
  deepEqual(world.held, ["192.0.2.100"], "nobody has taken it yet");
  world.sent.length = 0;
  router.stop(2500);
  deepEqual([world.held, world.sent], [[], [0]]);
  equal(router.stopped, true);
});

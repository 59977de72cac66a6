/** One virtual router as control describes it. */
import type { InstanceOptions } from "../../../runtime/vrrp/protocol.ts";

export const routerOptions: InstanceOptions = {
  name: "VI_1",
  interface: "eth0",
  virtualRouterId: 51,
  version: 3,
  priority: 100,
  advertInterval: 1000,
  preempt: true,
  preemptDelay: 0,
  authentication: null,
  addresses: [{ address: "192.0.2.100", prefix: 24, interface: "eth0" }],
  unicast: null,
  checksum: "auto",
  garp: { repeat: 1, delay: 0, refresh: 0 },
  trackInterfaces: [],
  handover: { connections: "auto", drain: 30_000 },
  ports: [],
};

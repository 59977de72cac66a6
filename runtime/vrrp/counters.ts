/** Counters of one virtual router, in the words of `status` and metrics. */
import type { DropReason, InstanceCounters } from "./protocol.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export type Counters = Omit<Writable<InstanceCounters>, "dropped" | "garp_sent" | "addresses_restored"> & {
  readonly dropped: Record<DropReason, number>;
};

export function newCounters(): Counters {
  return {
    adverts_sent: 0,
    adverts_received: 0,
    transitions: 0,
    priority_zero_sent: 0,
    priority_zero_received: 0,
    vip_mismatch: 0,
    incompatible: 0,
    dropped: {
      ttl: 0,
      version: 0,
      type: 0,
      length: 0,
      checksum: 0,
      count: 0,
      interval: 0,
      auth: 0,
      vrid: 0,
      source: 0,
    },
  };
}

/** When connections to virtual addresses are asked to move, and when they may stay. Pure. */
import type { Config } from "../config/model.ts";
import type { InstanceStatus } from "../vrrp/protocol.ts";

/**
 * What the proxy does with the addresses of an instance that went from `before` to `after`: a node that handed them over
 * closes keep-alive connections with their next response, a node that holds them again does not.
 */
export function addressChange(before: InstanceStatus | null, after: InstanceStatus): "retire" | "reinstate" | null {
  const was = before?.state === "active";
  const is = after.state === "active";
  return was === is ? null : is ? "reinstate" : "retire";
}

/** The virtual addresses that this node holds. */
export function heldAddresses({ vrrp }: Pick<Config, "vrrp">, instances: readonly InstanceStatus[]): readonly string[] {
  const active = new Set(instances.filter(({ state }) => state === "active").map(({ name }) => name));
  return vrrp.filter(({ name }) => active.has(name)).flatMap(({ addresses }) =>
    addresses.map(({ address }) => address)
  );
}

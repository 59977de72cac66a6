/** When connections to virtual addresses are asked to move, and when they may stay. Pure. */
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

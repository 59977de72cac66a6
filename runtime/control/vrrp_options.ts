/** What the vrrp process is told of a configuration. Pure. */
import type { Config, InstanceConfig } from "../config/model.ts";
import type { InstanceOptions, InstanceStatus } from "../vrrp/protocol.ts";

export function vrrpOptions(config: Config): readonly InstanceOptions[] {
  return config.vrrp.map((instance) => ({
    name: instance.name,
    interface: instance.interface,
    virtualRouterId: instance.virtualRouterId,
    version: instance.version,
    priority: instance.priority,
    advertInterval: instance.advertInterval,
    preempt: instance.preempt,
    preemptDelay: instance.preemptDelay,
    authentication: instance.authentication,
    addresses: instance.addresses,
    unicast: instance.unicast,
    checksum: instance.checksum,
    garp: instance.garp,
    trackInterfaces: instance.track.interfaces,
    handover: instance.handover,
    ports: servedPorts(config, instance),
  }));
}

/** TCP ports that frontends serve on the addresses of `instance`, those bound to every address among them. */
function servedPorts(config: Config, instance: InstanceConfig): number[] {
  const addresses = new Set(instance.addresses.map(({ address }) => address));
  const ports = new Set<number>();
  for (const { binds } of config.frontends) {
    for (const { address, port } of binds) {
      if (addresses.has(address) || address === "0.0.0.0" || address === "::") ports.add(port);
    }
  }
  return [...ports].sort((a, b) => a - b);
}

/** Master_Down_Interval in ms (RFC 9568 §6.1; at version 2 the skew is of a second, RFC 3768 §6.1). */
export function masterDownInterval(options: Pick<InstanceOptions, "version" | "priority" | "advertInterval">): number {
  const { version, priority, advertInterval } = options;
  return 3 * advertInterval + (256 - priority) * (version === 2 ? 1000 : advertInterval) / 256;
}

/**
 * Instances that a restarted vrrp process may go on with as if it had not died: this node was active, and so lately that no
 * peer can have taken over.
 *
 * @param silentMs how long ago the dead process was last alive
 */
export function vouchedInstances(
  instances: readonly InstanceOptions[],
  last: readonly InstanceStatus[],
  silentMs: number,
): readonly string[] {
  return instances
    .filter((options) => last.some(({ name, state }) => name === options.name && state === "active"))
    .filter((options) => silentMs < masterDownInterval(options))
    .map(({ name }) => name);
}

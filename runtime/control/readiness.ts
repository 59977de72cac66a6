/** Whether this node could serve its addresses now. Pure. */
import type { Config } from "../config/model.ts";
import type { InstanceStatus } from "../vrrp/protocol.ts";
import { frontendCause, type ProxyFacts } from "./tracking.ts";

/** Why it could not, a sentence each; empty when it could. A backup that is well is ready. */
export function unreadyReasons(
  config: Config,
  proxy: ProxyFacts,
  instances: readonly InstanceStatus[],
): readonly string[] {
  const frontends = config.frontends.flatMap(({ name }) => frontendCause(config, name, proxy) ?? []);
  const routers = config.vrrp.flatMap(({ name }) => {
    const status = instances.find((one) => one.name === name);
    if (status === undefined) return [`${name} has not been started`];
    return status.state === "fault" ? [`${name} is in fault: ${status.reason}`] : status.tracking.causes;
  });
  return [...new Set([...frontends, ...routers])];
}

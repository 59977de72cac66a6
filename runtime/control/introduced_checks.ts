/**
 * Checks of servers that want a PROXY header (`send_proxy`): the connection of a check begins with one that says that it is
 * the balancer's own. The name of the checker says so too, because such a check is another one than one without.
 */
import type { Checker } from "../../plugins/contract.ts";
import { type ProxyVersion, writeProxyHeader } from "../proxy/proxy_protocol.ts";

/** A check of servers that want a header of `version`; null = they want none. */
export function introduced<Check extends { readonly use: string }>(
  check: Check,
  version: ProxyVersion | null,
): Omit<Check, "use"> & { readonly use: string } {
  return version === null ? check : { ...check, use: `${version} ${check.use}` };
}

/** Finds checkers by such names, too. */
export function introducing(find: (use: string) => Checker<unknown>): (use: string) => Checker<unknown> {
  return (name) => {
    const [, version, use] = /^(v1|v2) (.+)$/s.exec(name) ?? [];
    return use === undefined ? find(name) : greeting(find(use), version === "v1" ? "v1" : "v2");
  };
}

function greeting(checker: Checker<unknown>, version: ProxyVersion): Checker<unknown> {
  const header = writeProxyHeader(version, null);
  return {
    ...checker,
    check: (target, ctx) =>
      checker.check(target, {
        ...ctx,
        async connect(options) {
          const connection = await ctx.connect(options);
          // Another port is another service, which expects nothing of the kind, and a datagram has no beginning to be in.
          const same = (options?.port ?? target.port) === target.port && options?.transport !== "udp";
          if (same) await connection.write(header);
          return connection;
        },
      }),
  };
}

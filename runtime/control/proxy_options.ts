/** What the proxy process is told of a configuration. Pure. */
import type { Config } from "../config/model.ts";
import { routeOptions } from "./app_options.ts";
import { stickinessOptions } from "./cookie_values.ts";
import type { AddressOf } from "./servers.ts";
import type { ProxyOptions } from "../proxy/protocol.ts";

/**
 * @param cores processors that `threads: auto` uses
 * @param logFd descriptor of the access log's pipe in the proxy; null = there is none
 */
export function proxyOptions(
  config: Config,
  cores: number,
  logFd: number | null = null,
  addressOf: AddressOf = (host) => host,
): ProxyOptions {
  const { access } = config.log;
  return {
    accessLog: access === null || logFd === null ? null : { format: access.format, fd: logFd },
    threads: config.proxy.threads === "auto" ? cores : config.proxy.threads,
    maxconn: config.proxy.maxconn,
    frontends: config.frontends.map((frontend) => ({
      name: frontend.name,
      mode: frontend.mode,
      binds: frontend.binds.map(({ instance: _, ...bind }) => bind),
      forwardfor: frontend.forwardfor,
      trustedProxies: frontend.trustedProxies,
      defaultBackend: frontend.defaultBackend,
      maxconn: frontend.maxconn,
      timeouts: frontend.timeouts,
      routes: frontend.routes.map((route) => routeOptions(route, frontend.defaultBackend)),
      tcpRoutes: frontend.tcpRoutes,
      monitor: frontend.monitor,
      requestHeaders: frontend.requestHeaders,
      responseHeaders: frontend.responseHeaders,
    })),
    backends: config.backends.map((backend) => ({
      name: backend.name,
      balance: backend.balance,
      stickiness: stickinessOptions(backend, config.cluster),
      servers: backend.servers.flatMap(({ check: _, ...server }) => {
        const address = addressOf(server.address);
        return address === null ? [] : [{ ...server, address, sendProxy: backend.sendProxy }];
      }),
      retries: backend.retries,
      onDown: backend.onDown,
      whenEmpty: backend.whenEmpty,
      passive: backend.passive && { errors: backend.passive.errors, statuses: backend.passive.statuses },
      timeouts: backend.timeouts,
    })),
  };
}

/** What the proxy process is told of a configuration. Pure. */
import type { Config } from "../config/model.ts";
import { stickinessOptions } from "./cookie_values.ts";
import type { ProxyOptions } from "../proxy/protocol.ts";

/** @param cores processors that `threads: auto` uses */
export function proxyOptions(config: Config, cores: number): ProxyOptions {
  return {
    threads: config.proxy.threads === "auto" ? cores : config.proxy.threads,
    maxconn: config.proxy.maxconn,
    frontends: config.frontends.map((frontend) => ({
      name: frontend.name,
      mode: frontend.mode,
      binds: frontend.binds.map(({ address, port }) => ({ address, port })),
      forwardfor: frontend.forwardfor,
      trustedProxies: frontend.trustedProxies,
      defaultBackend: frontend.defaultBackend,
      maxconn: frontend.maxconn,
      timeouts: frontend.timeouts,
      routes: frontend.routes,
      monitor: frontend.monitor,
      requestHeaders: frontend.requestHeaders,
      responseHeaders: frontend.responseHeaders,
    })),
    backends: config.backends.map((backend) => ({
      name: backend.name,
      balance: backend.balance,
      stickiness: stickinessOptions(backend, config.cluster),
      servers: backend.servers,
      retries: backend.retries,
      onDown: backend.onDown,
      whenEmpty: backend.whenEmpty,
      passive: backend.passive && { errors: backend.passive.errors },
      timeouts: backend.timeouts,
    })),
  };
}

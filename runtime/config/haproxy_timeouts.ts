/** `timeout` of haproxy.cfg. There a timeout may be 0, which never ends; here none is infinite. */
import { faultOf } from "./import_faults.ts";
import { milliseconds } from "./haproxy_time.ts";
import { duration } from "./value_decoders.ts";
import { printDuration } from "./values.ts";

/** Timeouts that Tandem has, by HAProxy's name, and what they are where nothing is said. */
export const defaultTimeouts: ReadonlyMap<string, string> = new Map([
  ["client", "timeouts.client is 30s"],
  ["server", "timeouts.server is 30s"],
  ["connect", "timeouts.connect is 5s"],
  ["queue", "timeouts.queue is that of timeouts.connect, or 5s"],
  ["check", "check.timeout is the interval, at most 1s"],
  ["http-request", "timeouts.http_request is 10s"],
  ["http-keep-alive", "timeouts.keep_alive is 10s"],
  ["tunnel", "timeouts.tunnel is 1h"],
]);

/** The same in mode tcp, where what is idle is a tunnel. */
const ofTunnels: ReadonlyMap<string, string> = new Map([
  ["client", "timeouts.tunnel is 1h"],
  ["tunnel", "timeouts.tunnel is that of timeout client, or 1h"],
]);

/** Keywords of old versions, and their `timeout`. */
export const oldTimeouts: ReadonlyMap<string, string> = new Map([
  ["clitimeout", "client"],
  ["srvtimeout", "server"],
  ["contimeout", "connect"],
]);

/** A timeout as tandem.yaml writes it, or why its default is used. */
export function readTimeout(name: string, text: string, mode: "http" | "tcp"): string | { readonly why: string } {
  const value = milliseconds(text);
  if (!defaultTimeouts.has(name) || value === null) return { why: "Tandem has its own bounds for this" };
  const otherwise = mode === "tcp" ? ofTunnels.get(name) ?? defaultTimeouts.get(name) : defaultTimeouts.get(name);
  if (value === 0) return { why: `0 is infinite in HAProxy, and no timeout is here: ${otherwise}` };
  const written = printDuration(value);
  // A check's is bounded as its interval is.
  const fault = faultOf(name === "check" ? duration(1, 3_600_000) : duration(1), written);
  return fault === null ? written : { why: `${fault}: ${otherwise}` };
}

/** `metrics: { bind, allow }`: a port of its own that tells GET /metrics and nothing else, to those who may ask. */
import { type Cidr, contains, isAddress, parseAddress, parseCidr } from "../bytes/address.ts";
import type { Status } from "../control/status.ts";
import type { Logger } from "../telemetry/log.ts";
import { faultAnswer } from "./fault.ts";
import { renderMetrics } from "./metrics.ts";

export interface MetricsEndpoint {
  /** "" = every address. */
  readonly host: string;
  readonly port: number;
  /** Networks that may ask; null = everybody. */
  readonly allow: readonly string[] | null;
}

export interface MetricsListener extends AsyncDisposable {
  /** Listens there from now on; null = nowhere. @throws {Error} when it cannot, and then goes on as before */
  configure(endpoint: MetricsEndpoint | null): Promise<void>;
}

/** @param status asked for at each request */
export function metricsListener(status: () => Status, log: Logger): MetricsListener {
  let running: { readonly server: Deno.HttpServer; readonly endpoint: MetricsEndpoint } | null = null;
  let allowed: readonly Cidr[] | null = null;
  const stop = async () => {
    await running?.server.shutdown();
    running = null;
  };
  return {
    async configure(endpoint) {
      const same = running !== null && endpoint !== null && running.endpoint.host === endpoint.host &&
        running.endpoint.port === endpoint.port;
      if (!same) {
        // The same port on another address may be taken by ourselves.
        if (running?.endpoint.port === endpoint?.port) await stop();
        const server = endpoint === null ? null : listen(endpoint, (address) => mayAsk(address, allowed), status, log);
        await stop();
        running = server === null || endpoint === null ? null : { server, endpoint };
      }
      allowed = endpoint?.allow?.map(parseCidr) ?? null;
    },
    [Symbol.asyncDispose]: stop,
  };
}

function listen(
  { host, port }: MetricsEndpoint,
  mayAsk: (address: string) => boolean,
  status: () => Status,
  log: Logger,
): Deno.HttpServer {
  const hostname = host === "" ? "0.0.0.0" : host;
  try {
    return Deno.serve({ hostname, port, onListen: () => {}, onError: faultAnswer(log) }, (request, { remoteAddr }) => {
      const text = (status: number, body: string) => new Response(body, { status });
      if (!mayAsk(remoteAddr.transport === "tcp" ? remoteAddr.hostname : "")) {
        return text(403, "Not for this address\n");
      }
      // The Host header is part of the URL, and may be anything.
      const url = URL.parse(request.url);
      if (url === null) return text(400, "The Host header is not one\n");
      if (url.pathname !== "/metrics") return text(404, "There is only /metrics\n");
      if (request.method !== "GET" && request.method !== "HEAD") return text(405, "There is only GET\n");
      return new Response(renderMetrics(status()), { headers: { "content-type": "text/plain; version=0.0.4" } });
    });
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "another program holds it"
      : cause instanceof Deno.errors.AddrNotAvailable
      ? "this machine does not have the address"
      : cause instanceof Error
      ? cause.message.replace(/ \(os error \d+\).*$/, "")
      : String(cause);
    throw new Error(`Cannot listen on ${host}:${port} for metrics: ${reason}`, { cause });
  }
}

function mayAsk(address: string, allowed: readonly Cidr[] | null): boolean {
  if (allowed === null) return true;
  if (!isAddress(address)) return false;
  const asking = parseAddress(address);
  return allowed.some((network) => contains(network, asking));
}

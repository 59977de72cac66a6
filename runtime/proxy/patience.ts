/** Who is to move next in an exchange, how long that may take, and what it is called when it does not happen. */
import type { End } from "./access_log/end.ts";
import type { Exchange } from "./exchange.ts";

/** Something moved: the time-out of whoever is to move next begins anew. */
export function touch(exchange: Exchange): void {
  const { client, phase } = exchange;
  if (client === null || phase === "over") return;
  const { timeouts } = client.frontend.options;
  const { routed } = exchange.course;
  const own = routed === null ? null : routed.route.options?.timeouts;
  if (phase === "tunnel") client.arm(own?.tunnel ?? timeouts.tunnel);
  else if (waitsForClient(exchange)) client.arm(own?.client ?? timeouts.client);
  else client.arm(own?.server ?? exchange.attempts.backend?.options.timeouts.server ?? timeouts.client);
}

/** Whether the client is to take or to send something; else the server is. */
export function waitsForClient({ client, origin, request }: Exchange): boolean {
  if (client === null || client.pending > 0) return true;
  return request.takes && !request.holdsBack && (origin === null || origin.pending === 0);
}

/** Nothing moved for too long, behind the head of the response. */
export function endByTime(exchange: Exchange): End {
  if (exchange.phase === "tunnel") return "tunnel_timeout";
  if (!waitsForClient(exchange)) return "server_timeout_in_response";
  return (exchange.client?.pending ?? 0) > 0 ? "client_timeout_in_response" : "client_timeout_in_request";
}

/** The client is gone: what it was doing, or waiting for. */
export function endByClient({ phase, request }: Exchange): End {
  switch (phase) {
    case "deciding":
      return "client_closed_while_deciding";
    case "queued":
      return "client_closed_while_queued";
    case "connecting":
    case "pausing":
      return "client_closed_while_connecting";
    case "tunnel":
      return "tunnel_closed_by_client";
    case "streaming":
      return "client_closed_in_response";
    default:
      return request.done ? "client_closed_while_waiting" : "client_closed_in_request";
  }
}

/**
 * How a request can end: the word in the access log, a sentence for whoever reads it, and HAProxy's two letters for the
 * same (configuration.txt §8.5: who ended it, and in which phase).
 */

export interface EndText {
  /** HAProxy's termination state, without the two letters about cookies. */
  readonly flags: string;
  /** One sentence, without a full stop. */
  readonly sentence: string;
  /** All is well: the log needs no sentence. */
  readonly good?: true;
}

const ends = {
  done: { flags: "--", sentence: "The server's answer was passed on whole", good: true },
  tunnel_done: { flags: "--", sentence: "Both sides ended the tunnel", good: true },
  answered_by_route: { flags: "LR", sentence: "The balancer answered, as a route or monitor says", good: true },
  answered_early: { flags: "--", sentence: "The server answered in full before it had the whole request" },

  client_bad_proxy_header: { flags: "PR", sentence: "The connection did not begin with a PROXY header" },
  client_bad_request: { flags: "PR", sentence: "The request was refused" },
  client_timeout_in_headers: {
    flags: "cR",
    sentence: "The client did not send a whole head within timeouts.http_request",
  },
  client_closed_in_headers: { flags: "CR", sentence: "The client closed before its request head was whole" },
  client_bad_body: { flags: "PD", sentence: "The request's body was refused" },
  client_closed_in_request: { flags: "CD", sentence: "The client closed before it had sent the whole request" },
  client_timeout_in_request: { flags: "cH", sentence: "The client sent nothing of its body for timeouts.client" },
  client_closed_while_deciding: { flags: "CR", sentence: "The client closed while its credentials were being checked" },
  client_closed_while_queued: { flags: "CQ", sentence: "The client closed while it waited for a place at a server" },
  client_closed_while_connecting: {
    flags: "CC",
    sentence: "The client closed while the server was being connected to",
  },
  client_closed_while_waiting: { flags: "CH", sentence: "The client closed while waiting for the server" },
  client_closed_in_response: { flags: "CD", sentence: "The client closed before it had the whole response" },
  client_timeout_in_response: { flags: "cD", sentence: "The client took nothing of the response for timeouts.client" },

  no_backend: { flags: "PR", sentence: "No route and no default_backend takes the request" },
  no_decision: { flags: "PR", sentence: "Nobody could say whether the request may pass" },
  no_memory: { flags: "RC", sentence: "There was no buffer for the request" },
  no_server: { flags: "SC", sentence: "No server takes requests" },
  queue_timeout: { flags: "sQ", sentence: "No server had a place within timeouts.queue" },

  connect_failed: { flags: "SC", sentence: "No server could be connected to" },
  connect_timeout: { flags: "sC", sentence: "The server did not accept the connection within timeouts.connect" },
  server_timeout_in_headers: {
    flags: "sH",
    sentence: "The server sent no whole response head within timeouts.server",
  },
  server_closed_in_headers: { flags: "SH", sentence: "The server closed before it had answered" },
  server_bad_response: { flags: "PH", sentence: "The server's response head was refused" },
  server_timeout_in_response: { flags: "sD", sentence: "The server sent nothing of the body for timeouts.server" },
  server_closed_in_response: { flags: "SD", sentence: "The server closed before its response was whole" },
  server_bad_body: { flags: "PD", sentence: "The body of the response was refused" },

  tunnel_timeout: { flags: "cD", sentence: "Nothing moved in the tunnel for timeouts.tunnel" },
  tunnel_closed_by_client: { flags: "CD", sentence: "The client broke the tunnel off" },
  tunnel_closed_by_server: { flags: "SD", sentence: "The server broke the tunnel off" },

  server_withdrawn: {
    flags: "DD",
    sentence: "The server went down or into maintenance, and on_down: close ends what runs there",
  },
  balancer_stopped: { flags: "KD", sentence: "The balancer was stopped before the request had ended" },
  engine_fault: { flags: "ID", sentence: "The balancer gave up on the connection by a fault of its own; see its log" },
} as const satisfies Readonly<Record<string, EndText>>;

export type End = keyof typeof ends;

/** Every end, and what is to be said of it. */
export const ENDS: Readonly<Record<End, EndText>> = ends;

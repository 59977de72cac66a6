/** `frontends.NAME`: where clients connect. */
import { type Decoded, fields, later, list, optional, required } from "./collections.ts";
import { either, map } from "./decoder.ts";
import { monitor, routes } from "./route_schema.ts";
import { fieldChanges } from "./route_values.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { duration, endpoint, network } from "./value_decoders.ts";
import type { Endpoint } from "./values.ts";

const longBind = fields({
  address: required(endpoint),
  tls: later("let the servers terminate it behind mode: tcp, or another program in front"),
  proxy_protocol: optional(yesNo, false),
});
interface BindDraft extends Endpoint {
  /** Connections begin with a PROXY header. */
  readonly proxyProtocol?: true;
}

const bind = either<BindDraft>(
  (tree) =>
    tree.kind === "map"
      ? map(
        longBind,
        ({ address, proxy_protocol }): BindDraft | undefined =>
          address && { ...address, ...(proxy_protocol && { proxyProtocol: true }) },
      )
      : endpoint,
  [endpoint, longBind],
);

export const frontend = fields({
  bind: required(list(bind, { single: true, nonEmpty: "must not be empty: a frontend listens somewhere" })),
  mode: optional(choice(["http", "tcp"]), "http"),
  forwardfor: optional(yesNo),
  trusted_proxies: optional(list(network, { single: true })),
  tls: later("let the servers terminate it behind mode: tcp, or another program in front"),
  monitor: optional(monitor),
  request_headers: optional(fieldChanges),
  response_headers: optional(fieldChanges),
  routes: optional(routes),
  default_backend: optional(text()),
  maxconn: optional(integer(1, 1_000_000)),
  timeouts: optional(
    fields({
      http_request: optional(duration(1)),
      keep_alive: optional(duration(1)),
      client: optional(duration(1)),
      tunnel: optional(duration(1)),
    }),
    null,
  ),
});

export type FrontendDraft = Decoded<typeof frontend.known>;

/** `frontends.NAME`: where clients connect. */
import { type Decoded, fields, later, list, optional, required } from "./collections.ts";
import { either, map } from "./decoder.ts";
import { choice, integer, text, yesNo } from "./scalars.ts";
import { duration, endpoint, network } from "./value_decoders.ts";

const longBind = fields({
  address: required(endpoint),
  tls: later("let the servers terminate it behind mode: tcp, or another program in front"),
  proxy_protocol: later("leave it out; the client's address is that of its connection"),
});
const bind = either(
  (tree) => tree.kind === "map" ? map(longBind, ({ address }) => address) : endpoint,
  [endpoint, longBind],
);

const headers = later("let the servers set them; a frontend sets only what forwardfor: does");

export const frontend = fields({
  bind: required(list(bind, { single: true, nonEmpty: "must not be empty: a frontend listens somewhere" })),
  mode: optional(choice(["http", "tcp"]), "http"),
  forwardfor: optional(yesNo),
  trusted_proxies: optional(list(network, { single: true })),
  tls: later("let the servers terminate it behind mode: tcp, or another program in front"),
  monitor: later("ask GET /readyz of the admin API"),
  request_headers: headers,
  response_headers: headers,
  routes: later("leave it out; every request goes to default_backend"),
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

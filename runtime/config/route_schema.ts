/** `frontends.NAME.routes` and `.monitor`: what is matched, and what happens then. */
import { type Decoded, fields, list, optional, record, required } from "./collections.ts";
import { type Decoder, either, map } from "./decoder.ts";
import {
  answerFields,
  fieldChanges,
  fieldNames,
  host,
  limitKey,
  method,
  namedFields,
  namedValues,
  passwordHash,
  pathPattern,
  plainPath,
  plainTarget,
  rate,
  size,
} from "./route_values.ts";
import { choice, integer, text } from "./scalars.ts";
import { duration, network } from "./value_decoders.ts";

const some = { single: true, nonEmpty: "must not be empty: leave the key out to match everything" };

export const match = fields({
  host: optional(list(host, some)),
  path: optional(list(pathPattern, some)),
  method: optional(list(method, some)),
  header: optional(namedFields),
  query: optional(namedValues),
  client: optional(list(network, some)),
  sni: optional(list(host, some)),
});
export type MatchDraft = Decoded<typeof match.known>;

const longRedirect = fields({
  to: required(text()),
  status: optional(choice([301, 302, 303, 307, 308]), 302),
});
const shortRedirect = map(text(), (to): Decoded<typeof longRedirect.known> => ({ to, status: 302 }));
const redirect = either((tree) => tree.kind === "map" ? longRedirect : shortRedirect, [shortRedirect, longRedirect]);

/** Text, or where it is. */
export type BodyDraft = { readonly text: string } | { readonly file: string };
const bodyText = map(text({ maxLength: 65_536 }), (text): BodyDraft => ({ text }));
const bodyFile = map(
  fields({ file: required(text()) }),
  ({ file }): BodyDraft | undefined => file === undefined ? undefined : { file },
);
const body: Decoder<BodyDraft> = either((tree) => tree.kind === "map" ? bodyFile : bodyText, [bodyText, bodyFile]);

const answer = { headers: optional(answerFields), body: optional(body) };
const respond = fields({ status: optional(integer(200, 599), 200), ...answer });

/** What a backend without servers answers. */
export const emptyRespond = fields({ status: optional(integer(200, 599), 503), ...answer });

const timeout = optional(duration(1));

export const route = fields({
  match: optional(match),
  backend: optional(text()),
  redirect: optional(redirect),
  respond: optional(respond),
  app: optional(
    text({
      pattern: /^(\.{0,2}\/[^\0]*\.(ts|js|mjs|tsx)|[A-Za-z][\w.-]{0,63})$/,
      wanted: "the path of a module, such as ./app.ts, or the name of a plugin",
    }),
  ),
  on_failure: optional(choice(["block", "pass"])),
  rewrite: optional(fields({ path: required(text()) })),
  allow: optional(list(network, { single: true, nonEmpty: "must not be empty: nobody would be let in" })),
  deny: optional(list(network, { single: true })),
  basic_auth: optional(fields({
    realm: optional(text({ pattern: /^[\x20-\x7e]+$/, wanted: "printable ASCII" }), "Restricted"),
    users: required(record(passwordHash, {
      key: { pattern: /^[^:\s]+$/, wanted: "a user name without colon and spaces" },
      nonEmpty: "must not be empty: nobody could come in",
    })),
  })),
  rate_limit: optional(fields({
    key: optional(limitKey, "client_ip"),
    rate: required(rate),
    burst: optional(integer(1, 1_000_000)),
  })),
  forward_auth: optional(fields({
    backend: required(text()),
    path: optional(plainTarget, "/"),
    copy_headers: optional(fieldNames),
  })),
  body_limit: optional(size),
  timeouts: optional(fields({ connect: timeout, server: timeout, client: timeout, tunnel: timeout })),
  retry: optional(fields({
    attempts: optional(integer(0, 100)),
    repeat: optional(choice(["never", "safe", "idempotent"]), "safe"),
    on: optional(list(integer(400, 599), { single: true })),
  })),
  request_headers: optional(fieldChanges),
  response_headers: optional(fieldChanges),
});
export type RouteDraft = Decoded<typeof route.known>;

export const monitor = fields({
  path: required(plainPath),
  require: optional(list(
    text({ pattern: /^(active|backend:.+)$/, wanted: "active or backend:NAME" }),
    { single: true },
  )),
});
export type MonitorDraft = Decoded<typeof monitor.known>;

export const routes = list(route);

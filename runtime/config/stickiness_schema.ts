/** `backends.NAME.stickiness`: how clients come back to their server. */
import { fields, optional, required } from "./collections.ts";
import { type Decoder, either, map } from "./decoder.ts";
import { choice, text } from "./scalars.ts";
import { child } from "./tree.ts";

export type StickinessDraft =
  | { readonly by: "client_ip" }
  | {
    readonly by: "cookie";
    readonly cookie: string;
    readonly path: string;
    readonly same_site: "lax" | "strict" | "none";
    readonly value: "signed" | "name";
  };

const byAddress: Decoder<StickinessDraft> = map(
  fields({ by: required(choice(["client_ip"])) }),
  () => ({ by: "client_ip" }),
);

const cookie = fields({
  cookie: required(text({ pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/, wanted: "a cookie name" })),
  path: optional(text({ pattern: /^\/[\x21-\x3a\x3c-\x7e]*$/, wanted: 'a path that begins with "/"' }), "/"),
  same_site: optional(choice(["lax", "strict", "none"]), "lax"),
  value: optional(choice(["signed", "name"]), "signed"),
});

const byCookie: Decoder<StickinessDraft> = map(cookie, ({ cookie, path, same_site, value }) => {
  if (cookie === undefined || path === undefined || same_site === undefined || value === undefined) return undefined;
  return { by: "cookie", cookie, path, same_site, value };
});

export const stickiness: Decoder<StickinessDraft> = either(
  (tree) => child(tree, "by") === undefined ? byCookie : byAddress,
  [byCookie, byAddress],
);

/** Decoders of what a load balancer's configuration is made of: names, durations, addresses, secrets. */
import { isIP, isIPv6 } from "node:net";
import { type Decoder, either, map } from "./decoder.ts";
import { fields, required } from "./collections.ts";
import { parsedText, text } from "./scalars.ts";
import { child, type Tree } from "./tree.ts";
import {
  type Endpoint,
  parseAddress,
  parseDuration,
  parseEndpoint,
  parsePrefix,
  type Prefix,
  printDuration,
} from "./values.ts";

/** What an instance, frontend, backend, server or node may be called: a path segment, a metric label, a word in a shell. */
export const nameShape = {
  pattern: /^(?!\d+(\.\d+)*$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/,
  wanted: "a name of at most 64 letters, digits, _ . and -, not a number or address",
};

export const name: Decoder<string> = text(nameShape);

/** A kernel interface name: at most 15 bytes, no slash or white space. */
export const interfaceName: Decoder<string> = text({
  pattern: /^(?!\.{1,2}$)[^\s/:]{1,15}$/,
  wanted: "an interface name (at most 15 characters)",
});

/** The longest duration a timer of the runtime can hold. */
const longest = 24 * 86_400_000;

/** Milliseconds of a duration from `minimum` to `maximum`. */
export function duration(minimum: number, maximum: number = longest): Decoder<number> {
  const range = maximum === longest
    ? `at least ${printDuration(minimum)}`
    : `${printDuration(minimum)}–${printDuration(maximum)}`;
  return parsedText((source) => {
    const result = parseDuration(source);
    if (!result.ok || (result.value >= minimum && result.value <= maximum)) return result;
    if (result.value > longest) {
      return { ok: false, reason: `must be at most ${printDuration(longest)}, got ${source}` };
    }
    const infinite = result.value === 0 && minimum > 0 && maximum === longest ? " (no timeout is infinite here)" : "";
    return { ok: false, reason: `must be ${range}, got ${source}${infinite}` };
  }, { pattern: "^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$", examples: ["1s", "100ms", "1m30s"] });
}

export const address: Decoder<string> = parsedText(parseAddress, { examples: ["192.0.2.1"] });

/** An address of this version's family. */
export const address4: Decoder<string> = map(address, (value, tree, report) => {
  if (!isIPv6(value)) return value;
  report(tree, `IPv6 is not in this version of vrrp: give an IPv4 address, got "${value}"`);
  return undefined;
});

export const prefix: Decoder<Prefix> = parsedText(parsePrefix, { examples: ["192.0.2.100/24"] });

/** A network: no bits set outside the prefix, or its author meant another. */
export const network: Decoder<string> = map(prefix, (value) => `${value.address}/${value.length}`);

export const endpoint: Decoder<Endpoint> = parsedText(parseEndpoint, {
  examples: ["192.0.2.1:80", "[2001:db8::1]:80"],
});

/** Labels of RFC 1123, the last of them no number: "192.0.2" is a mistyped address. */
const hostName =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i;

/** A server's address, or its name. */
export const serverEndpoint: Decoder<Endpoint> = map(endpoint, (value, tree, report) => {
  if (isIP(value.host) !== 0 || hostName.test(value.host)) return value;
  const message = value.host === ""
    ? `must name an address, got ":${value.port}"`
    : `must be an address or a host name, got "${value.host}"`;
  report(tree, message);
  return undefined;
});

/** Where a secret is; its value is read after everything else is known to be right. */
export type SecretSource =
  | { readonly inline: string }
  | { readonly file: string }
  | { readonly env: string }
  | { readonly name: string };

const inlineSecret: Decoder<SecretSource> = map(text({ secret: true }), (inline) => ({ inline }));
const fileSecret: Decoder<SecretSource> = map(
  fields({ file: required(text()) }),
  ({ file }) => file === undefined ? undefined : { file },
);
const envSecret: Decoder<SecretSource> = map(
  fields({ env: required(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, wanted: "a name of an environment variable" })) }),
  ({ env }) => env === undefined ? undefined : { env },
);
const namedSecret: Decoder<SecretSource> = map(
  fields({ secret: required(text()) }),
  ({ secret }) => secret === undefined ? undefined : { name: secret },
);
const anySecretMap: Decoder<SecretSource> = {
  schema: {},
  decode(tree, report) {
    report(
      tree,
      tree.kind === "map"
        ? `must have ${choices(tree).length > 1 ? "only " : ""}one of the keys file, env and secret`
        : `must be text, { file }, { env } or { secret }, got a ${tree.kind}`,
    );
    return undefined;
  },
};

/** Text, `{ file }`, `{ env }` or `{ secret: NAME }`. */
export const secret: Decoder<SecretSource> = {
  ...either(chooseSecret, [inlineSecret, fileSecret, envSecret, namedSecret]),
  empty: inlineSecret.empty,
};

function choices(tree: Tree): readonly string[] {
  return ["file", "env", "secret"].filter((key) => child(tree, key));
}

function chooseSecret(tree: Tree): Decoder<SecretSource> {
  if (tree.kind === "scalar" || tree.kind === "broken") return inlineSecret;
  // Which of two is the secret, nobody can say.
  if (choices(tree).length > 1) return anySecretMap;
  if (child(tree, "file")) return fileSecret;
  if (child(tree, "env")) return envSecret;
  return child(tree, "secret") ? namedSecret : anySecretMap;
}

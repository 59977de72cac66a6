/** What a plugin may do: what it asks for, as far as the operator has granted it. Pure. */
import type { Requests } from "./manifest.ts";
import type { GrantedNames } from "./protocol.ts";

/** As in the operator's configuration. */
export interface Granted {
  readonly net: readonly string[];
  /** Names under `secrets:` that this plugin may be given. */
  readonly secrets: readonly string[];
  readonly endpoints: Readonly<Record<string, unknown>>;
  /** Program and first arguments, by the plugin's name for it. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** Bytes. */
  readonly store: number;
}

export interface Grants {
  /** Connections to the servers being checked. */
  readonly targets: boolean;
  /** Endpoint names that were both asked for and granted. */
  readonly endpoints: readonly string[];
  readonly commands: readonly string[];
  readonly store: number;
}

export type GrantsResult =
  | { readonly grants: Grants; readonly missing: readonly [] }
  | { readonly grants: null; readonly missing: readonly string[] };

/** Fields that prove who we are, also where an operator wrote their value into the configuration. */
const CREDENTIAL = /auth|token|secret|passw|api-?key|cookie|signature/i;

/**
 * What control proves itself with at the endpoints of `granted`. A plugin never gets it, but an endpoint may answer with it:
 * "401, Bearer abc is not valid". Other headers are no secret: one that says "info" must not hide every "info".
 */
export function endpointSecrets({ endpoints }: Granted): string[] {
  return Object.values(endpoints).flatMap((endpoint) => {
    const { url, headers = {}, secretHeaders = [], signature } = endpoint as {
      readonly url?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly secretHeaders?: readonly string[];
      readonly signature?: { readonly secret: string } | null;
    };
    const secret = Object.entries(headers).filter(([name]) => secretHeaders.includes(name) || CREDENTIAL.test(name));
    // "Bearer abc" is shown as "abc" too.
    const credentials = secret.flatMap(([, value]) => [value, ...value.split(" ").slice(1)]);
    const password = url !== undefined && URL.canParse(url) ? decodeURIComponent(new URL(url).password) : "";
    return [...credentials, ...signature ? [signature.secret] : [], ...password === "" ? [] : [password]];
  });
}

export const nothingGranted: Granted = { net: [], secrets: [], endpoints: {}, commands: {}, store: 0 };

/**
 * The grants of the plugin that the configuration calls `name`. Each that is missing is a sentence with the line to add;
 * what was granted but not asked for is of no use, and stays without effect.
 */
export function effectiveGrants(name: string, requests: Requests, granted: Granted): GrantsResult {
  const missing: string[] = [];
  const lacks = (what: string, line: string) =>
    missing.push(`plugins.${name}.grants: the plugin asks for ${what}; add ${line}`);
  const targets = requests.net.includes("targets");
  if (targets && !granted.net.includes("targets")) lacks("connections to the servers it checks", "net: [targets]");
  for (const endpoint of requests.endpoints) {
    if (!Object.hasOwn(granted.endpoints, endpoint)) {
      lacks(`the endpoint "${endpoint}"`, `endpoints: { ${endpoint}: { url: "https://…" } }`);
    }
  }
  for (const command of requests.commands) {
    if (!Object.hasOwn(granted.commands, command)) {
      lacks(`the command "${command}"`, `commands: { ${command}: [/path/to/program] }`);
    }
  }
  // Which secret fills which key is said where the plugin is used; here only that it may be given any.
  if (requests.secrets.length > 0 && granted.secrets.length === 0) {
    lacks(`secrets for ${requests.secrets.join(", ")}`, "secrets: [NAME], with NAME from secrets:");
  }
  if (requests.store > granted.store) lacks(`${requests.store} bytes of store`, `store: ${requests.store}B`);
  if (missing.length > 0) return { grants: null, missing };
  const { endpoints, commands, store } = requests;
  return { grants: { targets, endpoints, commands, store }, missing: [] };
}

/** What of `ctx` is there: requests go to endpoints with a URL of HTTP, datagrams to the others. */
export function grantedNames(
  { endpoints, commands, store }: Grants,
  granted: Pick<Granted, "endpoints">,
): GrantedNames {
  const isHttp = (name: string) => /^https?:/i.test(String((granted.endpoints[name] as { url?: unknown })?.url));
  return {
    fetch: endpoints.filter(isHttp),
    send: endpoints.filter((name) => !isHttp(name)),
    run: commands,
    store: store > 0,
  };
}

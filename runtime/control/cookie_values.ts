/** The cookies by which clients come back to their servers: the same on both nodes, without a word between them. Pure. */
import { createHmac } from "node:crypto";
import type { BackendConfig, Config } from "../config/model.ts";
import type { BackendOptions } from "../proxy/protocol.ts";

/** Octets of a signature: nobody guesses 128 bits. */
const length = 16;

/** What the proxy is told of a backend's stickiness. The key stays here. */
export function stickinessOptions(backend: BackendConfig, cluster: Config["cluster"]): BackendOptions["stickiness"] {
  const { stickiness } = backend;
  if (stickiness === null || stickiness.by === "client_ip") return stickiness;
  const { cookie, path, sameSite, value } = stickiness;
  const values = backend.servers.map(({ name }): [string, string] => [
    name,
    value === "name" ? name : signature(cluster, backend.name, name),
  ]);
  return { by: "cookie", cookie, attributes: attributes(path, sameSite), values: Object.fromEntries(values) };
}

/**
 * A server's name, signed. Without `cluster.secret` the key is the cluster's name, which the nodes share too: then the value
 * hides the name from those who do not know the configuration, and no more.
 */
function signature({ name, secret }: Config["cluster"], backend: string, server: string): string {
  const key = secret ?? `tandem cluster ${name}`;
  // No name has a NUL, so no two pairs are one text.
  const text = `tandem cookie\0${backend}\0${server}`;
  return createHmac("sha256", key).update(text).digest().subarray(0, length).toString("base64url");
}

function attributes(path: string, sameSite: "lax" | "strict" | "none"): string {
  // Browsers refuse SameSite=None without Secure.
  const site = { lax: "Lax", strict: "Strict", none: "None; Secure" }[sameSite];
  return `; Path=${path}; HttpOnly; SameSite=${site}`;
}

/**
 * What the process of an application has beside the kit of every plugin: a host that serves HTTP, and the packages that an
 * application may import. The host's modules are imported as text, so that a bundle carries them.
 */
import adoptedServer from "../app/adopted_server.ts" with { type: "text" };
import forwarder from "../app/forwarder.ts" with { type: "text" };
import target from "../app/target.ts" with { type: "text" };
import upgrades from "../app/upgrades.ts" with { type: "text" };
import usableResponse from "../app/usable_response.ts" with { type: "text" };
import body from "../http/body.ts" with { type: "text" };
import bytes from "../http/bytes.ts" with { type: "text" };
import connection from "../http/connection.ts" with { type: "text" };
import fieldLines from "../http/field_lines.ts" with { type: "text" };
import fieldName from "../http/field_name.ts" with { type: "text" };
import head from "../http/head.ts" with { type: "text" };
import octet from "../http/octet.ts" with { type: "text" };
import refusal from "../http/refusal.ts" with { type: "text" };
import responseHead from "../http/response_head.ts" with { type: "text" };
import trailers from "../http/trailers.ts" with { type: "text" };
import version from "../http/version.ts" with { type: "text" };
import type { KitAddition } from "../plugin/kit.ts";
import appHost from "../roles/app_host.ts" with { type: "text" };
import { packages } from "./app_packages.ts";

const HOST_ENTRY = "runtime/roles/app_host.ts";

/** By path from the top of the sources, as they import each other. */
const FILES: Readonly<Record<string, string>> = {
  "runtime/app/adopted_server.ts": adoptedServer,
  "runtime/app/forwarder.ts": forwarder,
  "runtime/app/target.ts": target,
  "runtime/app/upgrades.ts": upgrades,
  "runtime/app/usable_response.ts": usableResponse,
  "runtime/http/body.ts": body,
  "runtime/http/bytes.ts": bytes,
  "runtime/http/connection.ts": connection,
  "runtime/http/field_lines.ts": fieldLines,
  "runtime/http/field_name.ts": fieldName,
  "runtime/http/head.ts": head,
  "runtime/http/octet.ts": octet,
  "runtime/http/refusal.ts": refusal,
  "runtime/http/response_head.ts": responseHead,
  "runtime/http/trailers.ts": trailers,
  "runtime/http/version.ts": version,
  [HOST_ENTRY]: appHost,
};

/** The kit's part for applications. */
export async function appKit(): Promise<KitAddition> {
  const { files, imports, types } = await packages();
  return { files: { ...FILES, ...files }, imports, types, entry: HOST_ENTRY };
}

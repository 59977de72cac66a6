/** Loads texts the way tests want to see the outcome. */
import assert from "node:assert/strict";
import { load } from "../../../runtime/config/load.ts";
import type { Config } from "../../../runtime/config/model.ts";
import type { PluginKnowledge } from "../../../runtime/config/plugin_facts.ts";
import { formatProblem } from "../../../runtime/config/problem.ts";
import type { ReadSecret } from "../../../runtime/config/secrets.ts";

export interface Reading {
  readonly node?: string;
  readonly hostname?: string;
  readonly readSecret?: ReadSecret;
  readonly plugins?: PluginKnowledge;
}

export function loadText(text: string, { node, hostname = "dlp1", readSecret = refuse, plugins }: Reading = {}) {
  return load(text, { file: "t.yaml", node: node ?? null, hostname, readSecret, plugins });
}

/** The problems of `text` as printed, without the file name; none for a good one. */
export function problemsOf(text: string, reading?: Reading): string[] {
  const loaded = loadText(text, reading);
  return loaded.ok ? [] : loaded.problems.map((problem) => formatProblem(problem).replace(/^t\.yaml:/, ""));
}

export function configOf(text: string, reading?: Reading): Config {
  const loaded = loadText(text, reading);
  assert.deepEqual(loaded.ok ? [] : loaded.problems.map(formatProblem), []);
  return (loaded as { readonly config: Config }).config;
}

export function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`./fixtures/${name}`, import.meta.url));
}

/** `VI_1` with these lines after the required ones, beginning at line 7. */
export function instance(...lines: string[]): string {
  return [
    "version: 1",
    "vrrp:",
    "  VI_1:",
    "    interface: eth0",
    "    virtual_router_id: 51",
    ...lines.some((line) => line.startsWith("virtual_addresses")) ? [] : ["    virtual_addresses: [192.0.2.100/24]"],
    ...lines.map((line) => `    ${line}`),
  ].join("\n") + "\n";
}

/** Frontend `web` on ":80" before backend `app`; the frontend's lines begin at line 6. */
export function frontend(...lines: string[]): string {
  return [
    "version: 1",
    "backends: { app: { servers: { one: 192.0.2.1:80 } } }",
    "frontends:",
    "  web:",
    "    default_backend: app",
    ...lines.some((line) => line.startsWith("bind")) ? [] : ['    bind: ":80"'],
    ...lines.map((line) => `    ${line}`),
  ].join("\n") + "\n";
}

/** Backend `app` with one server; its lines begin at line 5. */
export function backend(...lines: string[]): string {
  return [
    "version: 1",
    "backends:",
    "  app:",
    ...lines.some((line) => line.startsWith("servers")) ? [] : ["    servers: { one: 192.0.2.1:80 }"],
    ...lines.map((line) => `    ${line}`),
  ].join("\n") + "\n";
}

function refuse(): never {
  throw new Error("This text has no secret to read");
}

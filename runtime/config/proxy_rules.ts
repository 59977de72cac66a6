/** Frontends and backends: references, ports that two would listen on, keys that the mode has no use for. */
import { isIP } from "node:net";
import type { FrontendDraft } from "./frontend_schema.ts";
import { hint } from "./nearest.ts";
import type { Case } from "./rules.ts";
import { usualAdmin } from "./schema.ts";
import { child, reach, type Tree } from "./tree.ts";
import { parseEndpoint } from "./values.ts";

export function judgeFrontends(subject: Case): void {
  const section = child(subject.tree, "frontends");
  for (const [name, draft] of subject.draft.frontends ?? []) {
    const tree = child(section, name);
    if (draft === undefined || tree === undefined) continue;
    judgeMode(draft, tree, subject);
    judgeBackend(draft, tree, subject);
    judgeLimit(draft, tree, subject);
  }
  judgeBinds(subject);
}

function judgeMode(draft: FrontendDraft, tree: Tree, { report }: Case): void {
  if (draft.forwardfor === false && draft.trusted_proxies) {
    report(reach(tree, "trusted_proxies"), "has no effect with forwardfor: false: leave one of the two out");
  }
  if (draft.mode !== "tcp") return;
  for (const key of ["forwardfor", "trusted_proxies"]) {
    const value = child(tree, key);
    if (value !== undefined && draft[key as "forwardfor"] !== false) {
      report(value, "needs mode: http; tcp has no fields");
    }
  }
  for (const key of ["http_request", "keep_alive", "client"]) {
    const value = child(child(tree, "timeouts"), key);
    if (value !== undefined) {
      report(value, "needs mode: http; with tcp the time-outs are tunnel, and connect of the backend");
    }
  }
}

function judgeBackend(draft: FrontendDraft, tree: Tree, { draft: { backends }, report }: Case): void {
  const backend = draft.default_backend;
  if (typeof backend === "string" && !backends?.has(backend)) {
    report(reach(tree, "default_backend"), `unknown backend "${backend}"${hint(backend, backends?.keys() ?? [])}`);
  }
  if (backend === null && child(tree, "routes") === undefined) {
    report(
      { at: tree.at, path: `${tree.path}.default_backend` },
      "is required: without it the frontend serves nothing",
    );
  }
}

function judgeLimit(draft: FrontendDraft, tree: Tree, subject: Case): void {
  const whole = subject.draft.proxy === null ? 20_000 : subject.draft.proxy?.maxconn;
  if (typeof draft.maxconn !== "number" || whole === undefined || draft.maxconn <= whole) return;
  const message =
    `can never be reached: proxy.maxconn is ${whole}, got ${draft.maxconn}; raise proxy.maxconn or lower this`;
  subject.report(reach(tree, "maxconn"), message);
}

/** Two listeners on one address and port would share its connections by chance. */
function judgeBinds(subject: Case): void {
  const { draft, tree, report } = subject;
  const taken = new Map<string, string>();
  const own = ownListeners(subject);
  const instances = draft.vrrp ?? new Map();
  for (const [name, frontend] of draft.frontends ?? []) {
    const bind = reach(tree, "frontends", name, "bind");
    for (const [index, value] of (frontend?.bind ?? []).entries()) {
      if (value === undefined) continue;
      const entry = bind.kind === "list" ? reach(bind, index) : bind;
      const at = child(entry, "address") ?? entry;
      const instance = draft.vrrp?.get(value.host);
      if (value.host !== "" && isIP(value.host) === 0 && !instances.has(value.host)) {
        const known = instances.size === 0 ? "there is no vrrp instance" : hint(value.host, instances.keys()).slice(2);
        report(at, `"${value.host}" is neither an address nor an instance of vrrp; ${known}`);
      }
      if (value.host.startsWith("::ffff:")) {
        report(at, `must be written as the IPv4 address that it is, got "[${value.host}]:${value.port}"`);
      }
      const addresses = instance?.virtual_addresses?.map((address) => address?.address?.address) ?? [value.host];
      for (const address of addresses) {
        if (address === undefined) continue;
        const key = listener(address, value.port);
        const other = taken.get(key) ?? own.find((listener) => meets(listener, { address, port: value.port }))?.name;
        if (other !== undefined) report(at, `${key} is taken by ${other === name ? "this frontend already" : other}`);
        else taken.set(key, name);
      }
    }
  }
}

interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** The node's own: they share a port with nobody, not even one who has it on every address. */
function ownListeners({ draft, tree, report }: Case): readonly Listener[] {
  const listeners: Listener[] = [];
  const written = draft.admin === null ? usualAdmin.bind : draft.admin?.bind;
  const admin = typeof written === "string" ? parseEndpoint(written) : null;
  if (admin?.ok) listeners.push({ name: "admin", address: admin.value.host, port: admin.value.port });
  const metrics = draft.metrics?.bind;
  if (metrics === undefined) return listeners;
  const own = { name: "metrics", address: metrics.host, port: metrics.port };
  if (listeners.some((other) => meets(other, own))) {
    report(reach(tree, "metrics", "bind"), `${listener(own.address, own.port)} is taken by admin`);
  }
  return [...listeners, own];
}

/** A frontend has IPv6 and IPv4 apart, also on every address; who listens for the node itself on [::] has both. */
function meets(own: Listener, { address, port }: Omit<Listener, "name">): boolean {
  if (own.port !== port) return false;
  const is6 = isIP(address) === 6;
  if (own.address === "::") return true;
  if (is6 !== (isIP(own.address) === 6)) return false;
  return own.address === address || [own.address, address].some((one) => ["", "0.0.0.0", "::"].includes(one));
}

/** How it is named, and by which two are the same. */
function listener(address: string, port: number): string {
  const host = address === "" || address === "0.0.0.0" ? "*" : isIP(address) === 6 ? `[${address}]` : address;
  return `${host}:${port}`;
}

/** A backend whose every server has weight 0 serves nobody, and says so nowhere. */
export function judgeServers({ draft, tree, report }: Case): void {
  for (const [name, backend] of draft.backends ?? []) {
    const servers = [...backend?.servers?.values() ?? []];
    if (servers.length === 0 || servers.some((server) => server?.weight !== 0)) continue;
    report(reach(tree, "backends", name, "servers"), "can serve nobody: every server has weight 0");
  }
}

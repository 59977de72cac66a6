/** Plugins and their uses: what is asked for and not granted, and every `with:` against the schema of whose it is. */
import { BlockList, isIP } from "node:net";
import type { JsonSchema } from "../../plugins/declaration.ts";
import type { Report } from "./decoder.ts";
import { hint } from "./nearest.ts";
import { merge } from "./overlay.ts";
import { type EndpointConfig, type GrantedConfig, type PluginFacts } from "./plugin_facts.ts";
import type { PluginConfig } from "./model.ts";
import type { GrantsDraft, PluginDraft } from "./plugin_schema.ts";
import { writtenValue } from "./plugin_values.ts";
import { isAppFile } from "./route_model.ts";
import type { Case } from "./rules.ts";
import { openSecret, type Secrets } from "./secrets.ts";
import { child, reach, type Tree } from "./tree.ts";

/** What came out: the plugins, and each use's `with:` by its id ("backends.pg.check", "notify.0"). */
export interface OpenedPlugins {
  readonly plugins: readonly PluginConfig[];
  readonly uses: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

type Kind = "checker" | "policy" | "notifier";

const builtIns: Readonly<Record<Kind, readonly string[]>> = {
  checker: ["tcp", "http", "grpc", "dns", "command"],
  policy: ["roundrobin", "leastconn", "random", "first", "source", "uri", "header", "cookie"],
  notifier: ["webhook", "command", "syslog", "keepalived"],
};

interface Known {
  readonly facts: PluginFacts;
  readonly config: PluginConfig;
  /** `plugins.NAME.with`: what every use has that does not say otherwise. */
  readonly common: Tree | undefined;
}

export function judgePlugins(subject: Case): OpenedPlugins {
  const { draft, tree, report } = subject;
  const known = new Map<string, Known | null>();
  for (const [name, plugin] of draft.plugins ?? []) {
    const at = reach(tree, "plugins", name);
    const taken = Object.values(builtIns).flat().includes(name);
    if (taken) report(at, `"${name}" comes with Tandem: give the plugin another name`);
    const one = plugin === undefined || taken ? null : judgePlugin(name, plugin, at, subject);
    known.set(name, one && withOptions(one, at, subject));
  }
  const uses = new Map<string, Readonly<Record<string, unknown>>>();
  const use = (id: string, kind: Kind, name: string, at: Tree) => {
    const value = judgeUse(kind, name, at, known, subject);
    if (value !== null) uses.set(id, value);
  };
  for (const [name, backend] of draft.backends ?? []) {
    const at = reach(tree, "backends", name);
    const { check, balance, servers } = backend ?? {};
    if (check?.plugin) use(`backends.${name}.check`, "checker", check.use, reach(at, "check"));
    for (const [server, draft] of servers ?? []) {
      const where = reach(at, "servers", server);
      const own = draft?.check;
      if (own === "none") continue;
      // As it was read: over the backend's, unless it names another checker.
      const written = reach(where, "check");
      const whole = own?.plugin && check?.use === own.use ? merge(reach(at, "check"), written) : written;
      if (own?.plugin) use(`backends.${name}.servers.${server}.check`, "checker", own.use, whole);
      const one = own ?? check;
      if (one?.plugin) judgeTarget(one.use, draft?.address?.host, where, known, subject);
    }
    if (balance?.plugin) use(`backends.${name}.balance`, "policy", balance.use, reach(at, "balance"));
  }
  for (const [name, frontend] of draft.frontends ?? []) {
    for (const [index, route] of (frontend?.routes ?? []).entries()) {
      if (typeof route?.app !== "string" || isAppFile(route.app)) continue;
      judgeApp(route.app, reach(tree, "frontends", name, "routes", index, "app"), known, report);
    }
  }
  for (const [index, notifier] of (draft.notify ?? []).entries()) {
    if (notifier?.use !== undefined) use(`notify.${index}`, "notifier", notifier.use, reach(tree, "notify", index));
  }
  return { plugins: [...known.values()].flatMap((one) => one?.config ?? []), uses };
}

function judgePlugin(name: string, draft: PluginDraft, at: Tree, subject: Case): Known | null {
  const { report, plugins } = subject;
  if (draft.source === undefined) return null;
  const source = reach(at, "source");
  const facts = plugins.source(draft.source);
  if ("problems" in facts) {
    for (const problem of facts.problems) report(source, problem);
    return null;
  }
  const locked = plugins.locked(name);
  if (locked !== null && locked !== facts.sha256) {
    const wanted = `sha256 ${facts.sha256}, locked is ${locked}; if they may run, tandem plugin add ${draft.source}`;
    report(source, `its files are not those of tandem.lock: ${wanted}`);
  }
  const grants = openGrants(draft.grants, reach(at, "grants"), subject);
  const missing = { at: reach(at, "grants").at, path: `plugins.${name}.grants` };
  for (const sentence of facts.missing(grants)) report(missing, sentence);
  return {
    facts,
    common: child(at, "with"),
    config: {
      name,
      source: draft.source,
      kind: facts.kind,
      plugin: `${facts.plugin} ${facts.version}`,
      sha256: facts.sha256,
      locked: locked !== null,
      grants,
      limits: {
        memory: draft.limits?.memory ?? facts.limits.memory,
        deadline: draft.limits?.deadline ?? facts.limits.deadline,
      },
      with: {},
    },
  };
}

/** An application is used by routes, all by one configuration: that of the plugin. */
function withOptions(known: Known, at: Tree, subject: Case): Known {
  if (known.facts.kind !== "app") return known;
  const options = judgeOptions(known.facts.schema, known.common, at, known.config, subject);
  return options === null ? known : { ...known, config: { ...known.config, with: options } };
}

function judgeApp(name: string, at: Tree, known: ReadonlyMap<string, Known | null>, report: Report): void {
  const found = known.get(name);
  if (found === null) return; // told where it is declared
  if (found === undefined) {
    const apps = [...known].flatMap(([name, one]) => one?.facts.kind === "app" ? name : []);
    const isFile = /\.(ts|js|mjs|tsx)$/.test(name);
    const other = apps.length === 0
      ? "; there is none under plugins:, and a file is written ./app.ts"
      : hint(name, apps);
    return report(at, `unknown app "${name}"${isFile ? `; a file is written "./${name}"` : other}`);
  }
  if (found.facts.kind !== "app") report(at, `"${name}" is a ${found.facts.kind}, and an app is wanted here`);
}

function secretsOf({ draft, readSecret }: Case): Secrets {
  return { named: draft.secrets ?? new Map(), read: readSecret };
}

function openGrants(draft: GrantsDraft | null | undefined, at: Tree, subject: Case): GrantedConfig {
  const { report } = subject;
  const secrets = secretsOf(subject);
  const present = <T>(values: readonly (T | undefined)[] | undefined | null): T[] =>
    (values ?? []).filter((value): value is T => value !== undefined);
  for (const [index, name] of (draft?.secrets ?? []).entries()) {
    if (name === undefined || secrets.named.has(name)) continue;
    report(reach(at, "secrets", index), `unknown secret "${name}"${hint(name, secrets.named.keys())}`);
  }
  const netUnsafe = present(draft?.net_unsafe);
  const unsafe = ["targets", ...draft?.endpoints?.keys() ?? []];
  for (const [index, name] of netUnsafe.entries()) {
    if (!unsafe.includes(name)) {
      report(reach(at, "net_unsafe", index), `must be targets or an endpoint, got "${name}"${hint(name, unsafe)}`);
    }
  }
  const endpoints: Record<string, EndpointConfig> = {};
  for (const [name, endpoint] of draft?.endpoints ?? []) {
    const where = reach(at, "endpoints", name);
    const headers: Record<string, string> = {};
    const secretHeaders: string[] = [];
    for (const [header, source] of endpoint?.headers ?? []) {
      const value = source && openSecret(source, reach(where, "headers", header), secrets, report);
      if (value !== undefined) headers[header] = value;
      if (source !== undefined && !("inline" in source)) secretHeaders.push(header);
    }
    const { header, secret } = endpoint?.signature ?? {};
    const key = secret && openSecret(secret, reach(where, "signature", "secret"), secrets, report);
    const signature = header === undefined || key === undefined ? null : { header, secret: key };
    const unsafe = netUnsafe.includes(name);
    endpoints[name] = { url: endpoint?.url ?? "", headers, secretHeaders, signature, unsafe };
  }
  const commands = [...draft?.commands ?? []].map(([name, argv]) => [name, present(argv)] as const);
  return {
    net: present(draft?.net),
    netUnsafe,
    secrets: present(draft?.secrets),
    endpoints,
    commands: Object.fromEntries(commands),
    store: draft?.store ?? 0,
  };
}

/** The use's configuration, or null after a report. */
function judgeUse(
  kind: Kind,
  name: string,
  at: Tree,
  known: ReadonlyMap<string, Known | null>,
  subject: Case,
): Readonly<Record<string, unknown>> | null {
  const { report, plugins } = subject;
  const own = kind === "notifier" && Object.hasOwn(plugins.notifiers, name) ? plugins.notifiers[name] : null;
  if (own !== null) return judgeOptions(own, child(at, "with"), at, null, subject);
  const found = known.get(name);
  if (found === undefined) {
    report(reach(at, "use"), `unknown ${kind} "${name}"${hint(name, [...builtIns[kind], ...known.keys()])}`);
    return null;
  }
  if (found === null) return null; // told where it is declared
  const { facts: { kind: is, schema }, common, config } = found;
  if (is !== kind) {
    report(reach(at, "use"), `"${name}" is a ${is}, and a ${kind} is wanted here`);
    return null;
  }
  const here = child(at, "with");
  const both = common === undefined || here === undefined ? here ?? common : merge(common, here);
  return judgeOptions(schema, both, at, config, subject);
}

function judgeOptions(
  schema: JsonSchema,
  options: Tree | undefined,
  at: Tree,
  plugin: PluginConfig | null,
  subject: Case,
): Readonly<Record<string, unknown>> | null {
  const { report, plugins } = subject;
  const secrets = secretsOf(subject);
  const value = options === undefined ? {} : writtenValue(options, schema, {
    open: (source, tree) => openSecret(source, tree, secrets, report),
    mayUse: (secret) => plugin === null || plugin.grants.secrets.includes(secret),
    grantLine: (secret) => `plugins.${plugin?.name}.grants: add secrets: [${secret}]`,
    report,
  });
  if (value === undefined) return null;
  const problems = plugins.check(schema, value);
  for (const { path, message } of problems) {
    const steps = path.map((step) => /^\d+$/.test(step) ? Number(step) : step);
    const where = options === undefined ? at : reach(options, ...steps);
    const top = options === undefined ? `${at.path}.with` : options.path;
    report({ at: where.at, path: [top, ...path].join(".") }, message);
  }
  return problems.length > 0 ? null : value as Readonly<Record<string, unknown>>;
}

/** A plugin that may connect to its targets must not get to this machine's own services by way of one. */
function judgeTarget(
  name: string,
  address: string | undefined,
  at: Tree,
  known: ReadonlyMap<string, Known | null>,
  subject: Case,
): void {
  const { draft, report } = subject;
  const grants = known.get(name)?.config.grants;
  if (grants === undefined || grants.netUnsafe.includes("targets")) return;
  if (address === undefined || isIP(address) === 0) return;
  const list = new BlockList();
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addSubnet("169.254.0.0", 16, "ipv4");
  list.addAddress("::1", "ipv6");
  list.addSubnet("fe80::", 10, "ipv6");
  for (const node of draft.nodes?.values() ?? []) {
    if (node?.address) list.addAddress(node.address, isIP(node.address) === 6 ? "ipv6" : "ipv4");
  }
  if (!list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")) return;
  const line = `plugins.${name}.grants: net_unsafe: [targets]`;
  report(at, `plugin "${name}" would reach ${address}, this machine's or a node's own; to allow it, add to ${line}`);
}

/** keepalived.conf of one node or of each, to the `nodes` and `vrrp` of one tandem.yaml. */
import {
  garpKeys,
  garpValue,
  type Globals,
  type InstanceDocument,
  type Leave,
  notYet,
  readInstance,
} from "./keepalived_instance.ts";
import { type Hooks, readHooks, splitHooks } from "./keepalived_hooks.ts";
import { conditionNames, parseKeepalived, type Statement, unbalancedBraces } from "./keepalived_text.ts";
import { type Leftover, withoutSecrets } from "./leftover.ts";
import { importedName, renamed } from "./import_names.ts";
import { mergeNodes, type NodeInstances } from "./import_nodes.ts";

export interface KeepalivedSource {
  /** Whose file it is; null where there is only one, or where its `@NODE` lines tell. */
  readonly node: string | null;
  readonly file: string;
  readonly text: string;
}

/** Sections as they would be written in tandem.yaml. */
export interface ImportedVrrp {
  readonly nodes: Readonly<Record<string, unknown>>;
  readonly vrrp: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly notify: readonly Readonly<Record<string, unknown>>[];
  readonly leftovers: readonly Leftover[];
}

/** Why nothing can be read of the files: their braces do not pair up. */
export function unreadable(sources: readonly KeepalivedSource[]): readonly Leftover[] {
  return sources.flatMap(({ file, text }) =>
    unbalancedBraces(text).map((found) => ({ ...found, file, text: withoutSecrets(found.text) }))
  );
}

export function importKeepalived(sources: readonly KeepalivedSource[]): ImportedVrrp {
  const leftovers: Leftover[] = [];
  const hooks: Hooks[] = [];
  const readings: NodeInstances[] = sources.flatMap(({ node, file, text }) => {
    const names = node !== null ? [node] : conditionNames(text);
    return (names.length === 0 ? [null] : names).map((name) =>
      readNode(parseKeepalived(text, name), name, file, { leftovers, hooks })
    );
  });
  return { ...mergeNodes(readings), notify: readHooks(hooks), leftovers };
}

function readNode(
  statements: readonly Statement[],
  node: string | null,
  file: string,
  { leftovers, hooks }: { readonly leftovers: Leftover[]; readonly hooks: Hooks[] },
): NodeInstances {
  const leave: Leave = ({ line, text }, why) => leftovers.push({ file, line, text: withoutSecrets(text), why });
  const globals = readGlobals(statements, leave);
  const instances = new Map<string, InstanceDocument>();
  for (const statement of statements) {
    const [keyword, given] = statement.words;
    if (keyword === "global_defs") continue;
    if (keyword === "vrrp_instance" && given !== undefined && statement.block !== null) {
      const name = importedName(given);
      const { hooks: statements, rest } = splitHooks(statement.block);
      const document = readInstance(rest, globals, leave);
      const why = instances.has(name) ? `is left out: there is a "${name}" already` : reasonAgainst(document);
      if (why !== null) {
        leave(statement, why);
        continue;
      }
      const other = renamed(given);
      if (other !== null) leave(statement, other);
      hooks.push({ statements, leave });
      instances.set(name, document);
      if (node === null) leaveSource(statement.block, leave);
    } else leave(statement, reasonForSection(statement));
  }
  return { node, instances };
}

/** Why an instance is nothing to Tandem, or null: one without an IPv4 address has nothing that could move. */
function reasonAgainst({ virtual_addresses: addresses }: InstanceDocument): string | null {
  if (Array.isArray(addresses) && addresses.length > 0) return null;
  return "is left out: it has no IPv4 address in virtual_ipaddress, and IPv6 is not in this version of vrrp";
}

/** A source of multicast is the node's address, and there is no node to give it to. */
function leaveSource(block: readonly Statement[], leave: Leave): void {
  const source = block.find(({ words }) => words[0] === "mcast_src_ip");
  if (source !== undefined) leave(source, "name the node (--keepalived NODE=FILE) to carry its address");
}

function reasonForSection({ words: [keyword], block }: Statement): string {
  switch (keyword) {
    case "vrrp_instance":
      return "is left out: it has no name, or no block";
    case "vrrp_script":
      return isProxyCheck(block)
        ? "an instance follows the frontends bound to its addresses by itself"
        : notYet("scripts");
    case "vrrp_sync_group":
      return `${notYet("sync_group")}; give each instance the same track: entries`;
    case "virtual_server":
    case "virtual_server_group":
      return "IPVS is not part of Tandem; make it a frontend in mode: tcp and a backend";
    case "include":
      return "import that file as well";
    default:
      return "means nothing to Tandem";
  }
}

function isProxyCheck(block: Statement["block"]): boolean {
  return block?.some(({ words, text }) => words[0] === "script" && /haproxy|nginx/.test(text)) ?? false;
}

function readGlobals(statements: readonly Statement[], leave: Leave): Globals {
  let version = 2;
  const garp: Record<string, unknown> = {};
  for (const section of statements) {
    if (section.words[0] !== "global_defs") continue;
    for (const statement of section.block ?? []) {
      const [keyword, value] = statement.words;
      const name = keyword.replace(/^vrrp_/, "");
      if (keyword === "vrrp_version" && (value === "2" || value === "3")) version = Number(value);
      else if (Object.hasOwn(garpKeys, name) && /^\d+$/.test(value ?? "")) {
        garp[garpKeys[name]] = garpValue(garpKeys[name], value);
      } else leave(statement, "means nothing to Tandem");
    }
  }
  return { version, garp };
}

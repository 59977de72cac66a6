/** From the text of `tandem.yaml` to the configuration of one node, or everything that is wrong with it. */
import { createHash } from "node:crypto";
import { build } from "./build.ts";
import type { Report } from "./decoder.ts";
import type { Config } from "./model.ts";
import { chooseNode, examineNodes, isSection, nodeNames } from "./node.ts";
import { overlay } from "./overlay.ts";
import { type Problem, sortProblems } from "./problem.ts";
import { noPlugins, type PluginKnowledge } from "./plugin_facts.ts";
import { judgePeers } from "./peer_rules.ts";
import { judge } from "./rules.ts";
import { examineDefaults, root } from "./schema.ts";
import type { ReadSecret } from "./secrets.ts";
import { child } from "./tree.ts";
import { parseYaml } from "./yaml.ts";

export interface LoadOptions {
  /** As it is named in problems. */
  readonly file: string;
  /** `--node` or `TANDEM_NODE`. @default found by `hostname` */
  readonly node?: string | null;
  readonly hostname: string;
  readonly readSecret: ReadSecret;
  /** @default nothing is known, and a plugin is a problem */
  readonly plugins?: PluginKnowledge;
}

export type Loaded =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the configuration of one node. Pure but for `readSecret`. Every problem is found at once, in the order of the
 * file; no text makes it throw.
 *
 * @example
 * ```ts ignore
 * const loaded = load(text, { file: "tandem.yaml", hostname: Deno.hostname(), readSecret: readSecretFrom("/etc/tandem") });
 * if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
 * ```
 */
export function load(text: string, options: LoadOptions): Loaded {
  const { file } = options;
  const parsed = parseYaml(text, file);
  const problems: Problem[] = [...parsed.problems];
  const report: Report = ({ at, path }, message) => problems.push({ file, ...at, path, message });
  const failed = (): Loaded => ({ ok: false, problems: sortProblems(problems) });
  if (parsed.tree === null) return failed();

  const chosen = chooseNode(nodeNames(parsed.tree), options.node ?? null, options.hostname);
  if (!chosen.ok) {
    report(child(parsed.tree, "nodes") ?? parsed.tree, chosen.message);
    return failed();
  }
  examineNodes(parsed.tree, report);
  examineDefaults(parsed.tree, report);
  const tree = overlay(parsed.tree, chosen.node, isSection);
  const draft = root.decode(tree, report);
  if (draft === undefined) return failed();
  const { readSecret, plugins = noPlugins } = options;
  const subject = { draft, tree, node: chosen.node, readSecret, plugins, report };
  const opened = judge(subject);
  judgePeers(subject, parsed.tree);
  if (problems.length > 0) return failed();
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { ok: true, config: build(draft, { node: chosen.node, source: { file, sha256 }, opened }) };
}

/** The nodes of a file, to check each of them: their names, or none where it has no `nodes:`. */
export function nodesOf(text: string, file: string): readonly string[] {
  const { tree } = parseYaml(text, file);
  return tree === null ? [] : nodeNames(tree) ?? [];
}

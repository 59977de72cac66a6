/** What the parts of a configuration must be to each other. Runs over drafts, so a wrong part does not hide the next. */
import type { Passwords } from "./build.ts";
import { judgeEmpty } from "./empty_rules.ts";
import { openClusterSecret } from "./cluster_rules.ts";
import type { Report } from "./decoder.ts";
import { judgeInstances } from "./instance_rules.ts";
import type { PluginKnowledge } from "./plugin_facts.ts";
import { judgePlugins, type OpenedPlugins } from "./plugin_rules.ts";
import { judgeFrontends, judgeServers } from "./proxy_rules.ts";
import { judgeStickiness } from "./stickiness_rules.ts";
import { type Bodies, judgeRoutes } from "./route_rules.ts";
import type { Draft } from "./schema.ts";
import type { ReadSecret } from "./secrets.ts";
import { judgeTracking } from "./tracking_rules.ts";
import type { MapTree } from "./tree.ts";

/** One node's view of the file, to be judged. */
export interface Case {
  readonly draft: Draft;
  /** The merged tree the draft was read from: it knows positions and what was said at all. */
  readonly tree: MapTree;
  readonly node: string;
  readonly readSecret: ReadSecret;
  readonly report: Report;
  readonly plugins: PluginKnowledge;
}

/** Secrets that were read. */
export interface Opened {
  /** By instance. */
  readonly passwords: ReadonlyMap<string, Passwords>;
  readonly clusterSecret: string | null;
  readonly plugins: OpenedPlugins;
  /** Answers of routes that are in files. */
  readonly bodies: Bodies;
  /** Answers of backends without servers that are in files. */
  readonly emptyBodies: ReadonlyMap<string, string>;
}

/** Reports everything that cannot do what it says. */
export function judge(subject: Case): Opened {
  judgeFrontends(subject);
  judgeServers(subject);
  judgeStickiness(subject);
  judgeTracking(subject);
  return {
    bodies: judgeRoutes(subject),
    emptyBodies: judgeEmpty(subject),
    clusterSecret: openClusterSecret(subject),
    passwords: judgeInstances(subject),
    plugins: judgePlugins(subject),
  };
}

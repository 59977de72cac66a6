/** What the parts of a configuration must be to each other. Runs over drafts, so a wrong part does not hide the next. */
import type { Passwords } from "./build.ts";
import type { Report } from "./decoder.ts";
import { judgeInstances } from "./instance_rules.ts";
import { judgeFrontends, judgeServers } from "./proxy_rules.ts";
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
}

/** Reports everything that cannot do what it says. Answers the opened passwords by instance. */
export function judge(subject: Case): ReadonlyMap<string, Passwords> {
  judgeFrontends(subject);
  judgeServers(subject);
  judgeTracking(subject);
  return judgeInstances(subject);
}

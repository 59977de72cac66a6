/** `plugin …`: for authors and operators of plugins. The verbs that speak to a running node are of this side. */
import { pluginCommand, type Verb } from "../plugin/cli.ts";

const running: Readonly<Record<string, Verb>> = {
  list: {
    usage: "[--admin URL] [--config FILE] [--node NAME]",
    summary: "what tandem.lock holds, what has changed, and what of it runs on this node",
    load: () => import("./plugin_list.ts"),
  },
  reset: {
    usage: "NAME [--admin URL] [--config FILE] [--node NAME]",
    summary: "end the quarantine of a plugin on the node that runs it",
    load: () => import("./plugin_reset.ts"),
  },
};

export function run(args: readonly string[]): Promise<number> {
  const kits = { app: () => import("../control/app_kit.ts").then(({ appKit }) => appKit()) };
  return pluginCommand(args, kits, running);
}

/** `plugin list`: what is locked, whether the files still are that, and what runs where a node answers. */
import type { Status } from "../control/status.ts";
import { lockedPlugins } from "../plugin/commands/list.ts";
import { LOCK_FILE } from "../plugin/lock.ts";
import { demand, type Reach } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print, table } from "./terminal.ts";

/** Exit code 1 where something is not what was locked. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("plugin list", args, reachOptions);
  const [locked, running] = await Promise.all([lockedPlugins(), runningPlugins(values)]);
  const rows = locked.map(({ name, plugin, version, source, drift }) => {
    const state = running?.find((one) => one.name === name);
    return [name, `${plugin} ${version}`, source, drift ?? "as locked", running === null ? "" : describe(state)];
  });
  const others = (running ?? []).filter(({ name }) => !locked.some((one) => one.name === name));
  rows.push(...others.map((one) => [one.name, one.plugin, "", "not locked", describe(one)]));
  print(rows.length === 0 ? `${LOCK_FILE} holds no plugins` : table(rows));
  return locked.some(({ drift }) => drift !== null) ? Exit.failed : Exit.done;
}

/** null where no node answers, unless one was named that should. */
async function runningPlugins(reach: Reach): Promise<Status["plugins"] | null> {
  try {
    const { plugins }: Status = await demand(reach, "GET", "/api/v1/status");
    return plugins;
  } catch (error) {
    const named = reach.admin !== undefined || reach.config !== undefined || Boolean(Deno.env.get("TANDEM_ADMIN"));
    if (error instanceof CommandError && error.code === Exit.unreachable && !named) return null;
    throw error;
  }
}

function describe(plugin: Status["plugins"][number] | undefined): string {
  if (plugin === undefined) return "not in the configuration";
  return plugin.state === "running" || plugin.state === "idle" ? plugin.state : `${plugin.state}: ${plugin.reason}`;
}

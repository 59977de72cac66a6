/** `failback`: ends the hold of a failover. */
import { printable } from "../bytes/printable.ts";
import type { Status } from "../control/status.ts";
import { demand, order } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions("failback", args, { ...reachOptions, all: { type: "boolean" } }, [0, 1]);
  if ((positionals.length === 0) !== (values.all === true)) {
    throw new CommandError(Exit.usage, "Name one INSTANCE, or --all of them; see tandem failback --help");
  }
  const instances = values.all ? await heldInstances(values) : positionals;
  if (instances.length === 0) print("Nothing is held here");
  for (const instance of instances) {
    const { text } = await order(values, "POST", `/api/v1/vrrp/${encodeURIComponent(instance)}/failback`);
    print(printable(`${instance}: ${text}`));
  }
  return Exit.done;
}

async function heldInstances(reach: Parameters<typeof demand>[0]): Promise<string[]> {
  const status: Status = await demand(reach, "GET", "/api/v1/status");
  return status.overrides.filter(({ kind }) => kind === "hold").map(({ about }) => about);
}

/** `plugin reset`: a plugin that failed too often is started again when it is next needed. */
import { printable } from "../bytes/printable.ts";
import { demand } from "./admin_client.ts";
import { Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals: [name] } = parseOptions("plugin reset", args, reachOptions, [1, 1]);
  const { state, reason } = await demand(values, "POST", `/api/v1/plugins/${encodeURIComponent(name)}/reset`);
  print(printable(`${name} is ${state}: ${reason}`));
  return Exit.done;
}

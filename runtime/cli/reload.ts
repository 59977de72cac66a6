/** `reload`: the running node reads its configuration again. */
import { printable } from "../bytes/printable.ts";
import { demand } from "./admin_client.ts";
import { Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("reload", args, reachOptions);
  const { text } = await demand(values, "POST", "/api/v1/reload");
  print(printable(text));
  return Exit.done;
}

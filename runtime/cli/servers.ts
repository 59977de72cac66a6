/** `drain`, `maint`, `ready`, `weight`: what the operator says of one server. */
import { printable } from "../bytes/printable.ts";
import { operator, order } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions, saidOptions } from "./options.ts";
import { print, printError } from "./terminal.ts";

export async function change(verb: "drain" | "maint" | "ready" | "weight", args: readonly string[]): Promise<number> {
  const words = verb === "weight" ? 2 : 1;
  const { for: _, ...endless } = saidOptions;
  // What takes something back has no end.
  const options: Partial<typeof saidOptions> = verb === "ready" ? endless : saidOptions;
  const { values, positionals } = parseOptions(verb, args, { ...reachOptions, ...options }, [words, words]);
  const [about, weight] = positionals;
  const slash = about.indexOf("/");
  if (slash < 1 || slash === about.length - 1) {
    throw new CommandError(Exit.usage, `A server is BACKEND/SERVER, got "${about}"; see tandem ${verb} --help`);
  }
  if (weight !== undefined && !/^\d+$/.test(weight)) {
    throw new CommandError(Exit.usage, `A weight is 0-256, got "${weight}"; see tandem weight --help`);
  }
  const [backend, server] = [about.slice(0, slash), about.slice(slash + 1)].map(encodeURIComponent);
  const said = { for: values.for, reason: values.reason, by: operator() };
  const wish = verb === "weight" ? { weight: Number(weight) } : { state: verb };
  const answer = await order(values, "PUT", `/api/v1/backends/${backend}/servers/${server}`, { ...wish, ...said });
  print(printable(`${about} is ${answer.state}, weight ${answer.weight}: ${answer.reason}`));
  if (answer.applied === false) printError("The proxy has not confirmed it yet; requests follow as soon as it turns");
  return Exit.done;
}

/** Arguments of one command, with errors that name it. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { CommandError, Exit } from "./exit.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Options of every command that speaks to a running node. */
export const reachOptions = {
  admin: { type: "string" },
  config: { type: "string" },
  node: { type: "string" },
} as const satisfies Options;

/** Options of every command that changes something. */
export const saidOptions = { for: { type: "string" }, reason: { type: "string" } } as const satisfies Options;

/**
 * Takes `args` apart.
 *
 * @param positionals fewest and most words that are no options
 * @throws {CommandError} for what the command does not know
 */
export function parseOptions<const T extends Options>(
  command: string,
  args: readonly string[],
  options: T,
  positionals: readonly [fewest: number, most: number] = [0, 0],
) {
  const see = `; see tandem ${command} --help`;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    const [sentence] = (cause instanceof Error ? cause.message : String(cause)).split(". ");
    throw new CommandError(Exit.usage, `${sentence}${see}`, { cause });
  }
  const count = parsed.positionals.length;
  if (count < positionals[0]) throw new CommandError(Exit.usage, `"${command}" needs more words${see}`);
  if (count > positionals[1]) {
    throw new CommandError(Exit.usage, `"${command}" does not take "${parsed.positionals[positionals[1]]}"${see}`);
  }
  return parsed;
}

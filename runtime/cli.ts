/** The command line: finds the command, runs it, turns whatever goes wrong into one sentence and an exit code. */
import { type CommandEntry, commands, laterCommands } from "./cli/commands.ts";
import { CommandError, Exit } from "./cli/exit.ts";
import { helpOf, overview } from "./cli/help.ts";
import { print, printError } from "./cli/terminal.ts";
import { hint } from "./config/nearest.ts";
import { refuseInspector } from "./os/signals.ts";
import { version } from "./version.ts";

/** Runs `tandem ARGS…` and answers the exit code. Never throws. */
export async function main(args: readonly string[]): Promise<number> {
  // A role chooses for itself; that of a plugin may not.
  if (args[0] !== "role") refuseInspector();
  try {
    return await dispatch(args);
  } catch (error) {
    printError(`tandem: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof CommandError ? error.code : Exit.failed;
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined || (first.startsWith("-") && !isHelp(first) && first !== "--version" && first !== "-V")) {
    return await runOrDemo(args);
  }
  if (first === "--version" || first === "-V") return say(version);
  if (isHelp(first) || first === "help") {
    return say(rest[0] === undefined ? overview(commands) : helpOf(find(rest[0])));
  }
  const command = find(first);
  const end = rest.indexOf("--");
  if (!command.hidden && command.nested === undefined && rest.slice(0, end === -1 ? undefined : end).some(isHelp)) {
    return say(helpOf(command));
  }
  return await (await command.load()).run(rest);
}

/** Without a command: the node where there is a configuration, the demo where there is none and none was asked for. */
async function runOrDemo(args: readonly string[]): Promise<number> {
  if (args.length === 0) {
    const { findConfiguration } = await import("./cli/configuration.ts");
    if (findConfiguration(null) === null) {
      print("No configuration was found, so this is the demo: a whole pair in private namespaces of this machine.");
      return await (await find("demo").load()).run([]);
    }
  }
  return await (await find("run").load()).run(args);
}

function find(name: string): CommandEntry {
  const command = commands.find((one) => one.name === name);
  if (command !== undefined) return command;
  if (laterCommands.includes(name)) throw new CommandError(Exit.usage, `"${name}" is not in this version`);
  const names = commands.filter(({ hidden }) => !hidden).map((one) => one.name);
  throw new CommandError(Exit.usage, `Unknown command "${name}"${hint(name, names) || "; tandem --help lists them"}`);
}

function isHelp(word: string): boolean {
  return word === "--help" || word === "-h";
}

function say(text: string): number {
  print(text);
  return Exit.done;
}

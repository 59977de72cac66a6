/** What the commands say about themselves. Pure. */
import type { CommandEntry } from "./commands.ts";
import { table } from "./terminal.ts";

export function overview(commands: readonly CommandEntry[]): string {
  const rows = commands.filter(({ hidden }) => !hidden).map(({ name, summary }) => [`  ${name}`, summary]);
  return [
    "Tandem: a high-availability load balancer in one program",
    "",
    "Usage: tandem [COMMAND] [OPTIONS]",
    "",
    table(rows),
    "",
    "Without a command it runs the node of ./tandem.yaml or /etc/tandem/tandem.yaml, and the demo where there is none.",
    "`tandem COMMAND --help` tells more. Exit codes: 0 done, 1 it did not work, 2 usage or configuration, 3 no node answers.",
  ].join("\n");
}

export function helpOf({ name, usage, summary, details = [], options }: CommandEntry): string {
  return [
    `Usage: tandem ${name}${usage === "" ? "" : ` ${usage}`}`,
    "",
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    ...details,
    ...options.length === 0 ? [] : ["", table(options.map(([option, what]) => [`  ${option}`, what]))],
  ].join("\n");
}

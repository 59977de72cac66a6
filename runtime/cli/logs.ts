/** `logs`: the access log's last lines, and with `--follow` those that come. */
import { printable } from "../bytes/printable.ts";
import { demand, open } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print, printError } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("logs", args, {
    ...reachOptions,
    follow: { type: "boolean", short: "f" },
    limit: { type: "string" },
    status: { type: "string" },
  });
  const limit = values.limit ?? "20";
  if (!/^\d+$/.test(limit)) throw new CommandError(Exit.usage, `--limit must be a whole number, got "${limit}"`);
  const query = (past: string) =>
    `/api/v1/logs?${new URLSearchParams({ limit: past, ...(values.status && { status: values.status }) })}`;
  const { lines }: { readonly lines: readonly string[] } = await demand(values, "GET", query(limit));
  lines.forEach(tell);
  if (values.follow) await follow(values, `${query("0")}&follow=true`);
  return Exit.done;
}

/** Prints what comes, coming back when the node does, until interrupted. */
async function follow(reach: Parameters<typeof open>[0], path: string): Promise<never> {
  let lost = false;
  for (;;) {
    try {
      const response = await open(reach, "GET", path);
      if (!response.ok) throw new CommandError(Exit.failed, (await response.json()).error);
      lost = false;
      let rest = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        lines.forEach(tell);
      }
    } catch (error) {
      if (!(error instanceof CommandError) && !(error instanceof TypeError)) throw error;
    }
    if (!lost) printError("The node is gone; waiting for it");
    lost = true;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function tell(line: string): void {
  print(printable(line));
}

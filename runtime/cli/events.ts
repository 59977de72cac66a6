/** `events`: what happened, and with `--follow` what happens. */
import type { JournalEvent } from "../telemetry/events.ts";
import { demand, open } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { inked, paint, print, printError, show } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("events", args, {
    ...reachOptions,
    follow: { type: "boolean", short: "f" },
    limit: { type: "string" },
    json: { type: "boolean" },
  });
  const limit = values.limit ?? "20";
  if (!/^\d+$/.test(limit)) throw new CommandError(Exit.usage, `--limit must be a whole number, got "${limit}"`);
  const tell = (event: JournalEvent) => values.json ? print(JSON.stringify(event)) : show(renderEvent(event));
  const past: readonly JournalEvent[] = await demand(values, "GET", `/api/v1/events?limit=${limit}`);
  past.forEach(tell);
  if (values.follow) await follow(values, past.at(-1)?.seq ?? 0, tell);
  return Exit.done;
}

/** Shows what follows number `seen`, coming back when the node does, until interrupted. */
async function follow(
  reach: Parameters<typeof open>[0],
  seen: number,
  tell: (event: JournalEvent) => void,
): Promise<never> {
  let lost = false;
  for (;;) {
    try {
      const response = await open(reach, "GET", `/api/v1/events?after=${seen}`, undefined, {
        accept: "text/event-stream",
      });
      lost = false;
      let rest = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split("\n\n");
        rest = parts.pop() ?? "";
        for (const part of parts) {
          const line = part.split("\n").find((text) => text.startsWith("data: "));
          if (line === undefined) continue;
          const event: JournalEvent = JSON.parse(line.slice(6));
          seen = event.seq;
          tell(event);
        }
      }
    } catch (error) {
      if (!(error instanceof CommandError) && !(error instanceof TypeError)) throw error;
    }
    if (!lost) printError("The node is gone; waiting for it");
    lost = true;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** One line, whatever is in it. */
export function renderEvent({ at, severity, type, text }: JournalEvent): string {
  const bad = severity === "warning" || severity === "error";
  const level = severity.padEnd(7);
  return [paint(at, "dim"), bad ? paint(level, "bad") : level, type.padEnd(15), text].map(inked).join("  ");
}

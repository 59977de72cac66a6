/** What our own mistake looks like from outside: a sentence without internals, and all of it in the log. */
import type { Logger } from "../telemetry/log.ts";
import { version } from "../version.ts";

/** Logs `error` with its stack, and answers the sentence for whoever asked. */
export function tellFault(log: Logger, error: unknown): string {
  log.error("This is a fault in Tandem: a request could not be answered", {
    error: error instanceof Error ? error.stack ?? error.message : String(error),
  });
  return "This is a fault in Tandem; its log says more";
}

/** For `Deno.serve`, which would print the stack on stderr, where there is nothing but JSON. */
export function faultAnswer(log: Logger): (error: unknown) => Response {
  return (error) => Response.json({ error: tellFault(log, error) }, { status: 500, headers: { "x-tandem": version } });
}

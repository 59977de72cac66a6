/** Stage 2 of a plugin's process: confined already, with no plugin code loaded yet. */
import { sentenceOf, toWireError } from "./authored.ts";
import type { Carrier } from "./carrier.ts";
import { Host } from "./host.ts";
import { TEXT_LIMIT } from "../protocol.ts";
import { claimPipe, type Pipe } from "./pipe.ts";

/**
 * Runs until control closes the pipe.
 *
 * @param carrier Brings requests, where the plugin may be an application
 */
export async function runHost(carrier: Carrier | null = null): Promise<void> {
  // A compiled binary has every permission baked in. Reading stays: its modules are read, and landlock says which.
  if (Deno.build.standalone) {
    for (const name of ["env", "run", "sys", "ffi", ...(carrier === null ? ["net", "write"] as const : [])] as const) {
      Deno.permissions.revokeSync({ name });
    }
  }
  const pipe = claimPipe();
  const host = new Host(pipe, carrier);
  logConsole(pipe, host);
  // A promise that nobody awaited is a mistake of the plugin, and no reason to end what else it does.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    const error = toWireError(event.reason, host.directory);
    const text = `Unhandled rejection: ${sentenceOf(error)}`;
    pipe.send({ type: "log", level: "error", text, fields: { stack: error.stack } });
  });
  pipe.send({ type: "ready" });
  await pipe.run((message) => host.receive(message));
  Deno.exit(0);
}

/** `console` is what libraries speak to; here it is the plugin's log. */
function logConsole(pipe: Pipe, host: Host): void {
  // Hono says in this way what its handlers threw: a line of the log has no room for frames that are not the author's.
  const shown = (value: unknown) => {
    if (value instanceof Error) return sentenceOf(toWireError(value, host.directory));
    return typeof value === "string" ? value : Deno.inspect(value);
  };
  const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error", trace: "debug" } as const;
  for (const [name, level] of Object.entries(levels)) {
    Object.assign(console, {
      [name]: (...values: unknown[]) => {
        const text = values.map(shown).join(" ");
        pipe.send({ type: "log", level, text: text.slice(0, TEXT_LIMIT) });
      },
    });
  }
}

/** Stage 2 of a plugin's process: confined already, with no plugin code loaded yet. */
import { toWireError } from "./authored.ts";
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
  logConsole(pipe);
  // A promise that nobody awaited is a mistake of the plugin, and no reason to end what else it does.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    const { name, message, stack } = toWireError(event.reason, host.directory);
    pipe.send({ type: "log", level: "error", text: `Unhandled rejection: ${name}: ${message}`, fields: { stack } });
  });
  pipe.send({ type: "ready" });
  await pipe.run((message) => host.receive(message));
  Deno.exit(0);
}

/** `console` is what libraries speak to; here it is the plugin's log. */
function logConsole(pipe: Pipe): void {
  const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error", trace: "debug" } as const;
  for (const [name, level] of Object.entries(levels)) {
    Object.assign(console, {
      [name]: (...values: unknown[]) => {
        const text = values.map((value) => typeof value === "string" ? value : Deno.inspect(value)).join(" ");
        pipe.send({ type: "log", level, text: text.slice(0, TEXT_LIMIT) });
      },
    });
  }
}

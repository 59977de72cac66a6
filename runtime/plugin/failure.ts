/** What can go wrong with a plugin, as one error type with the phase it happened in. */
import type { WireError } from "./protocol.ts";

export type Phase = "start" | "load" | "init" | "check" | "forget" | "plan" | "notify" | "run";

/** A plugin that failed, or could not be asked. `reason` is what the operator reads. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  constructor(
    /** "acme/pg-role". */
    readonly plugin: string,
    readonly phase: Phase,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Plugin "${plugin}" failed at ${phase}: ${reason}`, options);
  }
}

/** No answer can be had now: the process is starting anew, quarantined, or gone. Says nothing about what was asked. */
export class PluginUnavailable extends Error {
  override readonly name = "PluginUnavailable";
}

/** What the plugin's own code threw, with its words and its frames. */
export class PluginThrew extends Error {
  override readonly name: string = "PluginThrew";
  constructor(readonly thrown: WireError) {
    super(thrown.message);
  }
}

/** What was thrown, and where: "no plan today (at main.ts:14:9)". */
export function withPlace({ message, at }: WireError): string {
  return at === undefined || message.includes(at) ? message : `${message} (at ${at})`;
}

/** What `error` says, with the place in the author's files where it has one. */
export function describeFailure(error: unknown): string {
  if (error instanceof PluginThrew) return withPlace(error.thrown);
  return error instanceof Error ? error.message : String(error);
}

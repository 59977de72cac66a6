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
    options?: ErrorOptions & {
      /** Author's frames: "at check (main.ts:14:9)". */
      readonly frames?: string;
    },
  ) {
    super(`Plugin "${plugin}" failed at ${phase}: ${reason}`, options);
    this.frames = options?.frames ?? "";
  }
  readonly frames: string;
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

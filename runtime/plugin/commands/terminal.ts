/** What the plugin commands write and how they take their words. */
import { printableLines } from "../../bytes/printable.ts";
import { parseArgs, type ParseArgsConfig } from "node:util";

/** Wrong words: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** It did not work, and the message says why: exit code 1. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

const encoder = new TextEncoder();

export function say(text: string, { error = false } = {}): void {
  const bytes = encoder.encode(printableLines(text) + "\n");
  const stream = error ? Deno.stderr : Deno.stdout;
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}

/** @throws {UsageError} */
export function words<const T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
  [fewest, most]: readonly [number, number],
) {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new UsageError((cause instanceof Error ? cause.message : String(cause)).split(". ")[0], { cause });
  }
  const count = parsed.positionals.length;
  if (count < fewest) throw new UsageError("A word is missing");
  if (count > most) throw new UsageError(`"${parsed.positionals[most]}" is one word too many`);
  return parsed;
}

/** `version`: which Tandem this is. */
import { version } from "../version.ts";
import { Exit } from "./exit.ts";
import { parseOptions } from "./options.ts";
import { print } from "./terminal.ts";

// deno-lint-ignore require-await
export async function run(args: readonly string[]): Promise<number> {
  parseOptions("version", args, {});
  print(`tandem ${version} (deno ${Deno.version.deno}, ${Deno.build.target})`);
  return Exit.done;
}

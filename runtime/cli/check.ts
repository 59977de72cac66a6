/** `check`: everything that is wrong with a configuration, and what a reload would do. */
import { printable } from "../bytes/printable.ts";
import { demand } from "./admin_client.ts";
import { directoryOf, knowledgeOfPlugins, readConfiguration, requireConfiguration } from "./configuration.ts";
import { Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { print, printError } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions("check", args, { ...reachOptions, diff: { type: "boolean" } }, [0, 1]);
  const file = requireConfiguration(positionals[0] ?? values.config ?? null);
  const [text, { check }, { readSecretFrom }] = await Promise.all([
    readConfiguration(file),
    import("../config/check.ts"),
    import("../config/secrets.ts"),
  ]);
  const node = values.node ?? null;
  const plugins = await knowledgeOfPlugins(text, file);
  const readSecret = readSecretFrom(directoryOf(file));
  const result = check({ file, text, node, hostname: Deno.hostname(), readSecret, plugins });
  (result.code === 0 ? print : printError)(result.text.trimEnd());
  if (result.code !== 0 || !values.diff) return result.code;
  // Only the node itself knows what it runs: it reads its own file and compares.
  const { text: plan } = await demand({ ...values, config: file }, "POST", "/api/v1/reload", { dry_run: true });
  print(printable(`A reload would give: ${plan}`));
  return Exit.done;
}
